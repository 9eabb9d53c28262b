//! Filters of texts.

use super::args::{Args, bind, flag, string, whole, width};
use super::sink::{Sink, charge, refused};
use super::text::text;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

type Filtered = Result<String, Error>;

/// What Python takes for white space.
pub(super) fn space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Lines as `str.splitlines` has them, with their ends.
pub(super) fn lines(text: &str) -> Vec<&str> {
    let ends = |c: char| matches!(c, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut lines: Vec<&str> = Vec::new();
    let (mut from, mut chars) = (0, text.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        if !ends(c) {
            continue;
        }
        let both = c == '\r' && chars.next_if(|(_, c)| *c == '\n').is_some();
        let to = at + c.len_utf8() + usize::from(both);
        lines.push(&text[from..to]);
        from = to;
    }
    if from < text.len() {
        lines.push(&text[from..]);
    }
    lines
}

/// A line without its end.
pub(super) fn bare(line: &str) -> &str {
    match line.strip_suffix("\r\n") {
        Some(line) => line,
        None => line.strip_suffix(|c: char| lines(c.encode_utf8(&mut [0; 4])).len() == 1 && {
            matches!(c, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
        }).unwrap_or(line),
    }
}

pub(super) fn trim(state: &State, value: Value, args: Args) -> Filtered {
    let [chars] = bind(&args.into_values(), ["chars"])?;
    let text = text(state, &value)?;
    Ok(match chars.filter(|chars| !chars.is_none()) {
        None => text.trim_matches(space).to_string(),
        chars => {
            let chars = string(&chars, "")?;
            charge(state, text.len().saturating_mul(chars.len()))?;
            text.trim_matches(|c| chars.contains(c)).to_string()
        }
    })
}

pub(super) fn indent(state: &State, value: Value, args: Args) -> Filtered {
    let [wide, first, blank] = bind(&args.into_values(), ["width", "first", "blank"])?;
    let value = value
        .as_str()
        .ok_or_else(|| refused("indent takes a text"))?;
    charge(state, 8 * value.len())?;
    let mut by = Sink::new(state);
    match wide.as_ref().and_then(Value::as_str) {
        Some(text) => by.push(text)?,
        None => by.repeat(" ", width(&wide, 4)?)?,
    }
    let by = by.text;
    let (first, blank) = (flag(&first, false), flag(&blank, false));
    // The end of the last line counts as one more line.
    let ended = format!("{value}\n");
    let all = lines(&ended);
    let mut sink = Sink::new(state);
    for (place, line) in all.iter().enumerate() {
        let line = bare(line);
        let indented = match place {
            0 => first,
            _ => blank || !line.is_empty(),
        };
        sink.push(if place > 0 { "\n" } else { "" })?;
        sink.push(if indented { &by } else { "" })?;
        sink.push(line)?;
    }
    Ok(sink.text)
}

pub(super) fn center(state: &State, value: Value, args: Args) -> Filtered {
    let [wide] = bind(&args.into_values(), ["width"])?;
    aligned(
        state,
        &text(state, &value)?,
        width(&wide, 80)?,
        " ",
        Side::Middle,
    )
}

/// Where a text stands in its width.
pub(super) enum Side {
    Left,
    Middle,
    Right,
}

pub(super) fn aligned(state: &State, text: &str, width: usize, fill: &str, side: Side) -> Filtered {
    if fill.chars().count() != 1 {
        return Err(refused("the fill must be one character"));
    }
    let length = text.chars().count();
    let room = width.saturating_sub(length);
    let left = match side {
        Side::Left => 0,
        Side::Right => room,
        Side::Middle => room / 2 + (room & width & 1),
    };
    let mut sink = Sink::new(state);
    sink.repeat(fill, left)?;
    sink.push(text)?;
    sink.repeat(fill, room - left)?;
    Ok(sink.text)
}

pub(super) fn truncate(value: &str, args: Args) -> Filtered {
    let names = ["length", "killwords", "end", "leeway"];
    let [length, kill, end, leeway] = bind(&args.into_values(), names)?;
    let (length, leeway) = (width(&length, 255)?, width(&leeway, 5)?);
    let end = string(&end, "...")?;
    let ends = end.chars().count();
    if length < ends {
        return Err(refused(format!("expected length >= {ends}, got {length}")));
    }
    if value.chars().count() <= length + leeway {
        return Ok(value.to_string());
    }
    let cut: String = value.chars().take(length - ends).collect();
    let words = match cut.rsplit_once(' ') {
        Some((words, _)) if !flag(&kill, false) => words,
        _ => &cut,
    };
    Ok(format!("{words}{end}"))
}

pub(super) fn wordcount(state: &State, value: Value) -> Result<usize, Error> {
    let text = text(state, &value)?;
    charge(state, 4 * text.len())?;
    let word = |c: char| c.is_alphanumeric() || c == '_';
    Ok(text
        .split(|c| !word(c))
        .filter(|word| !word.is_empty())
        .count())
}

pub(super) fn forceescape(state: &State, value: Value) -> Filtered {
    let text = text(state, &value)?;
    charge(state, 16 * text.len())?;
    let escaped = text
        .replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;");
    Ok(escaped.replace('\'', "&#39;").replace('"', "&#34;"))
}

pub(super) fn urlencode(state: &State, value: Value) -> Filtered {
    fn quote(text: &str, plain: &str, spaces: &str) -> String {
        let mut quoted = String::new();
        for byte in text.bytes() {
            match char::from(byte) {
                c if c.is_ascii_alphanumeric() || plain.contains(c) => quoted.push(c),
                ' ' => quoted += spaces,
                _ => quoted += &format!("%{byte:02X}"),
            }
        }
        quoted
    }
    if let ValueKind::Map | ValueKind::Seq | ValueKind::Iterable = value.kind() {
        let mut parts = Vec::new();
        for (key, item) in super::objects::mapping(&value)? {
            let [key, item] = [text(state, &key)?, text(state, &item)?];
            charge(state, 3 * (key.len() + item.len()))?;
            let [key, item] = [key, item].map(|text| quote(&text, "_.-~", "+"));
            parts.push(format!("{key}={item}"));
        }
        return Ok(parts.join("&"));
    }
    let text = text(state, &value)?;
    charge(state, 16 * text.len())?;
    Ok(quote(&text, "_.-~/", "%20"))
}

pub(super) fn filesizeformat(value: Value, args: Args) -> Filtered {
    let [binary] = bind(&args.into_values(), ["binary"])?;
    let bytes = number(&value).ok_or_else(|| refused("filesizeformat takes a number"))?;
    let (base, middle) = if flag(&binary, false) {
        (1024.0, "i")
    } else {
        (1000.0, "")
    };
    if bytes == 1.0 {
        return Ok("1 Byte".into());
    }
    if bytes < base {
        return Ok(format!("{} Bytes", bytes.trunc()));
    }
    let mut unit = base;
    for (place, prefix) in "kMGTPEZY".chars().enumerate() {
        let prefix = if middle.is_empty() {
            prefix
        } else {
            prefix.to_ascii_uppercase()
        };
        unit *= base;
        if bytes < unit || place == 7 {
            return Ok(format!("{:.1} {prefix}{middle}B", base * bytes / unit));
        }
    }
    Err(refused("filesizeformat takes a smaller number"))
}

/// A number, also one that is written in a text.
fn number(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::String => parsed(value.as_str()?),
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}

/// What `float` makes of a text.
fn parsed(text: &str) -> Option<f64> {
    let text = digits(text.trim_matches(space))?;
    let plain = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let named = ["inf", "infinity", "nan"].contains(&plain.as_str());
    let first = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    (named || first).then(|| text.parse().ok()).flatten()
}

/// A number with its digits as ASCII and without underlines, which stand between digits.
fn digits(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let digit = |c: &char| c.is_ascii_digit() || decimal(*c).is_some();
        match c {
            '_' => {
                let between = plain.ends_with(|c: char| c.is_ascii_hexdigit());
                if !between
                    || !chars
                        .peek()
                        .is_some_and(|c| digit(c) || c.is_ascii_hexdigit())
                {
                    return None;
                }
            }
            c => plain.push(decimal(c).unwrap_or(c)),
        }
    }
    Some(plain)
}

/// The digit that a character of another script is.
pub(super) fn decimal(c: char) -> Option<char> {
    const ZEROS: [u32; 20] = [
        0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6,
        0x0D66, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810, 0xA8D0, 0xFF10,
    ];
    let zero = ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&(c as u32)))?;
    char::from_digit(c as u32 - zero, 10)
}

