//! Two answers to a prompt and a verdict on them: by name, by index, by scores.

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::formats::sides::{Sides, Verdict};
use crate::data::read::row::answer::Answer;
use crate::data::read::row::asked::asked;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::names::{CHOSEN, COMPLETION, MESSAGES, PROMPT, REJECTED};
use crate::data::read::row::pair::pair;
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::read::row::written;
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;

pub(super) const FORM: Form = Form {
    format: Format::Verdict,
    name: "verdict",
    recognises: |columns| {
        let own = |column: &str| columns.has(&[column]);
        // What is preferred may be a verdict, where nothing stands against it.
        let is_pair = columns.gives(&CHOSEN) && columns.gives(&REJECTED);
        let is_other = own(COMPLETION.name) || own(MESSAGES.name) || is_pair;
        !is_other && Sides::of(columns).is_some_and(|sides| sides.are_judged(columns))
    },
    reads: &[
        "prompt",
        "input",
        "context",
        "history",
        "system",
        "tools",
        "response_0",
        "response_1",
        "better_response_id",
        "conversation_a",
        "conversation_b",
        "response_a",
        "response_b",
        "winner",
        "winner_model_a",
        "winner_model_b",
        "winner_tie",
        "answer_a",
        "answer_b",
        "score_a",
        "score_b",
    ],
    // Of PKU-SafeRLHF and of the Chatbot Arena.
    beside: &[
        "is_response_0_safe",
        "is_response_1_safe",
        "safer_response_id",
        "response_0_sha256",
        "response_1_sha256",
        "response_0_severity_level",
        "response_1_severity_level",
        "response_0_harm_category",
        "response_1_harm_category",
        "prompt_source",
        "response_0_source",
        "response_1_source",
        "question_id",
        "model_a",
        "model_b",
        "judge",
        "turn",
        "anony",
        "language",
        "tstamp",
        "openai_moderation",
        "toxic_chat_tag",
        "id",
    ],
    unweighted: Some("pairs"),
    parse: |columns, _| Ok(vec![parse(columns)?]),
};

fn parse(columns: &Columns<'_>) -> Result<Parsed, Wrong> {
    let sides = Sides::of(columns).ok_or("two answers are missing")?;
    let first_is_better = match sides.verdict(columns)? {
        Verdict::First => true,
        Verdict::Second => false,
        Verdict::Tie => return Ok(Parsed::Dropped(DropReason::Tie)),
        Verdict::Missing => return Ok(Parsed::Dropped(DropReason::NoVerdict)),
    };
    let (prompt, a, b) = said(columns, &sides)?;
    match first_is_better {
        true => pair(&prompt, a, b),
        false => pair(&prompt, b, a),
    }
}

/// What was asked, and both answers. Without a prompt the answers are whole conversations.
fn said(columns: &Columns<'_>, sides: &Sides<'_>) -> Result<(Prompt, Answer, Answer), Wrong> {
    let [a, b] = [columns.required(sides.a)?, columns.required(sides.b)?];
    let prompt = columns.row.get(PROMPT.name);
    let asked_by_turns = prompt.map_or(Ok(None), |value| texts(PROMPT.name, value))?;
    if let Some(asked) = asked_by_turns {
        columns.looked_at(&[PROMPT.name]);
        let none = Prompt::Messages(Vec::new());
        return Ok((none, by_turns(&asked, a)?, by_turns(&asked, b)?));
    }
    let prompt = match asked(columns)? {
        Some(Prompt::Text(text)) if text.trim().is_empty() => {
            return Err(DropReason::EmptyPrompt.into());
        }
        Some(Prompt::Text(text)) => Prompt::Messages(vec![Message::new("user", text)]),
        Some(prompt) => prompt,
        None if a.value.is_string() && !a.read()?.is_array() => {
            columns.needs(&PROMPT)?;
            Prompt::Messages(Vec::new())
        }
        None => Prompt::Messages(Vec::new()),
    };
    Ok((prompt, Answer::of(a)?, Answer::of(b)?))
}

/// A list of texts, one a turn, or the same as text; `None` where it is something else.
fn texts(column: &str, value: &Value) -> Result<Option<Vec<Option<String>>>, Wrong> {
    let list = match value {
        Value::String(text) => written::list(text, column)?,
        value => Some(value.clone()),
    };
    let Some(Value::Array(items)) = list else {
        return Ok(None);
    };
    let text = |item: &Value| match item {
        Value::String(text) => Some(Some(text.clone())),
        Value::Null => Some(None),
        _ => None,
    };
    let all: Option<Vec<_>> = items.iter().map(text).collect();
    Ok(all.filter(|all| !all.is_empty()))
}

/// A conversation of what was asked and what this side answered, turn by turn.
fn by_turns(asked: &[Option<String>], side: Cell<'_>) -> Result<Answer, Wrong> {
    let answered = texts(side.column, side.value)?;
    let answered = answered.ok_or_else(|| side.must_be("a list of texts, as \"prompt\" is"))?;
    if answered.len() != asked.len() {
        let must = format!("a list of {} texts, as \"prompt\" is", asked.len());
        return Err(side.must_be(&must));
    }
    let mut messages = Vec::new();
    for (question, answer) in asked.iter().zip(&answered) {
        let question = question.as_deref().ok_or(DropReason::EmptyPrompt)?;
        let answer = answer.as_deref().ok_or(DropReason::EmptyCompletion)?;
        messages.push(Message::new("user", question));
        messages.push(Message::new("assistant", answer));
    }
    Answer::last(messages)
}
