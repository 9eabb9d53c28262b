//! Expressions of jinja2, written so that minijinja computes the same.
//!
//! Where both agree an expression stays as it is. Where they do not, or where minijinja has no
//! bound, an operator becomes a call of one of the library's functions: `a ~ b` is written
//! `__join__(a, b)`.

use super::lexer::{Word, words};
use super::literal::{escaped, literal};

/// Brackets and signs within each other.
const DEEPEST: usize = 100;
/// Words of one tag.
const LONGEST: usize = 10_000;

/// What stands in one tag, read from left to right.
pub(super) struct Reader<'s> {
    words: Vec<Word<'s>>,
    pub(super) at: usize,
    depth: usize,
    /// Whether a list or mapping is made, which may hold what it is made of.
    pub(super) builds: bool,
}

pub(super) type Written = Result<String, String>;

impl<'s> Reader<'s> {
    pub(super) fn new(source: &'s str) -> Result<Self, String> {
        let words = words(source)?;
        if words.len() > LONGEST {
            return Err(format!(
                "has {} words, at most {LONGEST} are read",
                words.len()
            ));
        }
        Ok(Self {
            words,
            at: 0,
            depth: 0,
            builds: false,
        })
    }

    pub(super) fn peek(&self) -> Word<'s> {
        self.words.get(self.at).copied().unwrap_or(Word::End)
    }

    pub(super) fn second(&self) -> Word<'s> {
        self.words.get(self.at + 1).copied().unwrap_or(Word::End)
    }

    pub(super) fn next(&mut self) -> Word<'s> {
        let word = self.peek();
        self.at += 1;
        word
    }

    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Word::Sign(found) if found == sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn word(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Word::Name(word) if word == name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn name(&mut self) -> Result<&'s str, String> {
        match self.next() {
            Word::Name(name) => Ok(name),
            other => Err(unexpected(other, "a name")),
        }
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) {
            return Ok(());
        }
        Err(unexpected(self.peek(), &format!("`{sign}`")))
    }

    /// How many words are read.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Those read since then.
    pub(super) fn since(&self, place: usize) -> &[Word<'s>] {
        &self.words[place..self.at.min(self.words.len())]
    }

    pub(super) fn end(&self) -> Result<(), String> {
        match self.peek() {
            Word::End => Ok(()),
            other => Err(unexpected(other, "the end of the tag")),
        }
    }

    /// One expression, or several with commas between them: a tuple.
    pub(super) fn tuple(&mut self, conditions: bool) -> Written {
        let first = self.one(conditions)?;
        if self.peek() != Word::Sign(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.sign(",") {
            let over = [")", "]", "}"].map(Word::Sign).contains(&self.peek());
            if over || matches!(self.peek(), Word::End | Word::Sign("=") | Word::Name("in")) {
                break;
            }
            items.push(self.one(conditions)?);
        }
        self.builds = true;
        let comma = if items.len() == 1 { "," } else { "" };
        Ok(format!("({}{comma})", items.join(", ")))
    }

    fn one(&mut self, conditions: bool) -> Written {
        if conditions {
            self.expression()
        } else {
            self.or()
        }
    }

    pub(super) fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("is nested more than {DEEPEST} deep"));
        }
        let written = inside(self);
        self.depth -= 1;
        written
    }

    pub(super) fn expression(&mut self) -> Written {
        self.deeper(|words| {
            let mut value = words.or()?;
            while words.word("if") {
                let test = words.or()?;
                value = format!("{value} if {test}");
                if words.word("else") {
                    let other = words.expression()?;
                    value = format!("{value} else {other}");
                }
                value = format!("({value})");
            }
            Ok(value)
        })
    }

    pub(super) fn or(&mut self) -> Written {
        let mut left = self.and()?;
        while self.word("or") {
            left = format!("{left} or {}", self.and()?);
        }
        Ok(left)
    }

    fn and(&mut self) -> Written {
        let mut left = self.not()?;
        while self.word("and") {
            left = format!("{left} and {}", self.not()?);
        }
        Ok(left)
    }

    fn not(&mut self) -> Written {
        if self.word("not") {
            return self.deeper(|words| Ok(format!("not {}", words.not()?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Written {
        let mut parts = vec![self.sum()?];
        loop {
            let sign = match self.peek() {
                Word::Sign(sign @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => sign,
                Word::Name("in") => "in",
                Word::Name("not") if self.second() == Word::Name("in") => {
                    self.at += 1;
                    "not in"
                }
                _ => break,
            };
            self.at += 1;
            parts.push(format!("'{sign}'"));
            parts.push(self.sum()?);
        }
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        Ok(format!("__compare__({})", parts.join(", ")))
    }

    fn sum(&mut self) -> Written {
        let mut left = self.joined()?;
        while let Word::Sign(sign @ ("+" | "-")) = self.peek() {
            self.at += 1;
            self.builds = true;
            left = format!("{left} {sign} {}", self.joined()?);
        }
        Ok(left)
    }

    fn joined(&mut self) -> Written {
        let mut parts = vec![self.product()?];
        while self.sign("~") {
            parts.push(self.product()?);
        }
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        Ok(format!("__join__({})", parts.join(", ")))
    }

    fn product(&mut self) -> Written {
        let mut left = self.power()?;
        while let Word::Sign(sign @ ("*" | "/" | "//" | "%")) = self.peek() {
            self.at += 1;
            self.builds = true;
            let right = self.power()?;
            left = match sign {
                "%" => format!("__mod__({left}, {right})"),
                _ => format!("{left} {sign} {right}"),
            };
        }
        Ok(left)
    }

    fn power(&mut self) -> Written {
        let mut left = self.unary(true)?;
        while self.sign("**") {
            left = format!("{left} ** {}", self.unary(true)?);
        }
        Ok(left)
    }

    fn unary(&mut self, filters: bool) -> Written {
        let value = if self.sign("-") {
            self.deeper(|words| Ok(format!("-{}", words.unary(false)?)))?
        } else if self.sign("+") {
            self.deeper(|words| Ok(format!("__positive__({})", words.unary(false)?)))?
        } else {
            self.primary()?
        };
        let value = self.postfix(value)?;
        if filters {
            self.filters(value)
        } else {
            Ok(value)
        }
    }

    pub(super) fn primary(&mut self) -> Written {
        match self.next() {
            Word::Name(name @ ("varargs" | "kwargs" | "self")) => {
                Err(format!("{name} is not supported"))
            }
            Word::Name(name) if !["not", "and", "or", "in", "is", "if", "else"].contains(&name) => {
                Ok(name.to_string())
            }
            Word::Number(number) => Ok(number.to_string()),
            Word::Text(text) => {
                let mut whole = literal(text)?;
                while let Word::Text(text) = self.peek() {
                    self.at += 1;
                    whole += &literal(text)?;
                }
                Ok(format!("'{}'", escaped(&whole)))
            }
            Word::Sign("(") => self.deeper(|words| {
                if words.sign(")") {
                    return Ok("()".into());
                }
                let inside = words.tuple(true)?;
                words.expect(")")?;
                Ok(if inside.starts_with('(') && inside.ends_with(",)") {
                    inside
                } else {
                    format!("({inside})")
                })
            }),
            Word::Sign("[") => self.deeper(|words| {
                words.builds = true;
                let items = words.items("]", Self::expression)?;
                Ok(format!("[{items}]"))
            }),
            Word::Sign("{") => self.deeper(|words| {
                words.builds = true;
                let items = words.items("}", |words| {
                    let key = words.expression()?;
                    words.expect(":")?;
                    Ok(format!("{key}, {}", words.expression()?))
                })?;
                Ok(format!("__mapping__({items})"))
            }),
            other => Err(unexpected(other, "an expression")),
        }
    }

    /// Items up to a bracket, with commas between them.
    pub(super) fn items(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Written,
    ) -> Written {
        let mut items = Vec::new();
        while !self.sign(close) {
            if !items.is_empty() {
                self.expect(",")?;
                if self.sign(close) {
                    break;
                }
            }
            items.push(item(self)?);
        }
        Ok(items.join(", "))
    }
}

pub(super) fn unexpected(word: Word<'_>, expected: &str) -> String {
    let got = match word {
        Word::End => return format!("unexpected end of a tag, expected {expected}"),
        Word::Name(word) | Word::Text(word) | Word::Number(word) | Word::Sign(word) => word,
    };
    format!("unexpected `{got}`, expected {expected}")
}
