//! The tokenizers library behind a guard: what panics or never ends in there is an error here.

use super::regexes;
use super::rules;
use serde_json::Value;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use tokenizers::{Model, Tokenizer};

/// What loading and a first text may take; a large tokenizer takes a second.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the thread that loads: rules may nest.
const STACK: usize = 64 << 20;

/// Calls the library; a panic in it is an error.
pub(super) fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("the tokenizer is damaged: {}", said(&*panic))),
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or(panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panicked")
}

/// Reads a tokenizer and tries it on a few texts: one that panics on them, or is not done with them
/// after a minute, is none.
pub(super) fn load(json: &[u8]) -> Result<Tokenizer, String> {
    let value: Value =
        serde_json::from_slice(json).map_err(|error| format!("is not a tokenizer: {error}"))?;
    rules::check(&value)?;
    let (send, receive) = channel();
    let json = json.to_vec();
    let worker = thread::Builder::new().stack_size(STACK).spawn(move || {
        let texts = texts();
        let tried = regexes::check(&value, &texts).and_then(|()| {
            guarded(|| {
                let tokenizer = parse(&json)?;
                apart(&tokenizer)?;
                tried(&tokenizer, &texts);
                Ok(tokenizer)
            })
        });
        // Nobody listens any more where it took too long.
        let _ = send.send(tried);
    });
    worker.map_err(|error| error.to_string())?;
    let result = match receive.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(format!(
            "its rules are not done with {} characters after {} s",
            texts()
                .iter()
                .map(|text| text.chars().count())
                .sum::<usize>(),
            PATIENCE.as_secs()
        )),
        Err(RecvTimeoutError::Disconnected) => Err("it cannot be loaded".into()),
    };
    result.map_err(|error| format!("is not a tokenizer: {error}"))
}

fn parse(json: &[u8]) -> tokenizers::Result<Tokenizer> {
    let mut tokenizer = Tokenizer::from_bytes(json)?;
    // Lengths are the encoder's business.
    tokenizer.with_truncation(None)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// Refuses added tokens that have the id of another token: the library counts on from the number of
/// tokens, which are ids that are taken where a vocabulary has gaps.
pub(super) fn apart(tokenizer: &Tokenizer) -> Result<(), String> {
    let mut added: Vec<_> = tokenizer.get_added_tokens_decoder().into_iter().collect();
    added.sort_by_key(|(id, _)| *id);
    for (id, token) in added {
        if let Some(other) = tokenizer.get_model().id_to_token(id)
            && other != token.content
        {
            let text = &token.content;
            return Err(format!(
                "tokens {other:?} and {text:?} would both have id {id}"
            ));
        }
    }
    Ok(())
}

/// What it refuses is no matter here: it may not know these characters.
fn tried(tokenizer: &Tokenizer, texts: &[String]) {
    for text in texts {
        if let Ok(encoded) = tokenizer.encode(text.as_str(), false) {
            let _ = tokenizer.decode(encoded.get_ids(), false);
        }
    }
}

/// Texts on which rules that are slow, or look where nothing is, show it.
fn texts() -> Vec<String> {
    let scripts = "né Ünï 漢字かな 한국어 العربية עברית हिन्दी ไทย \u{FDFA} e\u{301}\u{302} 👩‍👩‍👧 🇩🇪 \u{200B}\u{FEFF}\u{10FFFF}";
    let ascii: String = (1..128_u8).map(char::from).collect();
    let repeated = ["a", "ab ", " ", "\n", "7", "aA1 .", "é", "漢"];
    let repeated = repeated.into_iter().map(|text| text.repeat(500));
    [scripts.into(), ascii]
        .into_iter()
        .chain(repeated)
        .collect()
}
