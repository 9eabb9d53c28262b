//! Is the aligned model better?
//!
//! | what | items | says |
//! |---|---|---|
//! | win rate | [`WinRate`], [`Match`], [`Judge`], [`LengthControlled`] | how often the first of two models is better |
//! | rewards | [`auc`], [`PreferenceMetrics`], [`Calibration`], [`Drift`] | do rewards tell good from bad, and what did they cost |
//! | scores | [`Score`], [`Comparison`] | a mean with its standard error; whether a difference is more than chance |
//! | benchmarks (feature `eval`) | `Task`, `Subject`, `run_task`; `Mmlu`, `Gsm8k`, `Bbh`, `HumanEval`; `Sandbox` | what a model can do |
//! | endpoints (feature `endpoint`) | `Endpoint`, `EndpointJudge` | the same of a model behind HTTP, or its verdicts |

mod calibration;
mod compare;
mod judge;
mod length_control;
mod lines;
mod preference;
mod protocol;
mod reward;
mod score;
mod win_rate;

#[cfg(feature = "eval")]
mod bbh;
#[cfg(feature = "endpoint")]
mod endpoint;
#[cfg(feature = "eval")]
pub mod extract;
#[cfg(feature = "eval")]
mod few_shot;
#[cfg(feature = "eval")]
mod gsm8k;
#[cfg(feature = "eval")]
mod human_eval;
#[cfg(feature = "eval")]
mod local;
#[cfg(feature = "eval")]
mod mmlu;
#[cfg(feature = "eval")]
mod multiple_choice;
#[cfg(feature = "eval")]
mod process;
#[cfg(feature = "eval")]
mod records;
#[cfg(feature = "eval")]
mod report;
#[cfg(feature = "eval")]
mod runner;
#[cfg(feature = "eval")]
pub mod sandbox;
#[cfg(feature = "eval")]
mod source;
#[cfg(feature = "eval")]
mod task;

pub use calibration::{Bin, Calibration};
pub use compare::{Comparison, PairedTest, bootstrap_interval, sign_test};
pub use judge::{ImplicitReward, Judge, Reward, RewardJudge, RuleJudge, Verdict};
pub use length_control::LengthControlled;
pub use preference::{Drift, DriftSample, PreferenceMetrics, implicit_rewards};
pub use protocol::{Duel, Match, MatchReport, Protocol, Round, whole_sentences};
pub use reward::auc;
pub use score::Score;
pub use win_rate::WinRate;

#[cfg(feature = "eval")]
pub use self::{
    bbh::Bbh,
    few_shot::Shots,
    gsm8k::Gsm8k,
    human_eval::{HumanEval, Samples, pass_at_k},
    local::LocalModel,
    mmlu::{Mmlu, MmluGenerative, MmluPrompt},
    process::{Ended, Outcome},
    records::{Record, read_records},
    report::{Report, Scores},
    runner::{EvalProgress, Evaluation, RunnerConfig, run_task},
    sandbox::{Limits, Sandbox},
    task::{Choice, Completion, Grade, Item, LogProbs, Request, Subject, Task, Texts},
};

#[cfg(feature = "endpoint")]
pub use endpoint::{Endpoint, EndpointConfig, EndpointJudge, JudgeForm, Route};
