//! Tags, expressions and comments of a template.

/// What stands in braces.
pub(super) struct Part<'s> {
    /// Whether it is a tag, else an expression.
    pub(super) block: bool,
    /// Signs for white space at its ends.
    pub(super) left: &'s str,
    pub(super) right: &'s str,
    pub(super) inside: &'s str,
}

impl<'s> Part<'s> {
    /// `None` for a comment.
    pub(super) fn of(part: &'s str) -> Option<Self> {
        let block = part.starts_with("{%");
        if part.starts_with("{#") {
            return None;
        }
        let inside = &part[2..part.len() - 2];
        let left = &inside[..usize::from(inside.starts_with(['-', '+']))];
        let inside = &inside[left.len()..];
        // An expression's end has no other sign.
        let signs = if block { &['-', '+'][..] } else { &['-'] };
        let right = &inside[inside.len() - usize::from(inside.ends_with(signs))..];
        let inside = inside[..inside.len() - right.len()].trim();
        Some(Self {
            block,
            left,
            right,
            inside,
        })
    }
}

/// What stands before the first comment, expression or tag, that itself, and what follows. `None`
/// if there is none that ends.
pub(super) fn next(source: &str) -> Option<(&str, &str, &str)> {
    let opens = |at: &usize| matches!(source.as_bytes().get(at + 1), Some(b'#' | b'{' | b'%'));
    let start = source.match_indices('{').map(|(at, _)| at).find(opens)?;
    let (before, part) = source.split_at(start);
    let length = match part.as_bytes()[1] {
        b'#' => 4 + part[2..].find("#}")?,
        b'{' => end(part, "}}")?,
        _ => end(part, "%}")?,
    };
    let (part, after) = part.split_at(length);
    Some((before, part, after))
}

/// Where an expression or tag ends: not in a string, nor in brackets.
fn end(part: &str, end: &str) -> Option<usize> {
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

/// What stands before the tag that ends a raw block and that tag, and what follows.
pub(super) fn raw(source: &str) -> Option<(&str, &str)> {
    let ends = source.match_indices("{%").find_map(|(at, _)| {
        let length = 2 + source[at..].find("%}")?;
        let tag = Part::of(&source[at..at + length])?;
        (tag.inside == "endraw").then_some(at + length)
    })?;
    Some(source.split_at(ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_outside_of_strings_and_brackets() {
        for (before, part, after) in [
            ("a", "{{ '}}' }}", "b"),
            ("", "{{ {'a': {'b': 1}}}}", ""),
            ("", "{% if '%}' == \"'\" %}", "{{ x }}"),
            ("ä{ö", "{# it's {{ #}", ""),
            ("", "{{ \"\\\"}}\" }}", "{"),
        ] {
            let source = [before, part, after].concat();
            assert_eq!(next(&source), Some((before, part, after)));
        }
        for none in ["a {% b", "{{ '{% x %}", "{# {% x %}", "{", "ä{ö", ""] {
            assert_eq!(next(none), None);
        }
        assert_eq!(raw("{{ {%- endraw +%}b"), Some(("{{ {%- endraw +%}", "b")));
        assert_eq!(raw("{% raw %}"), None);
    }
}
