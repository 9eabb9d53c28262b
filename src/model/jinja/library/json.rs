//! JSON as Python writes it.

use super::args::{Args, bind, flag};
use super::objects::{Lazy, Range};
use super::sink::{Sink, deeper, refused};
use super::text::float;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

/// JSON as Python's `json.dumps` writes it, with its `ensure_ascii`, `indent`, `separators` and
/// `sort_keys`; nothing is escaped for HTML.
pub(super) fn tojson(state: &State, value: Value, args: Args) -> Result<String, Error> {
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let [ascii, indent, separators, sort] = bind(&args.into_values(), names)?;
    let indent = match indent {
        Some(indent) if indent.is_none() => None,
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.to_string(),
            None => {
                let mut spaces = Sink::new(state);
                spaces.repeat(" ", super::args::width(&Some(indent), 0)?)?;
                spaces.text
            }
        }),
        None => None,
    };
    let separators = match separators.filter(|separators| !separators.is_none()) {
        Some(given) => {
            let given: Vec<Value> = given.try_iter()?.collect();
            match given.iter().map(Value::as_str).collect::<Vec<_>>()[..] {
                [Some(item), Some(key)] => (item.to_string(), key.to_string()),
                _ => return Err(refused("tojson's separators must be two texts")),
            }
        }
        None if indent.is_some() => (",".into(), ": ".into()),
        None => (", ".into(), ": ".into()),
    };
    let mut json = Json {
        indent,
        separators,
        ascii: flag(&ascii, false),
        sort: flag(&sort, false),
        sink: Sink::new(state),
        state,
    };
    json.value(&value, 0)?;
    Ok(json.sink.text)
}

struct Json<'s, 'a, 'b> {
    indent: Option<String>,
    separators: (String, String),
    ascii: bool,
    sort: bool,
    sink: Sink<'s, 'a, 'b>,
    state: &'s State<'a, 'b>,
}

impl Json<'_, '_, '_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let depth = deeper(depth)?;
        if let Some(text) = value.as_str() {
            return self.text(text);
        }
        let other = value.downcast_object_ref::<Lazy>().is_some()
            || value.downcast_object_ref::<Range>().is_some();
        match value.kind() {
            ValueKind::None | ValueKind::Bool | ValueKind::Number => self.sink.push(&plain(value)?),
            ValueKind::Seq | ValueKind::Iterable if !other => {
                self.sink.push("[")?;
                let mut count = 0;
                for item in value.try_iter()?.checked() {
                    self.item(count, depth)?;
                    self.value(&item?, depth)?;
                    count += 1;
                }
                self.close(count, depth, "]")
            }
            ValueKind::Map => {
                self.sink.push("{")?;
                let mut keys: Vec<(Value, Value)> =
                    value.try_iter()?.map(|k| (k.clone(), k)).collect();
                if self.sort {
                    keys = super::compare::sorted(self.state, keys, false)?;
                }
                for (count, (key, _)) in keys.iter().enumerate() {
                    self.item(count, depth)?;
                    match key.as_str() {
                        Some(text) => self.text(text)?,
                        None => self.text(&plain(key)?)?,
                    }
                    let colon = self.separators.1.clone();
                    self.sink.push(&colon)?;
                    self.value(&value.get_item(key)?, depth)?;
                }
                self.close(keys.len(), depth, "}")
            }
            other => Err(refused(format!("{other} is not JSON"))),
        }
    }

    /// What stands before an item.
    fn item(&mut self, count: usize, depth: usize) -> Result<(), Error> {
        if count > 0 {
            let comma = self.separators.0.clone();
            self.sink.push(&comma)?;
        }
        self.line(depth)
    }

    fn line(&mut self, depth: usize) -> Result<(), Error> {
        let Some(indent) = self.indent.clone() else {
            return Ok(());
        };
        self.sink.push("\n")?;
        self.sink.repeat(&indent, depth)
    }

    fn close(&mut self, count: usize, depth: usize, bracket: &str) -> Result<(), Error> {
        if count > 0 {
            self.line(depth - 1)?;
        }
        self.sink.push(bracket)
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        super::sink::charge(self.state, 8 * text.len())?;
        let quoted = serde_json::Value::from(text).to_string();
        if !self.ascii {
            return self.sink.push(&quoted);
        }
        let mut escaped = String::with_capacity(quoted.len());
        for c in quoted.chars() {
            if c <= '~' {
                escaped.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped += &format!("\\u{unit:04x}");
            }
        }
        self.sink.push(&escaped)
    }
}

/// What is no text, list or mapping.
fn plain(value: &Value) -> Result<String, Error> {
    Ok(match value.kind() {
        ValueKind::None => "null".into(),
        ValueKind::Bool => value.to_string().to_lowercase(),
        ValueKind::Number if value.is_integer() => value.to_string(),
        ValueKind::Number => match f64::try_from(value.clone())? {
            nan if nan.is_nan() => "NaN".into(),
            endless if endless.is_infinite() && endless > 0.0 => "Infinity".into(),
            endless if endless.is_infinite() => "-Infinity".into(),
            number => float(number),
        },
        other => return Err(refused(format!("{other} is no key of JSON"))),
    })
}
