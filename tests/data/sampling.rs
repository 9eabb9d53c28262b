//! The laws of samplers, for any data.

use burn_kto::data::epoch_order;
use burn_kto::prelude::*;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// Rows with thumbs, of few prompts and any length.
fn rows(least: usize) -> impl Strategy<Value = Vec<RowInfo>> {
    let row = (any::<bool>(), 0_u64..12, 1_usize..200);
    let row = row.prop_map(|(up, prompt, length)| RowInfo::new(prompt, length).with_class(up));
    prop::collection::vec(row, least..80)
}

/// Both classes, one of them as rare as it likes.
fn imbalanced() -> impl Strategy<Value = Vec<RowInfo>> {
    (1_usize..12, 1_usize..80, any::<bool>(), any::<u64>()).prop_map(|(few, many, which, seed)| {
        let order = epoch_order(few + many, seed, 0).into_iter();
        order
            .map(|i| RowInfo::new(i as u64, 1 + i % 17).with_class((i < few) == which))
            .collect()
    })
}

fn ups(rows: &[RowInfo], indices: &[usize]) -> usize {
    let up = indices.iter().filter(|&&i| rows[i].class == Some(true));
    up.count()
}

fn sorted(mut indices: Vec<usize>) -> Vec<usize> {
    indices.sort_unstable();
    indices
}

/// Everything that leaves rows as they are but for their order.
fn orders() -> impl Strategy<Value = SamplerConfig> {
    (any::<bool>(), prop::option::of(2_usize..6)).prop_map(|(stratified, buckets)| {
        let config = SamplerConfig::new().with_stratified(stratified);
        config.with_length_buckets(buckets)
    })
}

/// Everything but sources, which need to know how many rows there are.
fn choices() -> impl Strategy<Value = SamplerConfig> {
    let fraction = || prop_oneof![Just(1.0), 0.05..1.0];
    (orders(), fraction(), fraction(), any::<bool>()).prop_map(|(config, up, down, one)| {
        let config = config.with_keep_desirable(up).with_keep_undesirable(down);
        config.with_one_per_prompt(one)
    })
}

/// Every rank's part of an epoch.
fn shards(config: &SamplerConfig, ranks: usize, batch: usize, rows: &[RowInfo]) -> Vec<Vec<usize>> {
    let shard = |rank| {
        let config = config.clone().with_ranks(ranks).with_rank(rank);
        config.init(batch, 5).unwrap().epoch(rows, 1).unwrap()
    };
    (0..ranks).map(shard).collect()
}

/// Mean of longest less shortest over the full batches.
fn spread(rows: &[RowInfo], order: &[usize], batch: usize) -> f64 {
    let each = order.chunks_exact(batch).map(|window| {
        let lengths = window.iter().filter_map(|&i| rows[i].length);
        (lengths.clone().max().unwrap() - lengths.min().unwrap()) as f64
    });
    each.sum::<f64>() / (order.len() / batch) as f64
}

