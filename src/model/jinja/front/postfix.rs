//! What stands behind a value: attributes, subscripts, calls, filters and tests.

use super::expression::{Reader, Written, unexpected};
use super::lexer::Word;

/// Filters that make no lists or mappings.
const TEXTS: [&str; 8] = [
    "trim", "tojson", "length", "string", "replace", "upper", "lower", "join",
];

/// Names of what mappings do; as attributes they are never items.
const METHODS: [&str; 10] = [
    "items",
    "keys",
    "values",
    "get",
    "copy",
    "pop",
    "update",
    "clear",
    "setdefault",
    "popitem",
];

/// What stands in brackets behind a value.
struct Subscript {
    slice: bool,
    inside: String,
}

impl Reader<'_> {
    pub(super) fn postfix(&mut self, mut value: String) -> Written {
        loop {
            if self.sign(".") {
                match self.next() {
                    Word::Name("changed") if self.peek() == Word::Sign("(") => {
                        self.at += 1;
                        let arguments = self.deeper(|words| {
                            words.items(")", |w| Ok(format!("__sized__({})", w.expression()?)))
                        })?;
                        value = format!("{value}.changed({arguments})");
                    }
                    Word::Name(name)
                        if METHODS.contains(&name) && self.peek() != Word::Sign("(") =>
                    {
                        value = format!("__method__({value}, '{name}')");
                    }
                    Word::Name(name) => value = format!("{value}.{name}"),
                    Word::Number(number) => value = format!("{value}[{number}]"),
                    other => return Err(unexpected(other, "a name or a number")),
                }
            } else if self.sign("[") {
                let key = self.deeper(Self::subscript)?;
                value = match key.slice {
                    true => format!("__slice__({value}, {})", key.inside),
                    false => format!("{value}[{}]", key.inside),
                };
            } else if self.peek() == Word::Sign("(") {
                // A function, of which some make lists; methods of texts are not worth a look.
                self.builds = true;
                value = format!("{value}{}", self.arguments()?);
            } else {
                return Ok(value);
            }
        }
    }

    /// What stands in brackets behind a value, with the closing one.
    fn subscript(&mut self) -> Result<Subscript, String> {
        let mut parts = vec![String::new()];
        loop {
            match self.peek() {
                Word::Sign("]") => break,
                Word::Sign(":") if parts.len() < 3 => parts.push(String::new()),
                _ => {
                    let key = self.tuple(true)?;
                    let plain = key.starts_with(['\'', '"']) || key.parse::<i64>().is_ok();
                    let last = parts.len() - 1;
                    if !parts[last].is_empty() {
                        return Err("unexpected expression in a subscript".into());
                    }
                    parts[last] = if plain {
                        key
                    } else {
                        format!("__sized__({key})")
                    };
                    continue;
                }
            }
            self.at += 1;
        }
        self.expect("]")?;
        if parts.len() == 1 && parts[0].is_empty() {
            return Err("expected a subscript".into());
        }
        let slice = parts.len() > 1;
        if slice {
            parts.resize(3, String::new());
            let none = |part: &mut String| *part = "none".into();
            parts
                .iter_mut()
                .filter(|part| part.is_empty())
                .for_each(none);
        }
        Ok(Subscript {
            slice,
            inside: parts.join(", "),
        })
    }

    /// Arguments of a call with their brackets.
    pub(super) fn arguments(&mut self) -> Written {
        self.expect("(")?;
        let arguments = self.deeper(|words| {
            words.items(")", |words| {
                for stars in ["**", "*"] {
                    if words.sign(stars) {
                        return Ok(format!("{stars}{}", words.expression()?));
                    }
                }
                if let (Word::Name(name), Word::Sign("=")) = (words.peek(), words.second()) {
                    words.at += 2;
                    return Ok(format!("{name}={}", words.expression()?));
                }
                words.expression()
            })
        })?;
        Ok(format!("({arguments})"))
    }

    pub(super) fn filters(&mut self, mut value: String) -> Written {
        loop {
            if self.sign("|") {
                value = format!("{value} | {}", self.filter()?);
            } else if self.word("is") {
                value = format!("{value} is {}", self.test()?);
            } else if self.peek() == Word::Sign("(") {
                value = format!("{value}{}", self.arguments()?);
            } else {
                return Ok(value);
            }
        }
    }

    /// A filter with its arguments.
    pub(super) fn filter(&mut self) -> Written {
        let name = self.name()?;
        self.builds |= !TEXTS.contains(&name);
        if self.peek() == Word::Sign("(") {
            return Ok(format!("{name}{}", self.arguments()?));
        }
        Ok(name.to_string())
    }

    /// A test with its argument, behind `is`.
    fn test(&mut self) -> Written {
        let not = if self.word("not") { "not " } else { "" };
        let name = match self.next() {
            Word::Name(name) => name.to_string(),
            Word::Sign(sign @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => {
                return Err(format!("unexpected `{sign}` behind `is`"));
            }
            other => return Err(unexpected(other, "a test")),
        };
        let argument = match self.peek() {
            Word::Sign("(") => self.arguments()?,
            Word::Name("is") => return Err("a test behind a test".into()),
            Word::Name("else" | "or" | "and" | "if") => String::new(),
            // The iterable of a loop ends here.
            Word::Name("recursive") => String::new(),
            Word::Name("not" | "in") => String::new(),
            Word::Name(_) | Word::Text(_) | Word::Number(_) | Word::Sign("[" | "{") => {
                let argument = self.primary()?;
                format!("({})", self.postfix(argument)?)
            }
            _ => String::new(),
        };
        Ok(format!("{not}{name}{argument}"))
    }
}
