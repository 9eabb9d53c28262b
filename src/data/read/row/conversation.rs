//! A conversation that ends with its answer.

use crate::data::example::Prompt;
use crate::data::read::row::cell::Cell;
use crate::data::read::row::columns::Columns;
use crate::data::read::row::labelled::labelled;
use crate::data::read::row::messages::{split_last, up_to_answer};
use crate::data::read::row::names::{LABEL, SCORE};
use crate::data::read::row::parsed::{Parsed, Wrong};
use crate::data::reason::DropReason;

/// What a row says that has a conversation. Where `every_turn` is asked for, a demonstration ends
/// with the last turn that is learned from.
pub(in crate::data) fn conversation(
    columns: &Columns<'_>,
    cell: Cell<'_>,
    every_turn: bool,
) -> Result<Parsed, Wrong> {
    let mut messages = cell.messages()?;
    if every_turn && !columns.gives(&LABEL) && !columns.gives(&SCORE) {
        let mut shorter = messages.clone();
        up_to_answer(&mut shorter);
        if !shorter.is_empty() {
            messages = shorter;
        }
    }
    let (prompt, completion) = split_last(messages)?;
    if prompt.is_empty() {
        return Err(DropReason::EmptyPrompt.into());
    }
    labelled(columns, Prompt::Messages(prompt), completion)
}