proptest! {
    #[test]
    fn without_options_it_is_the_plain_order(rows in rows(0), seed: u64, epoch in 0_usize..9, batch in 1_usize..9) {
        let sampler = SamplerConfig::new().init(batch, seed).unwrap();
        prop_assert_eq!(sampler.epoch(&rows, epoch).unwrap(), epoch_order(rows.len(), seed, epoch));
        prop_assert_eq!(sampler.report(&rows, epoch).unwrap().all.left_out(), 0);
    }

    #[test]
    fn each_row_comes_once_at_most_and_the_length_is_as_said(
        rows in rows(1), config in choices(), batch in 2_usize..9, seed: u64, epoch in 0_usize..9,
    ) {
        let sampler = config.init(batch, seed).unwrap();
        let order = sampler.epoch(&rows, epoch).unwrap();
        prop_assert_eq!(&order, &sampler.epoch(&rows, epoch).unwrap());
        prop_assert_eq!(order.len(), sampler.epoch_len(&rows, epoch).unwrap());
        let once: HashSet<usize> = order.iter().copied().collect();
        prop_assert_eq!(once.len(), order.len());
        let report = sampler.report(&rows, epoch).unwrap();
        prop_assert_eq!((report.all.kept, report.all.repeated), (order.len(), 0));
        prop_assert_eq!(report.desirable.kept, ups(&rows, &order));
        prop_assert_eq!(report.all.left_out(), rows.len() - order.len());
    }

    #[test]
    fn orders_hold_every_row_and_differ_by_epoch_and_seed(
        rows in rows(30), config in orders(), batch in 2_usize..9, seed in 0_u64..1000,
    ) {
        let of = |seed, epoch| config.init(batch, seed).unwrap().epoch(&rows, epoch).unwrap();
        prop_assert_eq!(sorted(of(seed, 0)), (0..rows.len()).collect::<Vec<_>>());
        prop_assert_ne!(of(seed, 0), of(seed, 1));
        prop_assert_ne!(of(seed, 0), of(seed + 1, 0));
    }

    #[test]
    fn no_batch_loses_a_class_where_there_are_enough(
        rows in imbalanced(), batch in 2_usize..9, ranks in 1_usize..4, buckets in prop::option::of(2_usize..6),
    ) {
        prop_assume!(rows.len() >= ranks);
        let config = SamplerConfig::new().with_stratified(true).with_length_buckets(buckets);
        let shards = shards(&config, ranks, batch, &rows);
        let windows: Vec<&[usize]> = shards.iter().flat_map(|shard| shard.chunks(batch)).collect();
        let all: Vec<usize> = shards.iter().flatten().copied().collect();
        let (up, of) = (ups(&rows, &all), all.len());
        let rare = up.min(of - up);
        let with_both = windows.iter().filter(|w| (1..w.len()).contains(&ups(&rows, w))).count();
        let can = windows.iter().filter(|w| w.len() > 1).count();
        prop_assert_eq!(with_both, can.min(rare));
        // Proportions are even: of full batches by one, unless a short one had to be helped out.
        let full: Vec<usize> = windows.iter().filter(|w| w.len() == batch).map(|w| ups(&rows, w)).collect();
        if let (Some(most), Some(least)) = (full.iter().max(), full.iter().min()) {
            let helped = usize::from(of % (ranks * batch) > 0);
            prop_assert!(most - least <= 1 + helped, "{:?}", full);
        }
    }

    #[test]
    fn the_ratio_is_reached_by_cutting_one_class(rows in imbalanced(), ratio in 0.1..10.0, epoch in 0_usize..9) {
        let config = SamplerConfig::new().with_class_ratio(Some(ratio));
        let sampler = config.init(4, 1).unwrap();
        match sampler.report(&rows, epoch) {
            Ok(report) => {
                let (up, down) = (report.desirable, report.undesirable);
                let (n_up, n_down) = (up.kept as f64, down.kept as f64);
                prop_assert!((n_up - ratio * n_down).abs() <= 0.5 || (n_up / ratio - n_down).abs() <= 0.5);
                prop_assert!(up.left_out() == 0 || down.left_out() == 0);
            }
            // The only row of a class is already too many.
            Err(error) => prop_assert!(error.to_string().starts_with("a class_ratio of"), "{}", error),
        }
    }

    #[test]
    fn what_is_dropped_for_good_is_the_same_in_each_epoch(rows in imbalanced(), fraction in 0.01..1.0, seed: u64) {
        let sampler = SamplerConfig::new().with_keep_desirable(fraction).init(4, seed).unwrap();
        let first = sorted(sampler.epoch(&rows, 0).unwrap());
        prop_assert_eq!(&first, &sorted(sampler.epoch(&rows, 1).unwrap()));
        let all: Vec<usize> = (0..rows.len()).collect();
        let up = ups(&rows, &all);
        let kept = ((fraction * up as f64).round() as usize).max(1);
        prop_assert_eq!(ups(&rows, &first), kept);
        prop_assert_eq!(first.len(), rows.len() - up + kept);
    }

    #[test]
    fn each_prompt_has_one_turn_an_epoch_and_each_completion_its_turn(rows in rows(1), config in orders(), seed: u64) {
        let sampler = config.with_one_per_prompt(true).init(4, seed).unwrap();
        let mut completions: HashMap<_, usize> = HashMap::new();
        for row in &rows {
            *completions.entry(row.prompt).or_default() += 1;
        }
        let most = *completions.values().max().unwrap();
        let mut seen = HashSet::new();
        for epoch in 0..most {
            let order = sampler.epoch(&rows, epoch).unwrap();
            let prompts: HashSet<_> = order.iter().map(|&i| rows[i].prompt).collect();
            prop_assert_eq!((prompts.len(), order.len()), (completions.len(), completions.len()));
            if epoch > 0 {
                let before: HashSet<usize> = sampler.epoch(&rows, epoch - 1).unwrap().into_iter().collect();
                let again = order.iter().filter(|i| before.contains(i));
                let only = completions.values().filter(|&&n| n == 1).count();
                prop_assert_eq!(again.count(), only);
            }
            seen.extend(order);
        }
        prop_assert_eq!(seen.len(), rows.len());
    }

    #[test]
    fn shards_are_disjoint_equal_and_cover_one_epoch(
        rows in rows(6), config in choices(), ranks in 1_usize..6, batch in 2_usize..9,
    ) {
        let one = config.init(batch, 5).unwrap();
        let len = one.epoch_len(&rows, 1).unwrap();
        prop_assume!(len >= ranks);
        let shards = shards(&config, ranks, batch, &rows);
        prop_assert!(shards.iter().all(|shard| shard.len() == len / ranks));
        let all: HashSet<usize> = shards.iter().flatten().copied().collect();
        prop_assert_eq!(all.len(), len - len % ranks);
        if ranks == 1 || len.is_multiple_of(ranks) {
            let whole = one.epoch(&rows, 1).unwrap().into_iter().collect();
            prop_assert_eq!(all, whole);
        }
    }

    #[test]
    fn sources_have_the_shares_of_their_weights(
        sources in prop::collection::vec((1_usize..40, 0.1..5.0), 1..5), all: bool, ranks in 1_usize..3, seed: u64,
    ) {
        let mixing = if all { Mixing::AllExhausted } else { Mixing::FirstExhausted };
        let parts = sources.iter().map(|&(rows, weight)| SourceConfig::new(rows, weight));
        let config = SamplerConfig::new().with_sources(parts.collect()).with_mixing(mixing).with_ranks(ranks);
        let rows = vec![RowInfo::default(); sources.iter().map(|source| source.0).sum()];
        let sampler = config.init(4, seed).unwrap();
        prop_assume!(sampler.epoch_len(&rows, 0).is_ok());
        let report = sampler.report(&rows, 0).unwrap();
        let sum: f64 = sources.iter().map(|source| source.1).sum();
        let size = report.all.examples() as f64;
        for (counts, (n, weight)) in report.sources.iter().zip(&sources) {
            prop_assert_eq!(counts.rows, *n);
            let off = (counts.examples() as f64 - size * weight / sum).abs();
            prop_assert!(off < 1.0 + (ranks - 1) as f64, "{:?}", report);
            // A row is never seen again before every other of its source was.
            prop_assert!(counts.left_out() == 0 || counts.repeated == 0);
            prop_assert!(all || counts.repeated == 0);
        }
        if ranks == 1 && all {
            prop_assert_eq!(report.all.left_out(), 0);
        }
    }

    #[test]
    fn a_mixture_keeps_the_class_ratio(ups in prop::collection::vec(3_usize..20, 2), downs in prop::collection::vec(3_usize..20, 2)) {
        let mut rows = Vec::new();
        for (&up, &down) in ups.iter().zip(&downs) {
            rows.extend((0..up + down).map(|i| RowInfo::new(0, 1).with_class(i < up)));
        }
        let parts = [(0, 3.0), (1, 1.0)].map(|(i, weight)| SourceConfig::new(ups[i] + downs[i], weight));
        let config = SamplerConfig::new().with_sources(parts.to_vec()).with_class_ratio(Some(1.0));
        let report = config.init(4, 1).unwrap().report(&rows, 0).unwrap();
        prop_assert!(report.desirable.kept.abs_diff(report.undesirable.kept) <= 2, "{}", report);
        let (one, other) = (report.sources[0].kept as f64, report.sources[1].kept as f64);
        prop_assert!((one - 3.0 * other).abs() <= 3.0, "{}", report);
    }

    #[test]
    fn batches_of_a_bucket_are_of_similar_length(seed: u64, stratified: bool, ranks in 1_usize..3) {
        let row = |i: usize| RowInfo::new(i as u64, 1 + i * i % 997).with_class(i.is_multiple_of(3));
        let rows: Vec<RowInfo> = (0..400).map(row).collect();
        let config = SamplerConfig::new().with_stratified(stratified).with_ranks(ranks);
        let of = |config: &SamplerConfig| config.init(8, seed).unwrap().epoch(&rows, 0).unwrap();
        let shuffled = spread(&rows, &of(&config), 8);
        let bucketed = of(&config.with_length_buckets(Some(20)));
        prop_assert!(spread(&rows, &bucketed, 8) < 0.4 * shuffled);
        // And not from the shortest to the longest, as they would come from one sort.
        let first = |window: &[usize]| rows[window[0]].length;
        prop_assert!(bucketed.chunks(8).zip(bucketed[8..].chunks(8)).any(|(a, b)| first(a) > first(b)));
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_was_got() {
    let plain = SamplerConfig::new;
    let of_config = [
        (
            plain().with_keep_desirable(0.0),
            "keep_desirable must be in (0, 1], got 0",
        ),
        (
            plain().with_keep_undesirable(f64::NAN),
            "keep_undesirable must be in (0, 1], got NaN",
        ),
        (
            plain().with_class_ratio(Some(-1.0)),
            "class_ratio must be positive and finite, got -1",
        ),
        (
            plain().with_sources(vec![SourceConfig::new(3, -2.0)]),
            "weight must not be negative, and finite, got -2",
        ),
        (
            plain().with_sources(vec![SourceConfig::new(3, 0.0)]),
            "sources must have a positive and finite sum of weights, got 0",
        ),
        (
            plain().with_sources(vec![SourceConfig::new(0, 1.0)]),
            "rows must be at least 1, got 0",
        ),
        (
            plain().with_length_buckets(Some(1)),
            "length_buckets must be at least 2, got 1",
        ),
        (plain().with_ranks(0), "ranks must be at least 1, got 0"),
        (
            plain().with_ranks(2).with_rank(2),
            "rank must be below ranks, got 2 of 2",
        ),
        (
            plain().with_stratified(true),
            "batch_size must be at least 2 to be stratified, got 1",
        ),
    ];
    for (config, expected) in of_config {
        let error = config.init(1, 0).unwrap_err();
        assert!(matches!(error, Error::Config { .. }));
        assert_eq!(error.to_string(), expected);
    }
    assert!(plain().init(0, 0).is_err());

    let known = RowInfo::new(1, 1);
    let up = vec![known.with_class(true); 3];
    let of_rows = [
        (
            plain().with_stratified(true),
            vec![known; 2],
            "stratified needs the thumb of every row, got none of row 0",
        ),
        (
            plain().with_keep_desirable(0.5),
            vec![known.with_class(true), known],
            "keep_desirable needs the thumb of every row, got none of row 1",
        ),
        (
            plain().with_one_per_prompt(true),
            vec![RowInfo::default()],
            "one_per_prompt needs the prompt of every row, got none of row 0",
        ),
        (
            plain().with_length_buckets(Some(2)),
            vec![RowInfo::default()],
            "length_buckets needs the length of every row, got none of row 0",
        ),
        (
            plain().with_class_ratio(Some(2.0)),
            up.clone(),
            "a class_ratio of 2 cannot be had from 3 desirable and 0 undesirable in source 0",
        ),
        (
            plain().with_sources(vec![SourceConfig::new(2, 1.0); 2]),
            up.clone(),
            "the 2 sources have 4 rows together, the data set has 3",
        ),
        (
            plain().with_ranks(4),
            up,
            "4 ranks need as many rows, got 3",
        ),
    ];
    for (config, rows, expected) in of_rows {
        let sampler = config.init(2, 0).unwrap();
        let error = sampler.epoch(&rows, 0).unwrap_err();
        assert!(matches!(error, Error::Dataset { .. }));
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            sampler.epoch_len(&rows, 0).unwrap_err().to_string(),
            expected
        );
        assert_eq!(sampler.report(&rows, 0).unwrap_err().to_string(), expected);
    }
    let sources = vec![SourceConfig::new(1, 1e-9), SourceConfig::new(1, 1.0)];
    let config = plain()
        .with_sources(sources)
        .with_mixing(Mixing::AllExhausted);
    let error = config
        .init(2, 0)
        .unwrap()
        .epoch(&[known; 2], 0)
        .unwrap_err();
    assert!(
        error.to_string().contains("more than 1000 times the 2"),
        "{error}"
    );
}

#[test]
fn batchers_describe_what_they_batch() {
    let thumb = |prompt: u32, up| TokenizedBinary::new(vec![prompt, 2], vec![3, 4, 0], up);
    let rows =
        BinaryBatcher::new(0, 64).describe(&[thumb(1, true), thumb(1, false), thumb(2, true)]);
    assert_eq!(rows[0].class, Some(true));
    assert_eq!((rows[1].class, rows[1].length), (Some(false), Some(5)));
    assert!(rows[0].prompt == rows[1].prompt && rows[0].prompt != rows[2].prompt);
    let pair = TokenizedPreference {
        prompt: vec![1, 2].into(),
        chosen: vec![3, 0].into(),
        rejected: vec![3, 4, 5, 0].into(),
    };
    let [row] = PreferenceBatcher::new(0).describe(&[pair])[..] else {
        panic!("one row each");
    };
    assert_eq!(
        (row.class, row.prompt, row.length),
        (None, rows[0].prompt, Some(6))
    );
}
