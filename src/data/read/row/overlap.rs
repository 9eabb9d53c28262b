//! What was asked and what an answer has before it: one may repeat the other, or go on where it
//! ends.

use crate::data::read::row::parsed::Wrong;
use crate::data::reason::DropReason;
use crate::model::Message;

/// One conversation of what was `asked` and what is said `before` an answer, in which nothing is
/// said twice. What the system says stands first and is left aside while they are compared.
///
/// # Errors
///
/// Where they are two conversations; and where `asked` was answered before, by other words than
/// those that `is_answer` knows.
pub(super) fn joined(
    asked: Vec<Message>,
    before: &[Message],
    is_answer: &dyn Fn(&str) -> bool,
) -> Result<Vec<Message>, Wrong> {
    let (systems, mut asked) = apart(asked);
    let (other_systems, before) = apart(before.to_vec());
    let systems = match (&systems[..], &other_systems[..]) {
        (_, []) => systems,
        ([], _) => other_systems,
        (these, those) if begins(these, those) && begins(those, these) => systems,
        _ => return Err(DropReason::PromptNotInConversation.into()),
    };
    if is_answered(&asked) && before.is_empty() {
        let last = asked.pop().map(|last| last.content);
        if !last.is_some_and(|last| is_answer(&last)) {
            return Err(DropReason::AlreadyAnswered.into());
        }
    }
    let first = before.first().map(|first| first.role.as_str());
    let goes_on = match first {
        None => true,
        Some("assistant") => !is_answered(&asked),
        // What a tool says to its call.
        Some(other) => asked.is_empty() || other == "tool",
    };
    let turns = match () {
        () if has(&before, &asked) => before,
        () if is_answered(&asked) && begins(&asked, &before) => before,
        () if goes_on => [asked, before].concat(),
        () => return Err(DropReason::PromptNotInConversation.into()),
    };
    Ok([systems, turns].concat())
}

/// What the system says at the beginning, and the turns behind it.
pub(super) fn apart(mut messages: Vec<Message>) -> (Vec<Message>, Vec<Message>) {
    let systems = messages.iter().take_while(|m| m.role == "system").count();
    let turns = messages.split_off(systems);
    (messages, turns)
}

/// Whether a conversation begins with these turns.
pub(super) fn begins(messages: &[Message], turns: &[Message]) -> bool {
    turns.len() <= messages.len() && turns.iter().zip(messages).all(|(a, b)| is_same(a, b))
}

/// Whether a conversation has these turns somewhere.
fn has(messages: &[Message], turns: &[Message]) -> bool {
    (0..messages.len()).any(|at| begins(&messages[at..], turns))
}

/// Whether the assistant has the last word; a call of a tool is none.
fn is_answered(messages: &[Message]) -> bool {
    let last = messages.last();
    last.is_some_and(|last| last.role == "assistant" && !last.extra.contains_key("tool_calls"))
}

/// Whether the same is said by the same, up to space around it.
fn is_same(a: &Message, b: &Message) -> bool {
    let calls = |message: &Message| message.extra.get("tool_calls").cloned();
    a.role == b.role && a.content.trim() == b.content.trim() && calls(a) == calls(b)
}
