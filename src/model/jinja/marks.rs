//! `{% generation %}`, which minijinja does not know, as something that it does.

/// Those that can mark what a template writes: characters that Unicode keeps for uses like this
/// one. The two before them mark special tokens in texts.
pub(super) const CHARS: std::ops::RangeInclusive<char> = '\u{FDD2}'..='\u{FDEF}';

/// The source with `{% generation %}` and `{% endgeneration %}` written as blocks, and whether
/// there is any. Blocks take the place of the tags, since white space around a block is treated as
/// around a tag.
pub(super) fn with_marks(source: &str) -> (String, bool) {
    let (mut written, mut rest, mut found) = (String::with_capacity(source.len()), source, false);
    while let Some((before, part, after)) = next(rest) {
        written += before;
        rest = after;
        let mark = match tag(part) {
            Some(("generation", left, right)) => Some(("generation_begin", left, right)),
            Some(("endgeneration", left, right)) => Some(("generation_end", left, right)),
            Some(("raw", ..)) => {
                let raw = raw_end(rest);
                written += part;
                written += &rest[..raw];
                rest = &rest[raw..];
                continue;
            }
            _ => None,
        };
        match mark {
            None => written += part,
            Some((mark, left, right)) => {
                found = true;
                written += &format!(
                    "{{%{left} if generation_marks %}}{{{{ {mark} }}}}{{% endif {right}%}}"
                );
            }
        }
    }
    (written + rest, found)
}

/// What stands before the first comment, expression or tag, that itself, and what follows. `None`
/// if there is none that ends.
fn next(source: &str) -> Option<(&str, &str, &str)> {
    let opens = |at: &usize| matches!(source.as_bytes().get(at + 1), Some(b'#' | b'{' | b'%'));
    let start = source.match_indices('{').map(|(at, _)| at).find(opens)?;
    let (before, part) = source.split_at(start);
    let length = match part.as_bytes()[1] {
        b'#' => 4 + part[2..].find("#}")?,
        b'{' => code_end(part, "}}")?,
        _ => code_end(part, "%}")?,
    };
    let (part, after) = part.split_at(length);
    Some((before, part, after))
}

/// Where an expression or tag ends: not in a string, nor in brackets.
fn code_end(part: &str, end: &str) -> Option<usize> {
    let (mut open, mut quote, mut chars) = (0, None, part.char_indices().skip(2));
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => _ = chars.next(),
            (Some(q), _) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if open == 0 && part[at..].starts_with(end) => return Some(at + end.len()),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') => open -= 1,
            (None, _) => {}
        }
    }
    None
}

/// What a tag says, and the signs for white space at its ends. `None` for what is no tag.
fn tag(part: &str) -> Option<(&str, &str, &str)> {
    let inside = part.strip_prefix("{%")?.strip_suffix("%}")?;
    let signs = ['-', '+'];
    let left = &inside[..usize::from(inside.starts_with(signs))];
    let inside = &inside[left.len()..];
    let right = &inside[inside.len() - usize::from(inside.ends_with(signs))..];
    let inside = &inside[..inside.len() - right.len()];
    Some((inside.trim(), left, right))
}

/// Where the tag begins that ends a raw block; the end of the source if there is none.
fn raw_end(source: &str) -> usize {
    let mut tags = source.match_indices("{%").map(|(at, _)| at);
    let ends = |at: &usize| {
        let length = source[*at..].find("%}");
        length
            .and_then(|length| tag(&source[*at..at + length + 2]))
            .is_some_and(|tag| tag.0 == "endraw")
    };
    tags.find(ends).unwrap_or(source.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_are_marks() {
        let begin = "{% if generation_marks %}{{ generation_begin }}{% endif %}";
        let end = "{%- if generation_marks %}{{ generation_end }}{% endif +%}";
        let both = with_marks("a{% generation %}{{ x }}{%-\nendgeneration\t+%}b");
        assert_eq!(both, (format!("a{begin}{{{{ x }}}}{end}b"), true));
        for (before, after) in [
            ("{{ '{%' }}", ""),
            ("{{ \"\\\"{%\" }}{{ {'a': {'b': 1}} }}", "{{ '%}' }}"),
            ("{% if '%}' == \"'{% generation %}\" %}", "{% endif %}"),
            ("{# it's {% generation %} #}", "{# {{ #}"),
            (
                "{%- raw %}'{{ {% generation %}{%- endraw -%}",
                "{% raw %}{% endraw %}",
            ),
            ("{ % } %} }}", "{"),
        ] {
            let marked = with_marks(&format!("{before}{{% generation %}}{after}"));
            assert_eq!(marked, (format!("{before}{begin}{after}"), true));
        }
        for none in [
            "a {% b",
            "{% x %}{% generation",
            "{{ '{% generation %}",
            "{# {% generation %}",
            "{% raw %}{% generation %}",
            "{% generation x %}{%%}{%-%}",
            "{",
            "ä{ö",
            "",
        ] {
            assert_eq!(with_marks(none), (none.to_string(), false));
        }
    }
}
