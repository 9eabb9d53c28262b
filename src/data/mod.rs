//! From files of feedback to batches.
//!
//! [`Reader`] reads files, folders and patterns of JSON Lines, JSON arrays, CSV (feature `csv`;
//! plain, gzip, or zstandard with feature `zstd`) and Parquet (feature `parquet`), and data sets on
//! the Hugging Face Hub (`hf://owner/name`, feature `hub`), in all forms of [`Format`];
//! [`read_binary`], [`read_preferences`], [`read_scored`] and [`read_sft`] are it with its
//! defaults. The plain columns:
//!
//! | columns | one row |
//! |---|---|
//! | `prompt`, `completion`, `label` | `{"prompt": "2 + 2 =", "completion": " 4", "label": true}` |
//! | `messages`, `label` | `{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}], "label": true}` |
//! | `prompt`, `chosen`, `rejected` | `{"prompt": "2 + 2 =", "chosen": " 4", "rejected": " 5"}` |
//! | `chosen`, `rejected` | `{"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: What?"}` |
//! | `prompt`, `completion`, `score` | `{"prompt": "2 + 2 =", "completion": " 4", "score": 4.5}` |
//! | `prompt`, `completion` | `{"prompt": "2 + 2 =", "completion": " 4"}` |
//!
//! A row with a `label` may have a `weight`. [`ScoreLabels`] makes thumbs of scores.
//!
//! Wherever a text may stand, a list of messages may stand too. Columns of other names that are in
//! use are read as well, and all others with [`Reader::with_columns`]. Columns besides are not
//! read, and named in the report. A row that is wrong is an error with its line; a row that is of
//! no use is dropped and counted in the [`ReadReport`], or an error too if the reader is
//! [strict](Reader::with_strict).
//!
//! [`Encoder`] makes token ids of examples, a [`Batcher`] makes batches of those, in the order of a
//! [`Sampler`]. Between them, with feature `cache`, `TokenCache` keeps token ids in memory-mapped
//! files, so that a data set is tokenized once and may be larger than memory.

mod batch;
#[cfg(feature = "cache")]
mod cache;
mod encode;
mod example;
mod hold_out;
mod labels;
mod nearest;
mod read;
mod reason;
mod sampler;
mod tally;
mod tokens;

#[cfg(feature = "align")]
pub(crate) use nearest::nearest;

pub use batch::batcher::Batcher;
pub use batch::batches::{BinaryBatch, PreferenceBatch};
pub use batch::binary::BinaryBatcher;
pub use batch::preference::PreferenceBatcher;
pub use batch::sft::SftBatcher;
#[cfg(feature = "cache")]
pub use cache::{CacheKey, CacheRow, CachedExamples, TokenCache};
pub use encode::encoder::{Encoded, Encoder};
pub use encode::kind::Encode;
pub use encode::report::EncodeReport;
pub use example::{BinaryExample, PreferenceExample, Prompt, ScoredExample, SftExample};
pub use hold_out::hold_out;
pub use labels::{Labelled, ScoreLabels, ScoreThreshold, ScoreWeight};
pub use read::formats::form::Format;
pub use read::keep::ReadExample;
pub use read::reader::{Loaded, Reader};
pub use read::report::ReadReport;
pub use read::row::ranked::RankedPairs;
pub use read::stream::ExampleStream;
pub use read::{read_binary, read_preferences, read_scored, read_sft};
pub use reason::{DropReason, LeftOutReason};
pub use sampler::{
    Mixing, RowInfo, SampleCounts, Sampler, SamplerConfig, SamplerReport, SourceConfig, epoch_order,
};
pub use tokens::examples::{TokenizedBinary, TokenizedPreference, TokenizedSft};
pub use tokens::ids::TokenIds;
