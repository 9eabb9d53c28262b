//! Examples in words, for errors that came from them.

use super::examples::Parts;
use crate::data::{TokenizedBinary, TokenizedPreference, TokenizedSft};
use crate::error::Error;
use crate::model::Tokenizer;

/// Characters of a prompt's end that are shown.
const SHOWN: usize = 80;

/// An example that has a prompt.
pub(super) trait Prompted {
    fn prompt(&self) -> &[u32];
}

impl Prompted for TokenizedBinary {
    fn prompt(&self) -> &[u32] {
        &self.prompt
    }
}

impl Prompted for TokenizedPreference {
    fn prompt(&self) -> &[u32] {
        &self.prompt
    }
}

impl Prompted for TokenizedSft {
    fn prompt(&self) -> &[u32] {
        &self.prompt
    }
}

/// Says of an error that came from examples how the prompt of the worst one ends: its number is of
/// those that were encoded, which nobody has in a file.
pub(super) fn with_prompt<E: Prompted>(
    error: Error,
    parts: &Parts<E>,
    tokenizer: &dyn Tokenizer,
) -> Error {
    let Error::NotFinite {
        step,
        mut message,
        examples,
        held_out,
    } = error
    else {
        return error;
    };
    let all = match held_out {
        true => &parts.held_out,
        false => &parts.train,
    };
    let worst = examples.first().copied();
    let prompt = worst.and_then(|worst| all.get(worst)).map(E::prompt);
    let text = prompt.and_then(|prompt| tokenizer.decode(prompt).ok());
    if let (Some(worst), Some(text)) = (worst, text) {
        let before = text.chars().count().saturating_sub(SHOWN);
        let end: String = text.chars().skip(before).collect();
        message += &format!(" (the prompt of example {worst} ends with {end:?})");
    }
    Error::NotFinite {
        step,
        message,
        examples,
        held_out,
    }
}
