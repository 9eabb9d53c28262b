//! Several answers to a prompt in a list, each with a rank or a score, or with a list of those
//! beside.

use crate::data::example::Prompt;
use crate::data::read::formats::form::{Form, Format};
use crate::data::read::row::asked::asked;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::names::PROMPT;
use crate::data::read::row::parsed::{Feedback, Parsed, Wrong};
use crate::data::read::row::ranked::Ranked;
use crate::data::read::row::transcript;
use crate::data::read::rows::shown;
use crate::data::reason::DropReason;
use crate::model::Message;
use serde_json::Value;

/// Columns that hold the answers.
const ANSWERS: [&str; 5] = [
    "answers",
    "responses",
    "completions",
    "outputs",
    "candidates",
];
/// What an answer's text is called in it.
const TEXTS: [&str; 6] = [
    "answer",
    "response",
    "completion",
    "output",
    "text",
    "content",
];
/// What says how good an answer is; higher is better.
const SCORES: [&str; 5] = ["score", "rating", "reward", "overall_score", "votes"];
/// The lists beside the answers.
const LISTS: [&str; 5] = ["scores", "ratings", "rewards", "rating", "reward"];
/// What says its place; lower is better.
const RANK: &str = "rank";
const RANKS: &str = "ranks";

pub(super) const FORM: Form = Form {
    format: Format::Ranking,
    name: "ranking",
    recognises: |columns| {
        let has_prompt = columns.knows(&PROMPT);
        has_prompt && answers(columns).is_some_and(|(_, list)| is_judged(columns, list))
    },
    reads: &[
        "prompt",
        "input",
        "context",
        "history",
        "system",
        "tools",
        "answers",
        "responses",
        "completions",
        "outputs",
        "candidates",
        "scores",
        "ratings",
        "rewards",
        "rating",
        "reward",
        "ranks",
    ],
    // Of Nectar.
    beside: &["turns", "num_responses", "source", "good_natured"],
    unweighted: Some("rows without a label"),
    parse: |columns, _| parse(columns),
};

/// The column of the answers, and what is in it.
fn answers<'r>(columns: &Columns<'r>) -> Option<(&'static str, &'r [Value])> {
    ANSWERS.iter().find_map(|name| {
        let list = columns.row.get(*name)?.as_array()?;
        (!list.is_empty()).then_some((*name, list.as_slice()))
    })
}

fn is_judged(columns: &Columns<'_>, answers: &[Value]) -> bool {
    let of_each = |answer: &Value| {
        let has = |name: &str| answer.get(name).is_some();
        has(RANK) || SCORES.iter().any(|name| has(name))
    };
    let is_list = |name: &str| columns.row.get(name).is_some_and(Value::is_array);
    match answers.iter().all(Value::is_string) {
        true => LISTS.iter().chain([&RANKS]).any(|name| is_list(name)),
        false => answers.iter().any(of_each),
    }
}

fn parse(columns: &Columns<'_>) -> Result<Vec<Parsed>, Wrong> {
    let (name, list) = answers(columns).ok_or("answers are missing")?;
    columns.looked_at(&[name]);
    let prompt = match asked(columns)?.ok_or(DropReason::EmptyPrompt)? {
        // A transcript that waits for its answer.
        Prompt::Text(text) if transcript::begins(&text) => {
            let mut turns = transcript::messages(&text)?;
            let last = turns.last();
            if last.is_some_and(|last| last.role == "assistant" && last.content.is_empty()) {
                turns.pop();
            }
            turns.into()
        }
        Prompt::Text(text) if text.trim().is_empty() => return Err(DropReason::EmptyPrompt.into()),
        Prompt::Text(text) => vec![Message::new("user", text)].into(),
        prompt => prompt,
    };
    let beside = beside(columns, list.len())?;
    let (mut answers, mut parsed) = (Vec::new(), Vec::new());
    for (i, answer) in list.iter().enumerate() {
        let text = match TEXTS
            .iter()
            .find_map(|name| answer.get(*name).filter(|text| !text.is_null()))
            .or_else(|| TEXTS.iter().find_map(|name| answer.get(*name)))
            .unwrap_or(answer)
        {
            Value::String(text) => text,
            Value::Null => "",
            other => {
                let got = shown(other);
                return Err(format!("an answer in \"{name}\" must be a text, got {got}").into());
            }
        };
        if text.trim().is_empty() {
            parsed.push(Parsed::Dropped(DropReason::EmptyCompletion));
            continue;
        }
        let score = match &beside {
            Some(scores) => scores[i],
            None => score(answer)?,
        };
        match score {
            None => parsed.push(Parsed::Dropped(DropReason::AnswerUnrated)),
            score => answers.push((text.to_string(), score)),
        }
    }
    if !answers.is_empty() {
        parsed.push(Parsed::Kept(Feedback::Ranked(Ranked { prompt, answers })));
    }
    Ok(parsed)
}

/// How good an answer says that it is; of ranks the negative.
fn score(answer: &Value) -> Result<Option<f64>, Wrong> {
    let given = |column| {
        let value = answer.get(column).filter(|value| !value.is_null())?;
        Some(Cell { column, value })
    };
    if let Some(rank) = given(RANK) {
        return rank.number().map(|rank| Some(-rank));
    }
    SCORES
        .iter()
        .find_map(|name| given(name))
        .map(Cell::number)
        .transpose()
}

/// How good each answer is, by a list beside them.
fn beside(columns: &Columns<'_>, answers: usize) -> Result<Option<Vec<Option<f64>>>, Wrong> {
    let names = LISTS.iter().chain([&RANKS]);
    let is_list = |name: &&&str| {
        let name: &str = name;
        columns.row.get(name).is_some_and(Value::is_array)
    };
    let Some(name) = names.into_iter().find(is_list) else {
        return Ok(None);
    };
    let cell = columns.required(name)?;
    let list = cell.value.as_array().map_or(&[][..], Vec::as_slice);
    if list.len() != answers {
        return Err(cell.must_be(&format!("a list of {answers}, one an answer")));
    }
    let number = |value: &Value| {
        let cell = Cell { value, ..cell };
        let number = Some(cell)
            .filter(|cell| cell.is_given())
            .map(Cell::number)
            .transpose()?;
        Ok(number.map(|number| if *name == RANKS { -number } else { number }))
    };
    list.iter().map(number).collect::<Result<_, _>>().map(Some)
}
