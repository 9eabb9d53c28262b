//! Is the aligned model better?
//!
//! | what | items | says |
//! |---|---|---|
//! | win rate | [`WinRate`], [`Match`], [`Judge`], [`LengthControlled`] | how often the first of two models is better |
//! | rewards | [`auc`], [`PreferenceMetrics`], [`Calibration`], [`Drift`] | do rewards tell good from bad, and what did they cost |
//! | scores | [`Score`], [`Comparison`] | a mean with its standard error; whether a difference is more than chance |
//! | benchmarks (feature `eval`) | `Task`, `Subject`, `run_task`; `Mmlu`, `Gsm8k`, `Bbh`, `HumanEval`; `Sandbox` | what a model can do |
//! | endpoints (feature `endpoint`) | `Endpoint`, `EndpointJudge` | the same of a model behind HTTP, or its verdicts |

mod compare;
mod judging;
mod lines;
mod rewards;
mod score;

#[cfg(feature = "endpoint")]
mod endpoint;
#[cfg(feature = "eval")]
pub mod sandbox;
#[cfg(feature = "eval")]
mod tasks;

pub use compare::{Comparison, PairedTest, bootstrap_interval, sign_test};
pub use judging::judge::{ImplicitReward, Judge, Reward, RewardJudge, RuleJudge, Verdict};
pub use judging::length_control::LengthControlled;
pub use judging::protocol::{Duel, Match, MatchReport, Protocol, Round, whole_sentences};
pub use judging::win_rate::WinRate;
pub use rewards::auc::auc;
pub use rewards::calibration::{Bin, Calibration};
pub use rewards::preference::{Drift, DriftSample, PreferenceMetrics, implicit_rewards};
pub use score::Score;

#[cfg(feature = "eval")]
pub use self::{
    sandbox::process::{Ended, Outcome},
    sandbox::{Limits, Sandbox},
    tasks::bbh::Bbh,
    tasks::extract,
    tasks::few_shot::Shots,
    tasks::gsm8k::Gsm8k,
    tasks::human_eval::{HumanEval, Samples, pass_at_k},
    tasks::local::LocalModel,
    tasks::mmlu::{Mmlu, MmluGenerative, MmluPrompt},
    tasks::records::{Record, read_records},
    tasks::report::{Report, Scores},
    tasks::runner::{EvalProgress, Evaluation, RunnerConfig, run_task},
    tasks::task::{Choice, Completion, Grade, Item, LogProbs, Request, Subject, Task, Texts},
};

#[cfg(feature = "endpoint")]
pub use endpoint::{Endpoint, EndpointConfig, EndpointJudge, JudgeForm, Route};
