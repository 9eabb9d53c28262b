//! Tags of jinja2 as tags of minijinja.

use super::expression::{Reader, unexpected};
use super::lexer::Word;
use super::scan::Part;
use std::fmt::Write;

/// What is open while tags are written one by one.
#[derive(Default)]
pub(super) struct Tags {
    pub(super) generation: bool,
    /// For each open `{% set %}` block, the namespace and attribute that it is for.
    sets: Vec<Option<(String, String)>>,
}

type Written = Result<String, String>;

/// What the text of a `{% set %}` block is called until it is put into a namespace.
const BLOCK: &str = "__block__";

impl Tags {
    /// What stands between `{{` and `}}`.
    pub(super) fn expression(&mut self, source: &str) -> Written {
        let mut words = Reader::new(source)?;
        let value = words.tuple(true)?;
        words.end()?;
        Ok(value)
    }

    /// Writes a tag in the place of another. Each tag is written as one, or as several without
    /// anything between them, since white space is treated as around the one.
    pub(super) fn write(&mut self, to: &mut String, tag: &Part<'_>) -> Result<(), String> {
        let mut words = Reader::new(tag.inside)?;
        let (left, right) = (tag.left, tag.right);
        let name = match words.next() {
            Word::Name(name) => name,
            other => return Err(unexpected(other, "a tag")),
        };
        let mark = |mark: &str| {
            format!("{{%{left} if generation_marks %}}{{{{ {mark} }}}}{{% endif {right}%}}")
        };
        let inside = match name {
            "generation" => {
                self.generation = true;
                words.end()?;
                *to += &mark("generation_begin");
                return Ok(());
            }
            "endgeneration" => {
                words.end()?;
                *to += &mark("generation_end");
                return Ok(());
            }
            "set" => self.set(&mut words)?,
            "endset" => match self.sets.pop().flatten() {
                None => "endset".into(),
                Some((space, attribute)) => {
                    words.end()?;
                    let put = format!("do __set__({space}, '{attribute}', {BLOCK})");
                    let _ = write!(to, "{{%{left} endset %}}{{% {put} {right}%}}");
                    return Ok(());
                }
            },
            "if" | "elif" => format!("{name} {}", words.tuple(true)?),
            "for" => loops(&mut words)?,
            "with" => with(&mut words)?,
            "macro" => {
                let name = words.name()?;
                format!("macro {name}{}", parameters(&mut words)?)
            }
            "call" => {
                let parameters = match words.peek() {
                    Word::Sign("(") => parameters(&mut words)?,
                    _ => String::new(),
                };
                format!("call{parameters} {}", words.expression()?)
            }
            "filter" => format!("filter {}", chain(&mut words)?),
            // Nothing extends a chat template: a block is a scope.
            "block" => {
                words.name()?;
                let _ = words.word("scoped") || words.word("required");
                "with".into()
            }
            "endblock" => {
                let _ = words.name();
                "endwith".into()
            }
            "autoescape" => format!("autoescape {}", words.expression()?),
            "else" | "endif" | "endfor" | "endwith" | "endmacro" | "endcall" | "endfilter"
            | "endautoescape" | "break" | "continue" => name.to_string(),
            _ => return Err(format!("the tag {name} is not known")),
        };
        words.end()?;
        let _ = write!(to, "{{%{left} {inside} {right}%}}");
        Ok(())
    }

    fn set(&mut self, words: &mut Reader<'_>) -> Written {
        let targets = targets(words)?;
        let space = targets
            .split_once('.')
            .map(|(space, attribute)| (space.to_string(), attribute.to_string()));
        if words.sign("=") {
            let value = words.tuple(true)?;
            return Ok(match space {
                None if words.builds => format!("set {targets} = __solid__({value})"),
                None => format!("set {targets} = {value}"),
                Some((space, attribute)) => format!("do __set__({space}, '{attribute}', {value})"),
            });
        }
        let filters = match words.sign("|") {
            true => format!(" | {}", chain(words)?),
            false => String::new(),
        };
        let target = if space.is_some() { BLOCK } else { &targets };
        let inside = format!("set {target}{filters}");
        self.sets.push(space);
        Ok(inside)
    }
}

/// Filters with bars between them.
fn chain(words: &mut Reader<'_>) -> Written {
    let mut filters = vec![words.filter()?];
    while words.sign("|") {
        filters.push(words.filter()?);
    }
    Ok(filters.join(" | "))
}

/// What is set: a name, an attribute of a namespace, or several names.
fn targets(words: &mut Reader<'_>) -> Written {
    let mut targets = Vec::new();
    loop {
        targets.push(if words.sign("(") {
            let inside = names(words)?;
            words.expect(")")?;
            format!("({inside})")
        } else {
            let name = words.name()?;
            match words.sign(".") {
                true => format!("{name}.{}", words.name()?),
                false => name.to_string(),
            }
        });
        if !words.sign(",") {
            break;
        }
    }
    if targets.len() > 1 && targets.iter().any(|target| target.contains('.')) {
        return Err("sets several attributes of namespaces at once, which is not supported".into());
    }
    Ok(targets.join(", "))
}

/// Names with commas between them, in brackets where they are within each other.
fn names(words: &mut Reader<'_>) -> Written {
    let mut names = Vec::new();
    loop {
        names.push(if words.sign("(") {
            let inside = self::names(words)?;
            words.expect(")")?;
            format!("({inside})")
        } else {
            words.name()?.to_string()
        });
        if !words.sign(",") {
            return Ok(names.join(", "));
        }
    }
}

fn loops(words: &mut Reader<'_>) -> Written {
    let targets = names(words)?;
    if !words.word("in") {
        return Err(unexpected(words.peek(), "`in`"));
    }
    let mut inside = format!("for {targets} in __loop__({})", words.tuple(false)?);
    if words.word("if") {
        inside += &format!(" if {}", words.expression()?);
    }
    if words.word("recursive") {
        inside += " recursive";
    }
    Ok(inside)
}

fn with(words: &mut Reader<'_>) -> Written {
    let (mut parts, mut before) = (Vec::new(), Vec::new());
    while words.peek() != Word::End {
        if !parts.is_empty() {
            words.expect(",")?;
        }
        let target = words.name()?;
        words.expect("=")?;
        let from = words.place();
        let value = words.expression()?;
        uses(words.since(from), &before, target)?;
        before.push(target);
        parts.push(format!("{target} = {value}"));
    }
    Ok(format!("with {}", parts.join(", ")))
}

/// Parameters of a macro, with their defaults.
fn parameters(words: &mut Reader<'_>) -> Written {
    words.expect("(")?;
    let (mut parts, mut before) = (Vec::new(), Vec::new());
    while !words.sign(")") {
        if !parts.is_empty() {
            words.expect(",")?;
        }
        let name = words.name()?;
        let mut part = name.to_string();
        if words.sign("=") {
            let from = words.place();
            part += &format!("={}", words.expression()?);
            uses(words.since(from), &before, name)?;
        }
        if before.contains(&name) {
            return Err(format!("{name} is a parameter twice"));
        }
        before.push(name);
        parts.push(part);
    }
    Ok(format!("({})", parts.join(", ")))
}

/// Refuses a value that is made of those before it: jinja2 and minijinja differ in which are meant.
fn uses(value: &[Word<'_>], before: &[&str], name: &str) -> Result<(), String> {
    let used = |word: &Word<'_>| matches!(word, Word::Name(name) if before.contains(name));
    match value.iter().find(|word| used(word)) {
        Some(Word::Name(other)) => Err(format!(
            "{name} is made of {other} beside it, which is not supported"
        )),
        _ => Ok(()),
    }
}
