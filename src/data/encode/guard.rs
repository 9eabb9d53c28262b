//! What people wrote stays text, whatever it spells.
//!
//! A chat template puts special tokens between turns, and a tokenizer knows them by their text.
//! Feedback that spells such a text would end its turn and begin another. So it is marked before
//! the template writes it, and what stands between the marks is tokenized as text.

use super::marks::{Spellings, is_word};
use crate::data::example::Prompt;
use crate::model::{ChatTemplate, Message, TOOLS, Tokenizer};
use serde_json::json;
use std::borrow::Cow;

/// Marks special tokens in what people wrote.
pub(super) struct Guard {
    /// In what the assistant says: tokens that are special.
    answers: Spellings,
    /// In all else: also those that the template writes. They end turns too, but an assistant may
    /// have them on purpose, such as `<think>`.
    others: Spellings,
}

impl Guard {
    pub(super) fn new(tokenizer: &dyn Tokenizer, template: &dyn ChatTemplate) -> Self {
        let (special, added) = (tokenizer.special_tokens(), tokenizer.added_tokens());
        let template = template.definition().unwrap_or_default();
        let written = |token: &String| {
            // A definition may be JSON.
            let quoted = json!(token).to_string();
            let found = template.contains(token) || template.contains(quoted.trim_matches('"'));
            found && !token.trim().is_empty() && !is_word(token)
        };
        let marks = added.iter().filter(|token| written(token)).cloned();
        let folded = tokenizer.folded_tokens();
        let others = special.iter().cloned().chain(marks).collect();
        Self {
            answers: Spellings::new(special, &added, &folded),
            others: Spellings::new(others, &added, &folded),
        }
    }

    /// Without any special token.
    pub(super) fn off() -> Self {
        let none = || Spellings::new(Vec::new(), &[], &[]);
        Self {
            answers: none(),
            others: none(),
        }
    }

    /// What the assistant says, with marks; and whether it spells a token that is marked.
    pub(super) fn text<'t>(&self, text: &'t str) -> (Cow<'t, str>, bool) {
        self.answers.mark(text)
    }

    /// The prompt with marks, and whether it spells a token that is marked.
    pub(super) fn prompt<'p>(&self, prompt: &'p Prompt) -> (Cow<'p, Prompt>, bool) {
        match prompt {
            Prompt::Text(text) => match self.others.mark(text) {
                (Cow::Owned(text), found) => (Cow::Owned(Prompt::Text(text)), found),
                (Cow::Borrowed(_), found) => (Cow::Borrowed(prompt), found),
            },
            Prompt::Messages(messages) => match self.messages(messages) {
                (Cow::Owned(marked), found) => (Cow::Owned(Prompt::Messages(marked)), found),
                (Cow::Borrowed(_), found) => (Cow::Borrowed(prompt), found),
            },
        }
    }

    /// The messages with marks, and whether they spell a token that is marked.
    pub(super) fn messages<'m>(&self, messages: &'m [Message]) -> (Cow<'m, [Message]>, bool) {
        let mut found = false;
        let marked = messages.iter().map(|m| self.message(m, &mut found));
        let marked: Vec<_> = marked.collect();
        if marked.iter().all(Option::is_none) {
            return (Cow::Borrowed(messages), found);
        }
        let marked = messages.iter().zip(marked);
        let marked = marked.map(|(m, marked)| marked.unwrap_or_else(|| m.clone()));
        (Cow::Owned(marked.collect()), found)
    }

    /// The message with marks, if it needs any.
    fn message(&self, message: &Message, found: &mut bool) -> Option<Message> {
        let tokens = match message.role.as_str() {
            "assistant" => &self.answers,
            _ => &self.others,
        };
        let mut marked = message.clone();
        let mut changed = tokens.replace(&mut marked.content, found);
        for (key, value) in &mut marked.extra {
            // No assistant wrote those.
            let tokens = if key == TOOLS { &self.others } else { tokens };
            changed |= tokens.value(value, found);
        }
        changed.then_some(marked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(marked: &[&str]) -> Spellings {
        let marked = marked.iter().map(|text| text.to_string()).collect();
        Spellings::new(marked, &[], &[])
    }

    fn guard(special: &[&str], others: &[&str]) -> Guard {
        Guard {
            answers: spellings(special),
            others: spellings(&[special, others].concat()),
        }
    }

    #[test]
    fn calls_of_tools_are_marked_too_and_their_keys_keep_their_order() {
        let mut message = Message::new("assistant", "");
        let calls = json!([{"arguments": {"z": 1, "<s>": {"text": "<s><t>"}, "a": [2]}}]);
        message.extra.insert("tool_calls".into(), calls);
        message.extra.insert(TOOLS.into(), json!({"<t>": 1}));
        let prompt = Prompt::Messages(vec![message]);
        let (marked, found) = guard(&["<s>"], &["<t>"]).prompt(&prompt);
        let Prompt::Messages(marked) = &*marked else {
            panic!()
        };
        assert!(found);
        assert_eq!(
            json!(marked[0].extra).to_string(),
            json!({
                "tool_calls": [{"arguments": {"z": 1, "\u{FDD0}<s>\u{FDD1}": {"text": "\u{FDD0}<s>\u{FDD1}<t>"}, "a": [2]}}],
                "tools": {"\u{FDD0}<t>\u{FDD1}": 1},
            })
            .to_string()
        );
    }

    #[test]
    fn tokens_of_the_template_are_marked_but_in_what_the_assistant_says() {
        let guard = guard(&["<s>"], &["<t>"]);
        let messages = ["user", "tool", "assistant"].map(|role| Message::new(role, "<s><t>"));
        let (marked, found) = guard.messages(&messages);
        let both = "\u{FDD0}<s>\u{FDD1}\u{FDD0}<t>\u{FDD1}";
        let said = "\u{FDD0}<s>\u{FDD1}<t>";
        assert!(found);
        assert_eq!(
            marked.iter().map(|m| &m.content).collect::<Vec<_>>(),
            [both, both, said]
        );
        assert_eq!(guard.text("<s><t>").0, said);
        let prompt = Prompt::Text("<s><t>".into());
        assert_eq!(*guard.prompt(&prompt).0, Prompt::Text(both.into()));
    }

    #[test]
    fn the_longest_special_is_marked_and_marks_in_the_text_are_not_marks() {
        let guard = guard(&["<s>", "<s>>"], &[]);
        let (marked, found) = guard.text("a<s>>b<s>");
        assert_eq!(marked, "a\u{FDD0}<s>>\u{FDD1}b\u{FDD0}<s>\u{FDD1}");
        assert!(found);
        assert_eq!(guard.text("ä plain"), (Cow::Borrowed("ä plain"), false));
        let (marked, found) = guard.text("x\u{FDD0}y");
        assert_eq!((&*marked, found), ("x\u{FFFD}y", false));
        let (marked, found) = guard.text("\u{FDD1}<s>");
        assert_eq!((&*marked, found), ("\u{FFFD}\u{FDD0}<s>\u{FDD1}", true));
        assert_eq!(guard.text("").0, "");
    }
}
