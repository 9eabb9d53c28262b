//! JSON as Python writes it.

use minijinja::ErrorKind;
use minijinja::value::Kwargs;
use serde_json::{Value, json};

/// Wider than anybody indents, and too narrow to fill the memory.
const WIDEST: usize = 64;

/// JSON as Python's `json.dumps` writes it, with its `indent`, `sort_keys`, `separators` and
/// `ensure_ascii`; nothing is escaped for HTML.
pub(super) fn tojson(value: minijinja::Value, options: Kwargs) -> Result<String, minijinja::Error> {
    let value = serde_json::to_value(&value)
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let indent: Option<usize> = options.get("indent")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    let ascii: Option<bool> = options.get("ensure_ascii")?;
    let sorted: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    if let Some(indent) = indent.filter(|indent| *indent > WIDEST) {
        let message = format!("tojson's indent must be at most {WIDEST}, got {indent}");
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, message));
    }
    let separators = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        _ if indent.is_some() => (",".into(), ": ".into()),
        _ => (", ".into(), ": ".into()),
    };
    let json = Json {
        indent,
        separators,
        ascii: ascii == Some(true),
        sorted: sorted == Some(true),
    };
    Ok(json.text(&value, 1))
}

struct Json {
    indent: Option<usize>,
    separators: (String, String),
    ascii: bool,
    sorted: bool,
}

impl Json {
    fn text(&self, value: &Value, depth: usize) -> String {
        let item = |value: &Value| self.text(value, depth + 1);
        match value {
            Value::Array(items) => self.list(['[', ']'], items.iter().map(item).collect(), depth),
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                if self.sorted {
                    entries.sort_by_key(|(key, _)| *key);
                }
                let entry = |(key, value): (&String, &Value)| {
                    format!("{}{}{}", self.string(key), self.separators.1, item(value))
                };
                self.list(['{', '}'], entries.into_iter().map(entry).collect(), depth)
            }
            Value::String(text) => self.string(text),
            plain => plain.to_string(),
        }
    }

    fn string(&self, text: &str) -> String {
        let quoted = json!(text).to_string();
        if !self.ascii {
            return quoted;
        }
        let mut escaped = String::with_capacity(quoted.len());
        for c in quoted.chars() {
            // Python escapes DEL too. What marks special tokens in texts must stay a mark.
            if c <= '~' || ('\u{FDD0}'..='\u{FDEF}').contains(&c) {
                escaped.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped += &format!("\\u{unit:04x}");
            }
        }
        escaped
    }

    fn list(&self, [open, close]: [char; 2], items: Vec<String>, depth: usize) -> String {
        match self.indent {
            Some(indent) if !items.is_empty() => {
                let line = |depth: usize| format!("\n{}", " ".repeat(indent * depth));
                let between = format!("{}{}", self.separators.0, line(depth));
                let items = items.join(&between);
                format!("{open}{}{items}{}{close}", line(depth), line(depth - 1))
            }
            _ => format!("{open}{}{close}", items.join(&self.separators.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{ChatTemplate, JinjaTemplate};

    fn render(source: &str) -> Result<String, String> {
        let template = JinjaTemplate::new(source, "", "").unwrap();
        template.render(&[], false).map_err(|e| e.to_string())
    }

    #[test]
    fn ascii_is_escaped_as_in_python() {
        let text = render(r#"{{ {'é\u007f': '😀a\n\"'} | tojson(ensure_ascii=true) }}"#);
        assert_eq!(text.unwrap(), r#"{"\u00e9\u007f": "\ud83d\ude00a\n\""}"#);
        let text = render("{{ 'é\u{7f}' | tojson(ensure_ascii=false) }}");
        assert_eq!(text.unwrap(), "\"é\u{7f}\"");
        let text = render("{{ '\u{FDD0}é\u{FDD1}' | tojson(ensure_ascii=true) }}");
        assert_eq!(text.unwrap(), "\"\u{FDD0}\\u00e9\u{FDD1}\"");
    }

    #[test]
    fn an_indent_that_would_fill_the_memory_is_refused() {
        assert_eq!(
            render("{{ [1] | tojson(indent=64) }}").unwrap().len(),
            1 + 1 + 64 + 1 + 1 + 1
        );
        let error = render("{{ [1] | tojson(indent=99999999999999) }}").unwrap_err();
        assert_eq!(
            error,
            "cannot tokenize: the chat template says: tojson's indent must be at most 64, got 99999999999999 (line 1)"
        );
    }
}
