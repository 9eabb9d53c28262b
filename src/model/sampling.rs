//! The next token from a row of logits.

use super::generate::Sampling;
use rand::{Rng, RngExt};

impl Sampling {
    /// Index of the chosen token. NaN logits are never chosen; of equals the first.
    pub(super) fn choose(&self, logits: &[f32], rng: &mut impl Rng) -> usize {
        match *self {
            Self::Greedy => argmax(logits),
            Self::Random {
                temperature,
                top_k,
                top_p,
            } => draw(&candidates(logits, temperature, top_k, top_p), rng),
        }
    }
}

fn argmax(logits: &[f32]) -> usize {
    let mut best = 0;
    for (i, &logit) in logits.iter().enumerate() {
        if logit > logits[best] || logits[best].is_nan() {
            best = i;
        }
    }
    best
}

/// Tokens that may be drawn, with weights, most likely first.
fn candidates(logits: &[f32], temperature: f64, top_k: usize, top_p: f64) -> Vec<(usize, f64)> {
    let max = f64::from(logits[argmax(logits)]);
    let weight = |logit: f32| ((f64::from(logit) - max) / temperature).exp();
    let mut tokens: Vec<(usize, f64)> = logits
        .iter()
        .enumerate()
        .filter(|(_, logit)| !logit.is_nan())
        .map(|(token, &logit)| (token, weight(logit)))
        .collect();
    let cut = top_k != 0 || top_p < 1.0;
    if cut {
        tokens.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    }
    if top_k != 0 {
        tokens.truncate(top_k);
    }
    if top_p < 1.0 {
        let total: f64 = tokens.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let reaches = |(_, weight): &(usize, f64)| {
            sum += weight;
            sum >= top_p * total
        };
        let last = tokens.iter().position(reaches).unwrap_or(tokens.len() - 1);
        tokens.truncate(last + 1);
    }
    tokens
}

fn draw(tokens: &[(usize, f64)], rng: &mut impl Rng) -> usize {
    let total: f64 = tokens.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random::<f64>() * total;
    for &(token, weight) in tokens {
        if left < weight {
            return token;
        }
        left -= weight;
    }
    // Rounding may leave a little, or every logit was NaN.
    tokens.last().map_or(0, |&(token, _)| token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn greedy_takes_the_first_of_the_largest() {
        let rng = &mut ChaCha8Rng::seed_from_u64(0);
        assert_eq!(Sampling::Greedy.choose(&[f32::NAN, 1.0, 3.0, 3.0], rng), 2);
        assert_eq!(
            Sampling::Greedy.choose(&[f32::NAN, f32::NEG_INFINITY], rng),
            1
        );
    }

    #[test]
    fn cuts_keep_the_likeliest() {
        let logits = [0.0, 2.0, 1.0, -1.0];
        let kept = |k, p| -> Vec<usize> {
            candidates(&logits, 1.0, k, p)
                .into_iter()
                .map(|(token, _)| token)
                .collect()
        };
        assert_eq!(kept(2, 1.0), [1, 2]);
        // Probabilities .644 .237 .087 .032, so half needs one token and 0.9 three.
        assert_eq!(kept(0, 0.5), [1]);
        assert_eq!(kept(0, 0.9), [1, 2, 0]);
        assert_eq!(kept(1, 0.01), [1]);
        assert_eq!(kept(9, 1.0).len(), 4);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let sampling = Sampling::Random {
            temperature: 0.5,
            top_k: 0,
            top_p: 1.0,
        };
        let logits = [0.0, 0.5 * 3.0_f32.ln()]; // 1 : 3 at this temperature
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let n = 20_000;
        let ones: usize = (0..n).map(|_| sampling.choose(&logits, &mut rng)).sum();
        let deviation = (ones as f64 / f64::from(n) - 0.75).abs();
        assert!(
            deviation < 4.0 * (0.1875 / f64::from(n)).sqrt(),
            "{deviation}"
        );
    }
}
