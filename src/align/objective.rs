//! From a method's settings to what the trainer trains on.

use super::method::{ApoZero, Bco, Kto, Method, controllers, tokens};
use super::refusal::refused;
use crate::data::{BinaryBatch, PreferenceBatch};
use crate::error::Error;
use crate::loss::{
    BinaryOutput, KtoLossConfig, PreferenceLoss, PreferenceOutput, TokenLevelConfig,
};
use crate::model::Llama;
use crate::reference::TokenReference;
use crate::train::{Controlled, Objective, Wpo, forward_objective};

/// Any objective on these batches, chosen at run time.
pub(super) struct Chosen<M, R, B, O>(Box<dyn Objective<M, R, Batch = B, Output = O>>);

/// An objective on thumbs.
pub(super) type OnThumbs<R> = Chosen<Llama, R, BinaryBatch, BinaryOutput>;
/// An objective on pairs.
pub(super) type OnPairs<R> = Chosen<Llama, R, PreferenceBatch, PreferenceOutput>;

impl<M, R, B, O> Objective<M, R> for Chosen<M, R, B, O> {
    type Batch = B;
    type Output = O;

    forward_objective! { this => (&*this.0, &mut *this.0) }
}

fn chosen<M, R, B, O>(
    objective: impl Objective<M, R, Batch = B, Output = O> + 'static,
) -> Chosen<M, R, B, O> {
    Chosen(Box::new(objective))
}

/// KTO of these settings, its weights from the counts if they are to be.
pub(super) fn kto<R: TokenReference<Llama>>(
    settings: &Kto,
    config: KtoLossConfig,
) -> Result<OnThumbs<R>, Error> {
    let controllers = controllers(settings.beta_target, settings.weights_from_counts)?;
    let loss = config.init();
    let bounds = settings.humanline.is_some();
    let bounds = bounds.then(|| tokens(1.0, settings.humanline));
    Ok(match (bounds, controllers.is_empty()) {
        (None, true) => chosen(loss),
        (None, false) => chosen(Controlled::new(loss, controllers)?),
        (Some(bounds), true) => chosen(bounds.init(loss)),
        (Some(bounds), false) => chosen(Controlled::new(bounds.init(loss), controllers)?),
    })
}

/// BCO of these settings.
pub(super) fn bco<R: TokenReference<Llama>>(settings: &Bco) -> Result<OnThumbs<R>, Error> {
    let controllers = controllers(settings.beta_target, None)?;
    let loss = settings.config().init();
    Ok(match controllers.is_empty() {
        true => chosen(loss),
        false => chosen(Controlled::new(loss, controllers)?),
    })
}

/// The settings of KTO that a method on thumbs has; none for BCO.
pub(super) fn as_kto(method: &Method) -> Option<Kto> {
    match method {
        Method::Kto(kto) => Some(kto.clone()),
        Method::ApoZero(apo) => Some(ApoZero::as_kto(apo)),
        _ => None,
    }
}

/// The objective of a method on pairs, reward models apart.
pub(super) fn on_pairs<R: TokenReference<Llama>>(
    method: &Method,
    seed: u64,
) -> Result<OnPairs<R>, Error> {
    Ok(match method {
        Method::Dpo(dpo) => {
            let controllers = controllers(dpo.beta_target, None)?;
            let loss = dpo.loss()?.init();
            let modified = level(dpo.ld_alpha, dpo.humanline);
            match (modified, controllers.is_empty()) {
                (modified, true) => plain(loss, modified, dpo.wpo),
                (None, false) => weighed(Controlled::new(loss, controllers)?, dpo.wpo),
                (Some(level), false) => {
                    weighed(Controlled::new(level.init(loss), controllers)?, dpo.wpo)
                }
            }
        }
        Method::BetaDpo(dpo) => {
            let loss = dpo.loss()?.init();
            weighed(dpo.config(seed).init(loss), dpo.wpo)
        }
        Method::Mixed(m) => plain(m.config()?.init(), level(m.ld_alpha, m.humanline), m.wpo),
        Method::Rpo(m) => plain(m.config().init(), level(m.ld_alpha, m.humanline), m.wpo),
        Method::Mpo(m) => plain(m.config().init(), level(m.ld_alpha, m.humanline), m.wpo),
        Method::Simpo(m) => plain(m.config()?.init(), level(m.ld_alpha, m.humanline), m.wpo),
        Method::Cpo(m) => plain(m.config()?.init(), level(m.ld_alpha, m.humanline), m.wpo),
        Method::Orpo(m) => plain(m.config().init(), level(m.ld_alpha, m.humanline), m.wpo),
        Method::Slic(m) => plain(m.config().init(), level(m.ld_alpha, m.humanline), m.wpo),
        Method::Sft(_)
        | Method::Kto(_)
        | Method::ApoZero(_)
        | Method::Bco(_)
        | Method::Reward(_) => {
            return Err(refused(
                "method",
                format!("{} is not on pairs", method.name()),
            ));
        }
    })
}

/// What single tokens count, if it is anything but 1.
fn level(ld_alpha: f64, humanline: Option<[f64; 2]>) -> Option<TokenLevelConfig> {
    let modified = ld_alpha < 1.0 || humanline.is_some();
    modified.then(|| tokens(ld_alpha, humanline))
}

fn plain<R, L>(loss: L, level: Option<TokenLevelConfig>, wpo: bool) -> OnPairs<R>
where
    R: TokenReference<Llama>,
    L: PreferenceLoss + 'static,
{
    match level {
        None => weighed(loss, wpo),
        Some(level) => weighed(level.init(loss), wpo),
    }
}

fn weighed<R, L>(objective: L, wpo: bool) -> OnPairs<R>
where
    L: Objective<Llama, R, Batch = PreferenceBatch, Output = PreferenceOutput> + 'static,
{
    match wpo {
        false => chosen(objective),
        true => chosen(Wpo(objective)),
    }
}
