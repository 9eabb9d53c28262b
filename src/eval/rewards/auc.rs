//! Do rewards tell good from bad?

/// Area under the ROC curve: the probability that a random desirable example has a higher reward
/// than a random undesirable one, ties counting half. 0.5 is chance. `None` unless both classes are
/// there.
///
/// Unlike accuracy it needs no threshold, so it is right for unpaired feedback of any class ratio.
/// Mann-Whitney: O(n log n).
///
/// ```
/// use burn_kto::eval::auc;
/// let auc = auc([(2.0, true), (1.0, false), (0.5, true), (0.5, false)]).unwrap();
/// assert_eq!(auc, (2.0 + 0.5) / 4.0); // 2.0 beats both; 0.5 ties with one
/// ```
///
/// # Panics
///
/// If a reward is NaN.
pub fn auc(examples: impl IntoIterator<Item = (f64, bool)>) -> Option<f64> {
    let mut examples: Vec<(f64, bool)> = examples.into_iter().collect();
    assert!(
        examples.iter().all(|(reward, _)| !reward.is_nan()),
        "a reward is NaN"
    );
    examples.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut beaten, mut undesirable, mut desirable) = (0.0, 0.0, 0.0);
    // −0 and 0 are equal rewards, though not to the order above; they stand side by side all the
    // same.
    for tied in examples.chunk_by(|a, b| a.0 == b.0) {
        let up = tied.iter().filter(|(_, desirable)| *desirable).count() as f64;
        let down = tied.len() as f64 - up;
        beaten += up * (undesirable + 0.5 * down);
        undesirable += down;
        desirable += up;
    }
    let pairs = desirable * undesirable;
    (pairs > 0.0).then(|| beaten / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_reversed_and_undefined() {
        assert_eq!(auc([(1.0, true), (0.0, false)]), Some(1.0));
        assert_eq!(auc([(0.0, true), (1.0, false)]), Some(0.0));
        assert_eq!(auc([(0.0, true), (-0.0, false)]), Some(0.5));
        assert_eq!(auc([(1.0, true)]), None);
        assert_eq!(auc([]), None);
    }
}
