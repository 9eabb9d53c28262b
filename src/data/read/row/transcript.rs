//! Transcripts as Anthropic-HH writes them.

use crate::data::read::row::parsed::Wrong;
use crate::model::Message;

const MARKERS: [(&str, &str); 2] = [("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")];

/// Whether a text begins as a transcript does.
pub(in crate::data) fn begins(text: &str) -> bool {
    text.starts_with(MARKERS[0].0)
}

/// The turns of `\n\nHuman: …\n\nAssistant: …`, in order.
///
/// Only the whole markers split: `Human:` also occurs inside of turns, and `\n\nHuman:s` is a word.
/// A space, a line's end or the text's end is behind a marker: a turn may be empty. Roles are what
/// the markers say, not every other one: turns of the assistant may follow each other. Turns are
/// trimmed.
pub(in crate::data) fn messages(text: &str) -> Result<Vec<Message>, Wrong> {
    let mut starts: Vec<(usize, usize, &str)> = Vec::new();
    for (marker, role) in MARKERS {
        let found = text.match_indices(marker);
        let found = found.map(|(at, _)| (at, at + marker.len(), role));
        starts.extend(found.filter(|(_, end, _)| {
            let next = text[*end..].chars().next();
            next.is_none_or(|next| next == ' ' || next == '\n')
        }));
    }
    starts.sort_unstable();
    match starts.first() {
        Some((0, _, "user")) => {}
        _ => {
            return Err(
                "a transcript must begin with \"\\n\\nHuman:\"; for other texts add a \"prompt\" column"
                    .into(),
            );
        }
    }
    let ends = starts
        .iter()
        .skip(1)
        .map(|(at, ..)| *at)
        .chain([text.len()]);
    let turns = starts.iter().zip(ends);
    Ok(turns
        .map(|((_, start, role), end)| Message::new(*role, text[*start..end].trim()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_markers_split() {
        let turns = messages("\n\nHuman: a Human: b\n\nAssistant: c\n\nAssistant: d").unwrap();
        let turns: Vec<_> = turns
            .iter()
            .map(|m| (m.role.as_str(), m.content.as_str()))
            .collect();
        assert_eq!(
            turns,
            [
                ("user", "a Human: b"),
                ("assistant", "c"),
                ("assistant", "d")
            ]
        );
    }

    #[test]
    fn markers_end_in_a_space_a_line_or_the_text() {
        let roles = |text: &str| -> Vec<String> {
            let turns = messages(text).unwrap().into_iter();
            turns.map(|m| format!("{}={}", m.role, m.content)).collect()
        };
        assert_eq!(
            roles("\n\nHuman: a\n\nAssistant:\n\nHuman: b\n\nAssistant:"),
            ["user=a", "assistant=", "user=b", "assistant="]
        );
        assert_eq!(
            roles("\n\nHuman:\na\n\nHuman:s err\n\nAssistant:b"),
            ["user=a\n\nHuman:s err\n\nAssistant:b"]
        );
    }

    #[test]
    fn an_empty_turn_is_a_turn_and_other_texts_are_refused() {
        let turns = messages("\n\nHuman: a\n\nAssistant: ").unwrap();
        assert_eq!(turns[1], Message::new("assistant", ""));
        assert!(messages("Human: a").is_err());
        assert!(messages("").is_err());
        assert!(messages("\n\nAssistant: a").is_err());
    }
}
