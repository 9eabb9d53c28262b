//! Words of an expression, as jinja2 tells them apart.

/// A word of an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Word<'s> {
    Name(&'s str),
    /// With its quotes.
    Text(&'s str),
    Number(&'s str),
    Sign(&'s str),
    End,
}

/// Longest first.
const SIGNS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

/// All words of what stands between the braces of a tag, [`Word::End`] last.
pub(super) fn words(source: &str) -> Result<Vec<Word<'_>>, String> {
    let (mut words, mut rest) = (Vec::new(), source.trim_start());
    while let Some(first) = rest.chars().next() {
        let dotted = words.last() == Some(&Word::Sign("."));
        let (word, length) = if first == '_' || first.is_alphabetic() {
            let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric());
            let length = length.unwrap_or(rest.len());
            (Word::Name(&rest[..length]), length)
        } else if first.is_ascii_digit() {
            let length = number(rest, dotted);
            let zeros = rest[..length].trim_start_matches(['0', '_']);
            if zeros.len() < length
                && !zeros.is_empty()
                && zeros.bytes().all(|b| b.is_ascii_digit())
            {
                return Err("a number begins with 0".into());
            }
            (Word::Number(&rest[..length]), length)
        } else if first == '"' || first == '\'' {
            let length = text(rest).ok_or("a text does not end")?;
            (Word::Text(&rest[..length]), length)
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("unexpected character {first:?}"))?;
            (Word::Sign(sign), sign.len())
        };
        words.push(word);
        rest = rest[length..].trim_start();
    }
    words.push(Word::End);
    Ok(words)
}

/// How long the text is that begins here, with its quotes.
fn text(source: &str) -> Option<usize> {
    let quote = source.chars().next()?;
    let mut chars = source.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// How long the number is that begins here; behind a dot it is an index.
fn number(source: &str, dotted: bool) -> usize {
    let run = |from: usize, digit: fn(char) -> bool| {
        let rest = &source[from..];
        from + rest.find(|c| c != '_' && !digit(c)).unwrap_or(rest.len())
    };
    let decimal = |from| run(from, |c| c.is_ascii_digit());
    let based = source.as_bytes().get(1).map(u8::to_ascii_lowercase);
    if source.starts_with('0') && matches!(based, Some(b'x' | b'o' | b'b')) {
        return run(2, |c| c.is_ascii_hexdigit());
    }
    let mut end = decimal(0);
    if dotted {
        return end;
    }
    let digit = |at: usize| source.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    if source[end..].starts_with('.') && digit(end + 1) {
        end = decimal(end + 1);
    }
    if source[end..].starts_with(['e', 'E']) {
        let signed = usize::from(source[end + 1..].starts_with(['+', '-']));
        if digit(end + 1 + signed) {
            end = decimal(end + 1 + signed);
        }
    }
    end
}
