//! Whatever a file holds, reading it ends in examples or in an error of one line, never in a panic.
//! `PROPTEST_CASES=1000000` looks longer.

use super::{file, gzip};
use burn_kto::prelude::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A good row of every format.
fn seeds() -> Vec<Value> {
    let turns =
        json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]);
    let parts = json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, {"role": "assistant", "content": "a"}]);
    vec![
        json!({"prompt": "a", "completion": "b", "label": true, "weight": 0.5}),
        json!({"prompt": "a", "completion": "b", "score": 4.5}),
        json!({"messages": turns, "label": 0}),
        json!({"prompt": "a", "chosen": turns, "rejected": turns}),
        json!({"chosen_messages": parts, "rejected_messages": parts}),
        json!({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}),
        json!({"message_tree_id": "t", "prompt": {"text": "a", "role": "prompter", "lang": "en", "replies": [
            {"text": "b", "role": "assistant", "rank": 0, "replies": []}, {"text": "c", "role": "assistant", "rank": 1, "deleted": false}]}}),
        json!({"history": "a", "human_ref_A": "b", "human_ref_B": "c", "labels": 1, "score_A": 9, "score_B": 3}),
        json!({"instruction": "a", "completions": [{"response": "b", "overall_score": 3, "annotations": {"honesty": {"Rating": "4"}}}]}),
        json!({"prompt": turns, "output_A": turns, "output_B": turns, "label": 1}),
        json!({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "kto_tag": true, "system": "c"}),
        json!({"instruction": "a", "input": "b", "output": "c"}),
        json!({"prompt": "a", "response_0": "b", "response_1": "c", "better_response_id": 1}),
        json!({"conversation_a": turns, "conversation_b": turns, "winner": "tie", "model_a": "x", "model_b": "y"}),
        json!({"prompt": "[\"a\"]", "response_a": "[\"b\"]", "response_b": "[\"c\"]", "winner_model_a": 1, "winner_model_b": 0}),
        json!({"question": "a", "answers": [{"answer": "b", "rank": 1}, {"text": "c", "score": 2}]}),
        json!({"prompt": "a", "responses": ["b", "c"], "scores": [1, 2]}),
        json!({"message_id": "a", "parent_id": null, "text": "b", "role": "prompter"}),
        json!({"input": {"messages": turns, "tools": []}, "preferred_output": turns, "non_preferred_output": turns}),
        json!({"query": "a", "response": "b", "history": [["c", "d"]], "system": "e", "context": "f"}),
        json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0, "train": false},
            {"role": "function_call", "content": "{\"name\": \"f\"}"}, {"role": "model", "parts": [{"text": "b"}]}]}),
        json!({"messages": turns.to_string(), "rejected_response": "b"}),
        json!({"data": [{"text": "a"}], "version": 1}),
    ]
}

fn odd() -> impl Strategy<Value = Value> {
    let values = vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1e308),
        json!(18446744073709551615_u64),
        json!(""),
        json!(" \u{0}\u{feff}"),
        json!("\n\nHuman: "),
        json!("N/A"),
        json!([]),
        json!([[]]),
        json!({}),
        json!([{"role": "assistant", "content": "x"}]),
        json!({"role": "user", "replies": [null]}),
    ];
    prop::sample::select(values)
}

/// Puts `odd` where the path of draws leads.
fn put(value: &mut Value, path: &[prop::sample::Index], odd: Value) {
    let next = match (path.split_first(), &mut *value) {
        (Some((i, rest)), Value::Object(map)) if !map.is_empty() => {
            let i = i.index(map.len());
            map.values_mut().nth(i).map(|value| (value, rest))
        }
        (Some((i, rest)), Value::Array(items)) if !items.is_empty() => {
            let i = i.index(items.len());
            items.get_mut(i).map(|value| (value, rest))
        }
        _ => None,
    };
    match next {
        Some((value, rest)) => put(value, rest, odd),
        None => *value = odd,
    }
}

fn read_everything(bytes: &[u8]) {
    let file = file(bytes);
    let reader = Reader::new().with_per_prompt(1);
    let errors = [
        reader.binary(file.path()).err(),
        reader.preferences(file.path()).err(),
        reader.scored(file.path()).err(),
        reader.clone().with_strict().sft(file.path()).err(),
        reader.clone().with_every_turn().sft(file.path()).err(),
        reader
            .clone()
            .with_columns([("prompt", "a.b"), ("label", "prompt")])
            .binary(file.path())
            .err(),
        reader.clone().with_language("en").binary(file.path()).err(),
        reader.with_score_ratio(2.0).binary(file.path()).err(),
    ];
    for error in errors.into_iter().flatten() {
        let error = error.to_string();
        // Settings for a format that the file does not have.
        let of_settings = [
            "language is for",
            "score_ratio is for",
            "columns: no row has",
        ];
        if of_settings.iter().any(|start| error.starts_with(start)) {
            continue;
        }
        assert!(!error.contains('\n'), "{error:?}");
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }
}

proptest! {
    #[test]
    fn odd_values_anywhere(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 1..6), odd()), 1..4),
        array in any::<bool>(),
    ) {
        let seeds = seeds();
        let mut row = seeds[seed.index(seeds.len())].clone();
        for (path, odd) in changes {
            put(&mut row, &path, odd);
        }
        let text = if array { format!("[{row}, {row}]") } else { format!("{row}\n{row}") };
        read_everything(text.as_bytes());
    }

    #[test]
    fn odd_bytes_anywhere(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 0..8),
        end in any::<prop::sample::Index>(),
        packed in any::<bool>(),
    ) {
        let seeds = seeds();
        let row = seeds[seed.index(seeds.len())].to_string();
        let mut bytes = format!("{row}\n{row}\n").into_bytes();
        if packed {
            bytes = gzip(&bytes);
        }
        for (at, byte, what) in changes {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ if bytes.len() > 1 => { bytes.remove(at); }
                _ => {}
            }
        }
        // Mostly whole, now and then cut.
        if end.index(4) == 0 {
            bytes.truncate(end.index(bytes.len()));
        }
        read_everything(&bytes);
    }

    #[cfg(feature = "csv")]
    #[test]
    fn odd_tables(
        cells in prop::collection::vec(prop::collection::vec("[a\",\n\r;\t\\[{}0 é]{0,6}", 1..4), 0..6),
        separator in prop::sample::select(vec![",", "\t", ";"]),
    ) {
        let rows = cells.iter().map(|cells| cells.join(separator) + "\n");
        let table = format!("prompt{separator}completion{separator}label\n{}", rows.collect::<String>());
        read_everything(table.as_bytes());
    }
}
