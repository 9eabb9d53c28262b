//! Where in a file each setting stands.

use crate::error::Error;
use std::collections::BTreeMap;
use toml::Table;
use toml::de::{DeTable, DeValue};

/// The values of a TOML text, and the line of each name in it, counted from 1.
///
/// # Errors
///
/// Where it is not TOML, with the line.
pub(super) fn lines(name: &str, text: &str) -> Result<(Table, BTreeMap<String, usize>), Error> {
    let line = |at: usize| {
        let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    };
    let wrong = |error: toml::de::Error| Error::Setting {
        place: match error.span() {
            Some(span) => format!("{name}:{}", line(span.start)),
            None => name.to_string(),
        },
        message: error.message().replace('\n', ", "),
    };
    let values: Table = toml::from_str(text).map_err(wrong)?;
    let spans = DeTable::parse(text).map_err(wrong)?;
    let mut lines = BTreeMap::new();
    walk(spans.get_ref(), "", &mut |path, at| {
        lines.insert(path, line(at));
    });
    Ok((values, lines))
}

fn walk(table: &DeTable<'_>, above: &str, found: &mut dyn FnMut(String, usize)) {
    for (key, value) in table {
        let path = match above {
            "" => key.get_ref().to_string(),
            above => format!("{above}.{}", key.get_ref()),
        };
        found(path.clone(), key.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => walk(inner, &path, found),
            DeValue::Array(all) => {
                for (i, one) in all.iter().enumerate() {
                    let path = format!("{path}.{i}");
                    found(path.clone(), one.span().start);
                    if let DeValue::Table(inner) = one.get_ref() {
                        walk(inner, &path, found);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_lines() {
        let text = "seed = 1\n\n[method]\n# why\nname = \"dpo\"\nkl = { scope = \"window\" }\n";
        let (values, lines) = lines("x.toml", text).unwrap();
        assert_eq!(values["seed"].as_integer(), Some(1));
        let of = |name: &str| lines[name];
        assert_eq!((of("seed"), of("method"), of("method.name")), (1, 3, 5));
        assert_eq!(of("method.kl.scope"), 6);
        let text = "[[parts]]\nweight = 1\n\n[[parts]]\nbeta = 1\n";
        let (_, lines) = super::lines("x.toml", text).unwrap();
        assert_eq!((lines["parts.0.weight"], lines["parts.1.beta"]), (2, 5));
        let error = super::lines("x.toml", "a = 1\nb = \n").unwrap_err();
        assert!(error.to_string().starts_with("x.toml:2: "), "{error}");
    }
}
