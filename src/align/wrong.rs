//! What serde says of a setting, in other words.

use crate::data::nearest;

/// Where it is and what is wrong there, from the name of what was read and serde's message.
pub(super) fn describe(path: &str, message: &str) -> (String, String) {
    let message = message.trim();
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let last = path.rsplit('.').next().unwrap_or(path);
    let Some((&name, known)) = quoted.split_first() else {
        return (path.into(), format!("{last}: {message}"));
    };
    if message.starts_with("unknown field") {
        let path = match last == name {
            true => path.to_string(),
            false => format!("{path}.{name}"),
        };
        let known = known.iter().copied().filter(|known| *known != "name");
        let known: Vec<&str> = known.collect();
        let list = match known.len() {
            0 => String::new(),
            1..25 => format!(" (there are {})", known.join(", ")),
            _ => String::new(),
        };
        let nearest = nearest(name, known);
        return (path, format!("{name} is not a setting{nearest}{list}"));
    }
    if message.starts_with("unknown variant") {
        let nearest = nearest(name, known.iter().copied());
        let known = known.join(", ");
        let message = format!("{last} must be one of {known}, got {name}{nearest}");
        return (path.into(), message);
    }
    (path.into(), format!("{last}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_is_near() {
        let (path, message) = describe(
            "trainer.warmpu",
            "unknown field `warmpu`, expected one of `epochs`, `warmup`",
        );
        assert_eq!(path, "trainer.warmpu");
        assert_eq!(
            message,
            "warmpu is not a setting; did you mean warmup? (there are epochs, warmup)"
        );
        let (_, message) = describe(
            "method.variant",
            "unknown variant `hing`, expected `hinge` or `ipo`",
        );
        assert_eq!(
            message,
            "variant must be one of hinge, ipo, got hing; did you mean hinge?"
        );
        assert_eq!(nearest("kot", ["sft", "kto"]), "; did you mean kto?");
        assert_eq!(
            nearest("evaluate", ["epochs", "evaluate_every"]),
            "; did you mean evaluate_every?"
        );
        assert_eq!(nearest("lr", ["epochs", "warmup"]), "");
        let (path, message) = describe("seed", "invalid type: string \"a\", expected u64");
        assert_eq!(
            (&path[..], &message[..]),
            ("seed", "seed: invalid type: string \"a\", expected u64")
        );
    }
}
