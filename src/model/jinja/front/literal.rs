//! Texts in quotes.

/// What a text in quotes says, by Python's rules.
pub(super) fn literal(quoted: &str) -> Result<String, String> {
    let inside = &quoted[1..quoted.len() - 1];
    let (mut text, mut rest) = (String::with_capacity(inside.len()), inside);
    while let Some((plain, escape)) = rest.split_once('\\') {
        text += plain;
        let c = escape
            .chars()
            .next()
            .ok_or("a text ends with a backslash")?;
        let mut length = c.len_utf8();
        let digits = |from: usize, most: usize, radix: u32| {
            let digits = escape[from..].chars().take(most);
            from + digits.take_while(|c| c.is_digit(radix)).count()
        };
        let coded = match c {
            'x' => Some((1, digits(1, 2, 16), 2, 16)),
            'u' => Some((1, digits(1, 4, 16), 4, 16)),
            'U' => Some((1, digits(1, 8, 16), 8, 16)),
            '0'..='7' => Some((0, digits(0, 3, 8), 0, 8)),
            _ => None,
        };
        if let Some((from, to, wanted, radix)) = coded {
            let code = u32::from_str_radix(&escape[from..to], radix).ok();
            let c = code
                .filter(|_| wanted == 0 || to - from == wanted)
                .and_then(char::from_u32);
            text.push(
                c.ok_or_else(|| format!("a text has an escape that is no character: \\{c:?}"))?,
            );
            length = to;
        } else {
            match c {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                'a' => text.push('\x07'),
                'b' => text.push('\x08'),
                'f' => text.push('\x0c'),
                'v' => text.push('\x0b'),
                '\n' => {}
                '\\' | '\'' | '"' => text.push(c),
                'N' => return Err("characters by their names are not supported".into()),
                other => text.extend(['\\', other]),
            }
        }
        rest = &escape[length..];
    }
    Ok(text + rest)
}

/// The inside of a text in single quotes, on one line.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "\\'");
    text.replace('\n', "\\n").replace('\r', "\\r")
}
