//! Frequencies by hand and by the formulas of transformers 5.24, and fields that are refused.

use super::*;
use serde_json::json;

/// Of a configuration that has these fields, with 64 positions.
fn rotary(fields: Value) -> Result<Rotary, String> {
    let mut other = fields.as_object().unwrap().clone();
    let theta = other.shift_remove("rope_theta");
    let scaling = other.shift_remove("rope_scaling");
    let parameters = other.shift_remove("rope_parameters");
    let fields = Fields {
        theta: theta.and_then(|theta| theta.as_f64()),
        scaling: scaling.as_ref(),
        parameters: parameters.as_ref(),
        other: &other,
        longest: 64,
    };
    Rotary::of(&fields).map_err(|error| error.to_string())
}

fn frequencies(fields: Value, dim: usize) -> (Vec<f64>, f64) {
    rotary(fields).unwrap().frequencies(dim)
}

fn check(got: (Vec<f64>, f64), expected: &[f64], scale: f64) {
    assert_eq!(got.0.len(), expected.len());
    for (got, expected) in got.0.iter().zip(expected) {
        assert!((got / expected - 1.0).abs() < 1e-12, "{got} {expected}");
    }
    assert!((got.1 - scale).abs() < 1e-12, "{}", got.1);
}

#[test]
fn linear_scaling_divides_all() {
    let (plain, _) = frequencies(json!({}), 8);
    check((plain.clone(), 1.0), &[1.0, 0.1, 0.01, 0.001], 1.0);
    let divided: Vec<f64> = plain.iter().map(|plain| plain / 4.0).collect();
    for name in ["type", "rope_type"] {
        let scaled = json!({"rope_scaling": {name: "linear", "factor": 4.0}});
        check(frequencies(scaled, 8), &divided, 1.0);
    }
}

#[test]
fn llama3_keeps_fast_and_divides_slow_frequencies() {
    let (plain, _) = frequencies(json!({"rope_theta": 500_000.0}), 128);
    let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    let fields = json!({"rope_theta": 500_000.0, "rope_scaling": scaling});
    let (scaled, scale) = frequencies(fields, 128);
    assert_eq!(
        (scaled[0], scaled[63], scale),
        (plain[0], plain[63] / 8.0, 1.0)
    );
    let mut pairs = scaled.iter().zip(&plain);
    assert!(pairs.all(|(s, p)| *s <= *p && *s >= p / 8.0));
}

#[test]
fn yarn_is_that_of_transformers() {
    let yarn = |theta: f64, more: Value| {
        let mut rope = json!({"rope_type": "yarn", "rope_theta": theta});
        let more = more.as_object().unwrap().clone();
        rope.as_object_mut().unwrap().extend(more);
        frequencies(json!({"rope_parameters": rope}), 16)
    };
    check(
        yarn(
            1e4,
            json!({"factor": 4, "original_max_position_embeddings": 2048}),
        ),
        &[
            1.0,
            0.31622776601683794,
            0.1,
            0.02569350598886808,
            0.00625,
            0.0013834964763236657,
            0.00025,
            7.905694150420948e-05,
        ],
        1.138629436111989,
    );
    check(
        yarn(
            1e6,
            json!({"factor": 4, "original_max_position_embeddings": 32768, "truncate": false,
                "beta_fast": 16, "beta_slow": 2}),
        ),
        &[
            1.0,
            0.17782794100389226,
            0.03162277660168379,
            0.005623413251903491,
            0.0005956798964663989,
            4.445698525097307e-05,
            7.905694150420949e-06,
            1.4058533129758728e-06,
        ],
        1.138629436111989,
    );
    check(
        yarn(
            1e4,
            json!({"factor": 40, "original_max_position_embeddings": 4096, "mscale": 1.0,
                "mscale_all_dim": 0.7}),
        ),
        &[
            1.0,
            0.31622776601683794,
            0.1,
            0.023914724805023366,
            0.005125,
            0.0008498621211702518,
            2.5e-05,
            7.905694150420947e-06,
        ],
        1.0879546075066122,
    );
    let said =
        json!({"factor": 4, "original_max_position_embeddings": 2048, "attention_factor": 2});
    assert_eq!(yarn(1e4, said).1, 2.0);
}

