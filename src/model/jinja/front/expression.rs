//! Expressions of jinja2, written so that minijinja computes the same.
//!
//! Where both agree an expression stays as it is. Where they do not, or where minijinja has no
//! bound, an operator becomes a call of one of the library's functions: `a ~ b` is written
//! `__join__(a, b)`.

use super::lexer::{Word, words};

/// Brackets and signs within each other.
const DEEPEST: usize = 100;
/// Words of one tag.
const LONGEST: usize = 10_000;

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

/// What stands in one tag, read from left to right.
pub(super) struct Reader<'s> {
    words: Vec<Word<'s>>,
    at: usize,
    depth: usize,
    /// Whether a list or mapping is made, which may hold what it is made of.
    pub(super) builds: bool,
}

type Written = Result<String, String>;

/// What stands in brackets behind a value.
struct Subscript {
    slice: bool,
    inside: String,
}

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

    fn second(&self) -> Word<'s> {
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

    fn deeper<T>(
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

    fn primary(&mut self) -> Written {
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
    fn items(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> Written) -> Written {
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

    fn filters(&mut self, mut value: String) -> Written {
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

pub(super) fn unexpected(word: Word<'_>, expected: &str) -> String {
    let got = match word {
        Word::End => return format!("unexpected end of a tag, expected {expected}"),
        Word::Name(word) | Word::Text(word) | Word::Number(word) | Word::Sign(word) => word,
    };
    format!("unexpected `{got}`, expected {expected}")
}

/// What a text in quotes says, by Python's rules.
fn literal(quoted: &str) -> Written {
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
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "\\'");
    text.replace('\n', "\\n").replace('\r', "\\r")
}
