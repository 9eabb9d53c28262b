//! Templates of jinja2, written so that minijinja renders the same text.
//!
//! minijinja's language is jinja2's but for details: which operators take what, `{% generation %}`,
//! raw blocks, ends of lines, namespaces. Here every tag is read and written anew; what stands
//! between tags stays as it is.

mod expression;
mod lexer;
mod literal;
mod postfix;
mod scan;
mod tag;

use lexer::{Word, words};
use literal::literal;
use scan::{Part, next};
use std::fmt::Write;
use tag::Tags;

/// Bytes of a template: ten times those of the longest in use.
const LONGEST: usize = 1 << 20;
/// Expressions and tags of a template: each of them may be one more `elif`.
const MOST: usize = 5_000;

/// Lines and columns that minijinja counts.
const PLACES: usize = 60_000;

/// A template as minijinja reads it.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) source: String,
    /// Whether there is a `{% generation %}`.
    pub(super) generation: bool,
}

/// Reads a template.
///
/// # Errors
///
/// What is wrong, and in which line.
pub(super) fn read(source: &str) -> Result<Front, String> {
    if source.len() > LONGEST {
        return Err(format!(
            "is {} bytes long, at most {LONGEST} are read",
            source.len()
        ));
    }
    // As jinja2 reads a file; one at the very end is no part of it, which minijinja knows.
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let (mut written, mut rest) = (String::with_capacity(2 * source.len()), &source[..]);
    let (mut tags, mut parts) = (Tags::default(), 0);
    while let Some((before, part, after)) = next(rest) {
        parts += 1;
        if parts > MOST {
            return Err(format!("has more than {MOST} tags"));
        }
        written += before;
        rest = after;
        let start = &source[..source.len() - after.len() - part.len()];
        let failed = |why: String| format!("{why} (line {})", 1 + start.matches('\n').count());
        let Some(tag) = Part::of(part) else {
            written += part;
            continue;
        };
        let begins = written.len();
        if tag.inside == "raw" && tag.block {
            if tag.right == "+" {
                return Err(failed("raw has no sign like that".into()));
            }
            let (raw, after) = scan::raw(rest).ok_or_else(|| failed("raw does not end".into()))?;
            written += part;
            // minijinja trims the first line's end, jinja2 does not.
            if raw.starts_with('\n') && tag.right != "-" {
                written.push('\n');
            }
            written += raw;
            rest = after;
            continue;
        }
        if tag.block {
            tags.write(&mut written, &tag).map_err(failed)?;
        } else {
            let value = tags.expression(tag.inside).map_err(failed)?;
            let _ = write!(written, "{{{{{} {value} {}}}}}", tag.left, tag.right);
        }
        // Lines keep their numbers, for errors.
        let lines = part.matches('\n').count();
        let lines = lines.saturating_sub(written[begins..].matches('\n').count());
        if lines > 0 {
            let end = written.len() - 2 - tag.right.len();
            written.insert_str(end, &"\n".repeat(lines));
        }
    }
    written += rest;
    let longest = written.lines().map(str::len).max().unwrap_or(0);
    if longest.max(written.lines().count()) > PLACES {
        return Err(format!(
            "has more than {PLACES} lines, or characters in one of them"
        ));
    }
    Ok(Front {
        source: written,
        generation: tags.generation,
    })
}

/// All texts of a template that can be read: between tags, and in quotes.
pub(super) fn texts(source: &str) -> Vec<String> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let (mut texts, mut rest) = (Vec::new(), &source[..]);
    while let Some((before, part, after)) = next(rest) {
        texts.push(before.to_string());
        rest = after;
        let Some(tag) = Part::of(part) else {
            continue;
        };
        if tag.inside == "raw" && tag.block {
            let (raw, after) = scan::raw(rest).unwrap_or((rest, ""));
            texts.push(raw.to_string());
            rest = after;
            continue;
        }
        // Texts that follow each other are one.
        let mut joined = false;
        for word in words(tag.inside).unwrap_or_default() {
            let text = match word {
                Word::Text(quoted) => literal(quoted).ok(),
                _ => None,
            };
            match (text, texts.last_mut()) {
                (Some(text), Some(last)) if joined => *last += &text,
                (Some(text), _) => {
                    texts.push(text);
                    joined = true;
                    continue;
                }
                (None, _) => joined = false,
            }
        }
    }
    texts.push(rest.to_string());
    texts.retain(|text| !text.is_empty());
    texts.sort_unstable();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_between_tags_and_in_quotes() {
        let source = "a{# 'no' #}b{% if x == 'it\\'s' %}{{ \"c\" 'd' ~ 'e' }}\r\n{% endif %}\
            {% raw %}{{ 'f' }}{% endraw %}g";
        let wanted = [
            "\n",
            "a",
            "b",
            "cd",
            "e",
            "g",
            "it's",
            "{{ 'f' }}{% endraw %}",
        ];
        assert_eq!(texts(source), wanted);
        assert_eq!(texts("{% 'a"), ["{% 'a"]);
    }
}
