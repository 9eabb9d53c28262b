//! What an objective around another one passes on to it: everything that it does not do itself.

/// Writes the methods of [`Objective`](super::Objective) that pass on to the objective inside,
/// except those that the wrapper writes itself.
///
/// ```text
/// impl<M, R, L: Objective<M, R>> Objective<M, R> for Louder<L> {
///     type Batch = L::Batch;
///     type Output = L::Output;
///
///     fn identity(&self) -> String { .. }
///
///     forward_objective! { this => (&this.0, &mut this.0), except identity }
/// }
/// ```
///
/// A method that neither is forwarded nor written would fall back to the trait's default without a
/// word. So the list is of what is *not* passed on; a method on it and in the macro twice does not
/// compile. `tests/training/wrappers.rs` compares the macro with the trait.
macro_rules! forward_objective {
    ($this:ident => ($inner:expr, $inner_mut:expr) $(, except $($own:ident)+)?) => {
        $crate::train::unless! { evaluate in [$($($own)+)?]
            fn evaluate(&self, policy: &M, reference: &R, batch: Self::Batch) -> Self::Output {
                let $this = self;
                $crate::train::Objective::<M, R>::evaluate($inner, policy, reference, batch)
            }
        }
        $crate::train::unless! { check in [$($($own)+)?]
            fn check(
                &self,
                policy: &M,
                reference: &R,
                batch: &Self::Batch,
            ) -> Result<(), $crate::error::Error> {
                let $this = self;
                $crate::train::Objective::<M, R>::check($inner, policy, reference, batch)
            }
        }
        $crate::train::unless! { fingerprint in [$($($own)+)?]
            fn fingerprint(
                &self,
                policy: &M,
                reference: &R,
                batch: &Self::Batch,
            ) -> $crate::train::Fingerprint {
                let $this = self;
                $crate::train::Objective::<M, R>::fingerprint($inner, policy, reference, batch)
            }
        }
        $crate::train::unless! { prepare in [$($($own)+)?]
            fn prepare(&self, policy: &M, reference: &R, window: &mut [Self::Batch]) {
                let $this = self;
                $crate::train::Objective::<M, R>::prepare($inner, policy, reference, window);
            }
        }
        $crate::train::unless! { weight in [$($($own)+)?]
            fn weight(&self, batch: &Self::Batch) -> f64 {
                let $this = self;
                $crate::train::Objective::<M, R>::weight($inner, batch)
            }
        }
        $crate::train::unless! { tokens in [$($($own)+)?]
            fn tokens(&self, batch: &Self::Batch) -> usize {
                let $this = self;
                $crate::train::Objective::<M, R>::tokens($inner, batch)
            }
        }
        $crate::train::unless! { facts in [$($($own)+)?]
            fn facts(&self, batch: &Self::Batch) -> Vec<(&'static str, f64, f64)> {
                let $this = self;
                $crate::train::Objective::<M, R>::facts($inner, batch)
            }
        }
        $crate::train::unless! { observe in [$($($own)+)?]
            fn observe(&mut self, metrics: &$crate::train::Metrics) {
                let $this = self;
                $crate::train::Objective::<M, R>::observe($inner_mut, metrics);
            }
        }
        $crate::train::unless! { settings in [$($($own)+)?]
            fn settings(&self) -> Vec<(&'static str, f64)> {
                let $this = self;
                $crate::train::Objective::<M, R>::settings($inner)
            }
        }
        $crate::train::unless! { relative_rewards in [$($($own)+)?]
            fn relative_rewards(&self) -> bool {
                let $this = self;
                $crate::train::Objective::<M, R>::relative_rewards($inner)
            }
        }
        $crate::train::unless! { identity in [$($($own)+)?]
            fn identity(&self) -> String {
                let $this = self;
                $crate::train::Objective::<M, R>::identity($inner)
            }
        }
        $crate::train::unless! { state in [$($($own)+)?]
            fn state(&self) -> serde_json::Value {
                let $this = self;
                $crate::train::Objective::<M, R>::state($inner)
            }
        }
        $crate::train::unless! { restore in [$($($own)+)?]
            fn restore(&mut self, state: &serde_json::Value) -> Result<(), $crate::error::Error> {
                let $this = self;
                $crate::train::Objective::<M, R>::restore($inner_mut, state)
            }
        }
    };
}

/// The code behind a list of names, unless the name before it stands in the list.
macro_rules! unless {
    (evaluate in [evaluate $($rest:ident)*] $($code:tt)*) => {};
    (check in [check $($rest:ident)*] $($code:tt)*) => {};
    (fingerprint in [fingerprint $($rest:ident)*] $($code:tt)*) => {};
    (prepare in [prepare $($rest:ident)*] $($code:tt)*) => {};
    (weight in [weight $($rest:ident)*] $($code:tt)*) => {};
    (tokens in [tokens $($rest:ident)*] $($code:tt)*) => {};
    (facts in [facts $($rest:ident)*] $($code:tt)*) => {};
    (observe in [observe $($rest:ident)*] $($code:tt)*) => {};
    (settings in [settings $($rest:ident)*] $($code:tt)*) => {};
    (relative_rewards in [relative_rewards $($rest:ident)*] $($code:tt)*) => {};
    (identity in [identity $($rest:ident)*] $($code:tt)*) => {};
    (state in [state $($rest:ident)*] $($code:tt)*) => {};
    (restore in [restore $($rest:ident)*] $($code:tt)*) => {};
    ($name:ident in [$other:ident $($rest:ident)*] $($code:tt)*) => {
        $crate::train::unless! { $name in [$($rest)*] $($code)* }
    };
    ($name:ident in [] $($code:tt)*) => { $($code)* };
}

pub(crate) use {forward_objective, unless};
