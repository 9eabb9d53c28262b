//! From files of feedback to batches.
//!
//! | read by | columns | one row |
//! |---|---|---|
//! | [`read_binary`] | `prompt`, `completion`, `label` | `{"prompt": "2 + 2 =", "completion": " 4", "label": true}` |
//! | [`read_binary`] | `messages`, `label` | `{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}], "label": true}` |
//! | [`read_preferences`], [`read_binary`] | `prompt`, `chosen`, `rejected` | `{"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}` |
//! | [`read_preferences`], [`read_binary`] | `chosen`, `rejected` | `{"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: What?"}` |
//! | [`read_scored`] | `prompt`, `completion`, `score` | `{"prompt": "2 + 2 =", "completion": " 4", "score": 4.5}` |
//! | [`read_sft`] | any of the above, with or without `label` | `{"prompt": "2 + 2 =", "completion": " 4"}` |
//!
//! A row with a `label` may have a `weight`. [`ScoreLabels`] makes thumbs of scores.
//!
//! Wherever a text may stand, a list of messages may stand too. A file is JSON Lines or one JSON array, plain or gzip (feature `gzip`). What a
//! row has besides is ignored. A row that is wrong is an error with its line; a row that is of no use is dropped and counted.
//!
//! [`Encoder`] makes token ids of examples, a [`Batcher`] makes batches of those. Between them, with feature `cache`, `TokenCache` keeps token ids in
//! memory-mapped files, so that a data set is tokenized once and may be larger than memory.

mod batch;
mod batcher;
#[cfg(feature = "cache")]
mod cache;
mod columns;
mod continuation;
mod encode;
mod encode_kind;
mod example;
mod guard;
mod mismatch;
mod reader;
mod report;
mod rows;
mod sampler;
mod score;
mod token_ids;
mod tokenized;
mod transcript;

pub use batch::{BinaryBatch, PreferenceBatch};
pub use batcher::{Batcher, BinaryBatcher, PreferenceBatcher, SftBatcher};
#[cfg(feature = "cache")]
pub use cache::{CacheKey, CacheRow, CachedExamples, TokenCache};
pub use encode::{Encoded, Encoder};
pub use encode_kind::Encode;
pub use example::{BinaryExample, PreferenceExample, Prompt, SftExample};
pub use reader::{Loaded, read_binary, read_preferences, read_scored, read_sft};
pub use report::{EncodeReport, ReadReport};
pub use sampler::{epoch_order, hold_out};
pub use score::{Labelled, ScoreLabels, ScoreThreshold, ScoreWeight, ScoredExample};
pub use token_ids::TokenIds;
pub use tokenized::{TokenizedBinary, TokenizedPreference, TokenizedSft};