#[test]
fn dynamic_scaling_is_none_up_to_the_longest_sequence() {
    let scaling = |more: Value| json!({"rope_scaling": more});
    let plain = rotary(json!({}));
    assert_eq!(
        rotary(scaling(json!({"type": "dynamic", "factor": 2.0}))),
        plain
    );
    let original = |n: u64| json!({"type": "dynamic", "factor": 2.0, ORIGINAL: n});
    assert_eq!(rotary(scaling(original(64))), plain);
    assert!(
        rotary(scaling(original(32)))
            .unwrap_err()
            .starts_with(ORIGINAL)
    );
}

#[test]
fn kinds_of_layer_that_are_alike_are_one() {
    let rope = json!({"rope_type": "default", "rope_theta": 500_000.0});
    let flat = rotary(json!({"rope_parameters": rope})).unwrap();
    assert_eq!(flat, rotary(json!({"rope_theta": 500_000.0})).unwrap());
    let nested = json!({"full_attention": rope, "sliding_attention": rope});
    assert_eq!(rotary(json!({"rope_parameters": nested})).unwrap(), flat);
    let other = json!({"rope_type": "default", "rope_theta": 1e4});
    let nested = json!({"full_attention": rope, "sliding_attention": other});
    let error = rotary(json!({"rope_parameters": nested})).unwrap_err();
    assert!(
        error.starts_with("rope_parameters must be alike for all kinds of layer"),
        "{error}"
    );
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    for (fields, start, named) in [
        (
            json!({"rope_scaling": {"type": "longrope", "short_factor": [1]}}),
            "rope_type",
            "longrope",
        ),
        (json!({"rope_scaling": {"type": "su"}}), "rope_type", "su"),
        (json!({"rope_scaling": {"type": 3}}), "rope_type", "3"),
        (
            json!({"rope_scaling": {"type": "mrope", "rope_type": "default"}}),
            "rope_type",
            "default",
        ),
        (
            json!({"rope_scaling": {"type": "default", "mrope_section": [1]}}),
            "rope_scaling",
            "mrope_section",
        ),
        (
            json!({"rope_scaling": {"factor": 4.0}}),
            "rope_scaling",
            "factor 4.0",
        ),
        (
            json!({"rope_scaling": {"type": "linear"}}),
            "factor",
            "null",
        ),
        (
            json!({"rope_scaling": {"type": "linear", "factor": "4"}}),
            "factor",
            "4",
        ),
        (
            json!({"rope_scaling": {"type": "linear", "factor": -4}}),
            "factor",
            "-4",
        ),
        (json!({"rope_scaling": "linear"}), "rope_scaling", "linear"),
        (
            json!({ORIGINAL: 16, "rope_scaling": {"type": "yarn", "factor": 4, ORIGINAL: 32}}),
            ORIGINAL,
            "delete the one that is not so, got 16",
        ),
        (
            json!({ORIGINAL: "16", "rope_scaling": {"type": "yarn", "factor": 4}}),
            ORIGINAL,
            "16",
        ),
        (
            json!({"layer_types": ["full_attention", "sliding_attention"],
                "rope_parameters": {"full_attention": {}, "sliding_attention": null}}),
            "rope_parameters",
            "sliding_attention",
        ),
        (
            json!({"rope_scaling": {"type": "yarn", "factor": 4, "finetuned": true}}),
            "rope_scaling",
            "finetuned",
        ),
        (
            json!({"rope_parameters": {"partial_rotary_factor": 0.5}}),
            "rope_scaling",
            "partial_rotary_factor",
        ),
        (
            json!({"rope_parameters": {"rope_theta": "10000"}}),
            "rope_theta",
            "10000",
        ),
        (
            json!({"rope_theta": 1e4, "rope_parameters": {"rope_theta": 1e6}}),
            "rope_theta",
            "10000",
        ),
        (
            json!({"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"rope_theta": 1e6}}),
            "rope_scaling",
            "linear",
        ),
        (json!({"rope_theta": 0.0}), "rope_theta", "0"),
        (
            json!({"partial_rotary_factor": 0.5}),
            "fields of rotary positions",
            "partial_rotary_factor",
        ),
        (
            json!({"rope_interleaved": true}),
            "fields of rotary positions",
            "rope_interleaved",
        ),
        (
            json!({"no_rope_layers": [1, 0]}),
            "fields of rotary positions",
            "no_rope_layers",
        ),
        (
            json!({"rope_local_base_freq": 1e4}),
            "fields of rotary positions",
            "rope_local_base_freq",
        ),
    ] {
        let error = rotary(fields.clone()).unwrap_err();
        assert!(
            error.starts_with(start) && error.contains(named),
            "{fields}: {error}"
        );
    }
    for harmless in [
        json!({"rope_scaling": null, "rope_parameters": {}}),
        json!({"rope_interleaved": false, "partial_rotary_factor": 1.0, "no_rope_layers": []}),
        json!({"rope_scaling": {"type": "default", "rope_type": "default", "factor": null}}),
    ] {
        assert_eq!(rotary(harmless), rotary(json!({})));
    }
}

/// The same, written in all ways that transformers takes for it.
#[test]
fn ways_of_writing_the_same_are_the_same() {
    let llama3 = |more: Value| {
        let mut rope = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0});
        let more = more.as_object().unwrap().clone();
        rope.as_object_mut().unwrap().extend(more);
        rope
    };
    let yarn = json!({"type": "yarn", "factor": 4});
    let linear = json!({"type": "linear", "factor": 2});
    let newer = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 1e6});
    let default = json!({"rope_type": "default", "rope_theta": 5e5});
    for all in [
        // The original length inside, outside and in both.
        vec![
            json!({"rope_scaling": llama3(json!({ORIGINAL: 32}))}),
            json!({ORIGINAL: 32, "rope_scaling": llama3(json!({}))}),
            json!({ORIGINAL: 32.0, "rope_parameters": llama3(json!({ORIGINAL: 32}))}),
        ],
        // Of the longest sequence where it is in neither.
        vec![
            json!({"rope_scaling": {"type": "yarn", "factor": 4, ORIGINAL: 64}}),
            json!({"rope_scaling": yarn}),
            json!({ORIGINAL: 64, "rope_scaling": yarn}),
            json!({ORIGINAL: null, "rope_parameters": yarn}),
        ],
        // Both fields, in the words of their time.
        vec![
            json!({"rope_theta": 1e6, "rope_scaling": linear}),
            json!({"rope_parameters": newer}),
            json!({"rope_theta": 1_000_000, "rope_scaling": linear, "rope_parameters": newer}),
            json!({"rope_theta": 1e6, "rope_scaling": {"type": "linear", "factor": 2, ORIGINAL: 7}}),
            json!({"rope_theta": 1e6, ORIGINAL: 7, "rope_scaling": linear}),
            json!({"rope_scaling": {}, "rope_parameters": newer}),
            json!({"rope_theta": 1e6, "rope_scaling": {"type": "linear", "rope_type": "linear", "factor": 2}}),
        ],
        vec![
            json!({"rope_theta": 5e5}),
            json!({"rope_parameters": {"full_attention": default, "sliding_attention": null}}),
            json!({"rope_theta": 5e5, "rope_parameters": {"full_attention": default,
                "sliding_attention": {"type": "default"}}}),
            json!({"rope_theta": 5e5, "rope_scaling": {"type": "default"}, "rope_parameters": default}),
        ],
    ] {
        let first = rotary(all[0].clone()).unwrap();
        for other in all {
            assert_eq!(rotary(other.clone()), Ok(first), "{other}");
        }
    }
}
