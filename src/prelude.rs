//! `use burn_kto::prelude::*;` brings what a training script needs, by name.
//!
//! What is left out is used by few, or has the name of something of burn's: the trainer's
//! [`train::Optimizer`](crate::train) beside `burn::optim::Optimizer`, say.

// The contract: losses, z0, log-probabilities, references, batches, objectives.
pub use crate::data::{BinaryBatch, PreferenceBatch};
pub use crate::error::Error;
pub use crate::kl::{
    KlEstimate, KlEstimator, KlEstimatorConfig, KlScope, KlSums, Mismatched, Ranks,
};
pub use crate::logprob::{
    FusedLinearLogProbs, FusedLinearLogProbsConfig, average_log_probs, sequence_log_probs,
    token_log_probs,
};
pub use crate::loss::{
    BinaryOutput, DpoLoss, DpoLossConfig, DpoVariant, FDivergence, KtoLoss, KtoLossConfig, Pair,
    PreferenceOutput, SftLoss, SftLossConfig, SftOutput,
};
pub use crate::model::CausalLm;
pub use crate::reference::{AdapterOff, Cached, Frozen, Reference, ReferenceFree};
pub use crate::sequence::Sequences;
pub use crate::train::Objective;

// The other losses and what goes around them.
pub use crate::loss::{
    BcoLoss, BcoLossConfig, BcoShift, ClassInterval, ClassWeights, CpoLoss, CpoLossConfig,
    CpoVariant, Humanline, KtoValue, MixedLoss, MixedLossConfig, OrpoLoss, OrpoLossConfig,
    PreferenceInput, PreferenceLoss, RewardLoss, RewardLossConfig, RewardOutput, RewardsSeen,
    SftVariant, SimpoLoss, SimpoLossConfig, SimpoMargin, SlicLoss, SlicLossConfig, TokenLevel,
    TokenLevelConfig, Tokens, WeightedDpo,
};
pub use crate::reference::{Moving, MovingConfig, TokenReference};
pub use crate::train::{
    BetaDpo, BetaDpoConfig, BetaToTarget, Controlled, Controller, Knobs, LossOutput, Metrics,
    SmoothedSft, Tunable, WeightsFromCounts, Wpo,
};

// Models.
pub use crate::device::{DeviceChoice, check_dtype};
#[cfg(all(feature = "llama", feature = "tokenizers"))]
pub use crate::model::ModelFolder;
pub use crate::model::{
    ByteTokenizer, ChatTemplate, Generate, GenerationConfig, HiddenStates, Logits, Message,
    PlainTemplate, RewardModel, Sampling, Tokenizer,
};
#[cfg(feature = "tokenizers")]
pub use crate::model::{HfTokenizer, JinjaTemplate};
#[cfg(feature = "llama")]
pub use crate::model::{Llama, LlamaConfig};

// Data.
pub use crate::data::{
    Batcher, BinaryBatcher, BinaryExample, DropReason, Encode, EncodeReport, Encoded, Encoder,
    ExampleStream, Format, Labelled, LeftOutReason, Loaded, Mixing, PreferenceBatcher,
    PreferenceExample, Prompt, RankedPairs, ReadReport, Reader, RowInfo, Sampler, SamplerConfig,
    ScoreLabels, ScoreThreshold, ScoreWeight, ScoredExample, SftBatcher, SftExample, SourceConfig,
    TokenIds, TokenizedBinary, TokenizedPreference, TokenizedSft, hold_out, read_binary,
    read_preferences, read_scored, read_sft,
};
#[cfg(feature = "cache")]
pub use crate::data::{CacheKey, CachedExamples, TokenCache};

// Training.
#[cfg(feature = "train")]
pub use crate::train::{
    CheckpointDone, DecayGroup, EvaluationDone, Hook, OptimizerConfig, Progress, Run, RunEnded,
    RunStarted, RunWarning, Schedule, StepDone, StepReport, Trainer, TrainerConfig, train_step,
};

// Is it better?
pub use crate::eval::{WinRate, auc};