pub(super) fn int(value: Value, args: Args) -> Result<Value, Error> {
    let [default, base] = bind(&args.into_values(), ["default", "base"])?;
    let default = default.unwrap_or_else(|| Value::from(0));
    let base = u32::try_from(whole(&base, 10)?).unwrap_or(0);
    if value.is_undefined() {
        return Err(refused("int takes a value, got none"));
    }
    if let Some(text) = value.as_str() {
        let text = text.trim_matches(space);
        let whole = digits(text).and_then(|text| {
            let (sign, rest) = match text.strip_prefix('-') {
                Some(rest) => ("-", rest),
                None => ("", text.strip_prefix('+').unwrap_or(&text)),
            };
            let prefix = match base {
                16 => ["0x", "0X"],
                8 => ["0o", "0O"],
                2 => ["0b", "0B"],
                _ => ["", ""],
            };
            let rest = prefix
                .iter()
                .find_map(|p| rest.strip_prefix(p))
                .unwrap_or(rest);
            let right = (2..=36).contains(&base) && !rest.starts_with(['+', '-']);
            right
                .then(|| i128::from_str_radix(&format!("{sign}{rest}"), base).ok())
                .flatten()
        });
        if let Some(whole) = whole {
            return Ok(Value::from(whole));
        }
        if text.len() > 38 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refused("a whole number has too many digits"));
        }
    }
    match number(&value) {
        Some(_) if value.is_integer() => Ok(value),
        Some(number) if number.is_finite() && number.abs() < 1e38 => {
            Ok(Value::from(number.trunc() as i128))
        }
        Some(number) if number.is_finite() => Err(refused("a whole number has too many digits")),
        _ => Ok(default),
    }
}

pub(super) fn float(value: Value, args: Args) -> Result<Value, Error> {
    let [default] = bind(&args.into_values(), ["default"])?;
    if value.is_undefined() {
        return Err(refused("float takes a value, got none"));
    }
    let default = default.unwrap_or_else(|| Value::from(0.0));
    Ok(number(&value).map_or(default, Value::from))
}
