//! Each data set's own form. Rows of SHP, UltraFeedback and HALOs are made up after their schemas;
//! OpenAssistant and the demos are real too where they are at hand.

use super::{file, shared, user};
use burn_kto::prelude::*;

fn answers(pairs: &[PreferenceExample]) -> Vec<(&str, &str)> {
    pairs
        .iter()
        .map(|pair| (pair.chosen.as_str(), pair.rejected.as_str()))
        .collect()
}

const TREE: &str = r#"{"message_tree_id": "t", "tree_state": "ready_for_export", "prompt": {"message_id": "1", "text": "Hi", "role": "prompter", "lang": "en", "replies": [
 {"message_id": "2", "text": "second", "role": "assistant", "lang": "en", "rank": 1, "replies": []},
 {"message_id": "3", "text": "best", "role": "assistant", "lang": "en", "rank": 0, "review_result": true, "replies": [
  {"message_id": "6", "text": "Why?", "role": "prompter", "lang": "en", "replies": [
   {"message_id": "7", "text": "only", "role": "assistant", "lang": "en", "replies": null}]}]},
 {"message_id": "4", "text": "third", "role": "assistant", "lang": "en", "rank": 2, "deleted": false},
 {"message_id": "5", "text": "as good", "role": "assistant", "lang": "en", "rank": 2},
 {"message_id": "8", "text": "unranked", "role": "assistant", "lang": "en", "rank": null},
 {"message_id": "9", "text": "gone", "role": "assistant", "lang": "en", "rank": 5, "deleted": true},
 {"message_id": "10", "text": "spam", "role": "assistant", "lang": "en", "rank": 6, "review_result": false},
 {"message_id": "11", "text": " ", "role": "assistant", "lang": "en", "rank": 7},
 {"message_id": "12", "text": "hola", "role": "assistant", "lang": "es", "rank": 8}]}}"#;

fn tree() -> String {
    TREE.replace('\n', "")
}

#[test]
fn ranked_siblings_become_pairs_thumbs_scores_and_demonstrations() {
    let file = file(tree());
    let english = Reader::new().with_language("en");
    let loaded = english.preferences(file.path()).unwrap();
    assert_eq!(
        answers(&loaded.examples),
        [("best", "second"), ("second", "third")]
    );
    assert!(loaded.examples.iter().all(|pair| pair.prompt == user("Hi")));
    let dropped = &loaded.report.dropped;
    for reason in [
        DropReason::MessageDeleted,
        DropReason::MessageRejected,
        DropReason::EmptyCompletion,
        DropReason::AnswerUnranked,
    ] {
        assert_eq!(dropped.get(&reason), Some(&1), "{reason}: {dropped:?}");
    }
    let left_out = &loaded.report.left_out;
    assert_eq!(left_out[&LeftOutReason::OtherLanguage], 1);
    assert_eq!(left_out[&LeftOutReason::OnlyAnswer], 1);

    let all = english.clone().with_pairs(RankedPairs::All);
    let all = all.preferences(file.path()).unwrap().examples;
    assert_eq!(all.len(), 5, "best>3, second>2, equals make none");
    let ends = english.clone().with_pairs(RankedPairs::Extremes);
    let ends = ends.preferences(file.path()).unwrap().examples;
    assert_eq!(ends[0].chosen, "best");

    let thumbs = english.binary(file.path()).unwrap();
    let thumbs: Vec<_> = thumbs
        .examples
        .iter()
        .map(|e| (e.completion.as_str(), e.desirable))
        .collect();
    assert_eq!(
        thumbs,
        [
            ("best", true),
            ("second", true),
            ("third", false),
            ("as good", false)
        ]
    );

    let scored = english.scored(file.path()).unwrap();
    assert_eq!(scored.report.scores, Some((-2.0, 0.0)));
    let sft = english.sft(file.path()).unwrap().examples;
    let taught: Vec<_> = sft.iter().map(|e| e.completion.as_str()).collect();
    assert_eq!(taught, ["only", "best"]);
    let Prompt::Messages(path) = &sft[0].prompt else {
        panic!()
    };
    let path: Vec<_> = path.iter().map(|m| (&m.role[..], &m.content[..])).collect();
    assert_eq!(
        path,
        [("user", "Hi"), ("assistant", "best"), ("user", "Why?")]
    );

    let strict = english.with_strict().preferences(file.path()).unwrap_err();
    assert!(strict.to_string().contains(":1: "), "{strict}");
}

#[test]
fn a_message_with_replies_is_read_as_its_tree() {
    let prompt: serde_json::Value = serde_json::from_str(&tree()).unwrap();
    let both = [tree(), prompt["prompt"].to_string()];
    let [a, b] = both.map(|text| read_preferences(file(text).path()).unwrap().examples);
    assert_eq!(a, b);
}

#[test]
fn openassistant_has_its_known_groups() {
    for name in ["oasst_en_100_tree.jsonl", "oasst_en_100_message.jsonl"] {
        let Some(path) = shared(name) else { return };
        let reader = Reader::new();
        let loaded = reader.preferences(&path).unwrap();
        let groups: std::collections::HashSet<_> =
            loaded.examples.iter().map(|e| &e.prompt).collect();
        // 211 fully ranked groups and the three ranked answers of one more.
        assert_eq!((groups.len(), loaded.examples.len()), (212, 429));
        assert_eq!(loaded.report.rows, 100);
        let thumbs = reader.binary(&path).unwrap().report;
        assert_eq!((thumbs.desirable, thumbs.undesirable), (260, 260));
    }
}

const SHP: &str = r#"{"history": "Why?", "human_ref_A": "So.", "human_ref_B": "No.", "labels": 1, "score_A": 9, "score_B": 3, "score_ratio": 3.0}
{"history": "Why?", "human_ref_A": "Hm.", "human_ref_B": "So.", "labels": 0, "score_A": 8, "score_B": 9}
{"history": "Why?", "human_ref_A": "So.", "human_ref_B": "Eh.", "labels": 1, "score_A": 9, "score_B": 0}
{"history": "Why?", "human_ref_A": "So.", "human_ref_B": "Eh.", "labels": 0, "score_A": 9, "score_B": 2}
"#;

#[test]
fn shp_is_cut_by_ratio_and_prompt() {
    let rows = file(SHP);
    let loaded = read_preferences(rows.path()).unwrap();
    assert_eq!(
        answers(&loaded.examples),
        [("So.", "No."), ("So.", "Hm."), ("So.", "Eh.")]
    );
    assert_eq!(loaded.report.dropped[&DropReason::LabelAgainstScores], 1);
    let sure = Reader::new().with_score_ratio(2.0);
    let loaded = sure.preferences(rows.path()).unwrap();
    assert_eq!(answers(&loaded.examples), [("So.", "No.")]);
    assert_eq!(loaded.report.left_out[&LeftOutReason::ScoresTooClose], 1);
    assert_eq!(loaded.report.left_out[&LeftOutReason::ScoreNotPositive], 1);
    for seed in 0..5 {
        let few = Reader::new().with_per_prompt(2).with_seed(seed);
        let thumbs = few.binary(rows.path()).unwrap();
        assert_eq!(
            (thumbs.report.desirable, thumbs.report.undesirable),
            (2, 2),
            "pairs stay together"
        );
        assert_eq!(thumbs.report.left_out[&LeftOutReason::TooManyOfPrompt], 1);
    }
    let error = Reader::new().with_score_ratio(0.5).binary(rows.path());
    assert!(error.unwrap_err().to_string().starts_with("score_ratio"));
    let row = SHP
        .lines()
        .next()
        .unwrap()
        .replace("\"labels\": 1", "\"labels\": \"A\"");
    let error = read_preferences(file(row).path()).unwrap_err().to_string();
    assert!(
        error.contains("\"labels\" must be 1 (A is better)"),
        "{error}"
    );
}

#[test]
fn ultra_feedback_is_rated_by_the_mean_of_its_aspects() {
    let answer = |text: &str, ratings: [&str; 2], overall: f64| {
        serde_json::json!({"model": "m", "response": text, "overall_score": overall, "annotations": {
            "honesty": {"Rating": ratings[0], "Rationale": "…"}, "helpfulness": [{"Rating": ratings[1]}]}})
    };
    let row = serde_json::json!({"source": "s", "instruction": "Hi", "models": [], "completions": [
        answer("bad", ["1", "N/A"], 10.0), answer("good", ["4", "5"], 8.0), answer("fair", ["3", "3"], 6.0),
        answer("unrated", ["N/A", "N/A"], 7.0)]});
    let file = file(row.to_string());
    let scored = read_scored(file.path()).unwrap();
    assert_eq!(scored.report.dropped[&DropReason::AnswerUnrated], 1);
    assert_eq!(
        scored.examples,
        [
            ScoredExample::new(user("Hi"), "good", 4.5),
            ScoredExample::new(user("Hi"), "fair", 3.0),
            ScoredExample::new(user("Hi"), "bad", 1.0)
        ]
    );
    let ends = Reader::new().with_pairs(RankedPairs::Extremes);
    let pairs = ends.preferences(file.path()).unwrap().examples;
    assert_eq!(answers(&pairs), [("good", "bad")]);
    let overall = ends.with_overall_score().preferences(file.path()).unwrap();
    assert_eq!(answers(&overall.examples), [("bad", "fair")]);
    assert_eq!(
        read_sft(file.path()).unwrap().examples[0].completion,
        "good"
    );
    // The binarised form is read by its columns.
    let row = r#"{"prompt": "Hi", "prompt_id": "p", "score_chosen": 8.0, "score_rejected": 5.0, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "a"}],
        "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "a"}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "b"}]}"#;
    let loaded = read_preferences(super::file(row.replace('\n', "")).path()).unwrap();
    assert_eq!(answers(&loaded.examples), [("a", "b")]);
}

#[test]
fn halos_thumbs_and_pairs() {
    let said = |text: &str| serde_json::json!([{"role": "assistant", "content": text}]);
    let prompt = serde_json::json!([{"role": "user", "content": "Hi"}]);
    let thumb = serde_json::json!({"prompt_id": 1, "prompt": prompt, "output": said("a"), "label": 1, "reward": 0.3,
        "type": "binary_feedback", "split": "train"});
    let loaded = read_binary(file(thumb.to_string()).path()).unwrap();
    assert_eq!(loaded.examples, [BinaryExample::new(user("Hi"), "a", true)]);
    assert_eq!(loaded.report.formats[&Format::Halos], 1);
    let pair = |label: i32| {
        let row = serde_json::json!({"prompt_id": 1, "prompt": prompt, "output_A": said("a"), "output_B": said("b"), "label": label,
            "reward_A": 1.0, "reward_B": 0.0, "type": "pairwise_feedback"});
        let loaded = read_preferences(file(row.to_string()).path()).unwrap();
        loaded.examples.into_iter().next().unwrap()
    };
    assert_eq!((pair(1).chosen, pair(0).chosen), ("a".into(), "b".into()));
    // What was asked is in "prompt": a conversation beside it holds no answer that calls a tool.
    let call = serde_json::json!([{"role": "assistant", "content": "", "tool_calls": [{"id": 1}]}]);
    let mut row = thumb;
    row["messages"] = call;
    let loaded = read_binary(file(row.to_string()).path()).unwrap();
    assert_eq!(loaded.examples[0].completion, "a");
}

#[test]
fn conversations_in_the_way_of_sharegpt() {
    let row = r#"{"system": "Be brief.", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}], "kto_tag": true}"#;
    let loaded = read_binary(file(row).path()).unwrap();
    let prompt = vec![
        Message::new("system", "Be brief."),
        Message::new("user", "Hi"),
    ];
    assert_eq!(
        loaded.examples,
        [BinaryExample::new(prompt.clone(), "Hello!", true)]
    );
    let row = row.replace(", \"kto_tag\": true", "");
    let sft = read_sft(file(row).path()).unwrap().examples;
    assert_eq!(sft, [SftExample::new(prompt, "Hello!")]);
    let part = |text: &str| {
        format!(
            r#"[{{"role": "user", "content": "Hi"}}, {{"role": "assistant", "content": [{{"type": "text", "value": "{text}"}}], "loss_weight": 1.0}}]"#
        )
    };
    let row = format!(
        r#"{{"chosen_messages": {}, "rejected_messages": {}}}"#,
        part("a"),
        part("b")
    );
    let pairs = read_preferences(file(row).path()).unwrap().examples;
    assert_eq!(pairs, [PreferenceExample::new(user("Hi"), "a", "b")]);
    let image = r#"{"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}, {"role": "assistant", "content": "a"}], "label": true}"#;
    let error = read_binary(file(image).path()).unwrap_err().to_string();
    let expected = "dropped 1: content of a message is not text";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn instructions_in_the_way_of_alpaca() {
    let rows = r#"{"instruction": "Add.", "input": "2 2", "output": "4"}
{"instruction": "Sing.", "input": "", "output": "La."}"#;
    let sft = read_sft(file(rows).path()).unwrap().examples;
    assert_eq!(
        sft,
        [
            SftExample::new(vec![Message::new("user", "Add.\n2 2")], "4"),
            SftExample::new(vec![Message::new("user", "Sing.")], "La.")
        ]
    );
    if let Some(path) = shared("llamafactory_alpaca_en_demo.json") {
        assert_eq!(read_sft(path).unwrap().report.rows, 999);
    }
    if let Some(path) = shared("llamafactory_v1_dpo_demo.jsonl") {
        assert_eq!(read_preferences(path).unwrap().examples.len(), 10);
    }
}

#[test]
fn a_named_format_is_held_to() {
    let reader = Reader::new().with_format("shp".parse().unwrap());
    assert_eq!(
        reader.preferences(file(SHP).path()).unwrap().examples.len(),
        3
    );
    let error = reader.preferences(file(tree()).path()).unwrap_err();
    let expected = ":1: is not of the format shp: its columns are those of oasst: ";
    assert!(error.to_string().contains(expected), "{error}");
    for format in [
        "columns",
        "hh",
        "oasst",
        "shp",
        "ultra-feedback",
        "halos",
        "sharegpt",
        "alpaca",
        "verdict",
        "ranking",
    ] {
        assert_eq!(format.parse::<Format>().unwrap().to_string(), format);
    }
    assert!("parquet".parse::<Format>().is_err());
}

#[test]
fn calls_of_tools_are_part_of_the_prompt_and_no_completion() {
    let call = r#"{"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}"#;
    let row = format!(
        r#"{{"messages": [{{"role": "user", "content": "Hi"}}, {call}, {{"role": "tool", "content": "2", "name": "f"}}, {{"role": "assistant", "content": "Two."}}], "label": true}}"#
    );
    let loaded = read_binary(file(row).path()).unwrap();
    let Prompt::Messages(messages) = &loaded.examples[0].prompt else {
        panic!()
    };
    assert_eq!(messages[1].extra["tool_calls"][0]["function"]["name"], "f");
    assert_eq!(
        (
            messages[2].role.as_str(),
            messages[2].extra["name"].as_str()
        ),
        ("tool", Some("f"))
    );
}

#[test]
fn every_turn_of_the_assistant_may_be_a_demonstration() {
    let row = r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}"#;
    let taught = |reader: Reader| -> Vec<String> {
        let loaded = reader.sft(file(row).path()).unwrap();
        loaded.examples.into_iter().map(|e| e.completion).collect()
    };
    assert_eq!(taught(Reader::new()), ["d"]);
    assert_eq!(taught(Reader::new().with_every_turn()), ["b", "d"]);
}

#[test]
fn what_was_said_twice_is_counted_and_left_out_on_request() {
    let row = |completion: &str, label: bool| {
        format!(r#"{{"prompt": "a", "completion": "{completion}", "label": {label}}}"#)
    };
    let rows = [
        row("b", true),
        row("b", true),
        row("b", false),
        row("c", true),
    ]
    .join("\n");
    let rows = file(rows);
    let loaded = read_binary(rows.path()).unwrap();
    let report = &loaded.report;
    assert_eq!((report.examples, report.prompts), (4, 1));
    assert_eq!((report.duplicated, report.contradicted), (1, 1));
    let table = report.table();
    assert!(
        table.contains("rows                   4  in 1 files: columns"),
        "{table}"
    );
    let json = serde_json::to_value(report).unwrap();
    assert_eq!(
        (&json["formats"]["columns"], &json["duplicated"]),
        (&4.into(), &1.into())
    );
    let once = Reader::new()
        .without_duplicates()
        .binary(rows.path())
        .unwrap();
    assert_eq!(once.examples.len(), 3);
    assert_eq!(once.report.left_out[&LeftOutReason::Duplicate], 1);
}

#[test]
fn a_setting_for_another_format_is_refused() {
    let rows = file(r#"{"prompt": "a", "completion": "b", "label": true}"#);
    for (reader, expected) in [
        (
            Reader::new().with_language("en"),
            "language is for oasst, got rows of columns",
        ),
        (
            Reader::new().with_score_ratio(2.0),
            "score_ratio is for shp, got rows of columns",
        ),
        (
            Reader::new().with_overall_score(),
            "overall_score is for ultra-feedback, got rows of columns",
        ),
    ] {
        let error = reader.binary(rows.path()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_key_that_is_there_twice_is_an_error() {
    let row = r#"{"prompt": "a", "completion": "b", "label": true, "label": false}"#;
    for text in [row.to_string(), format!("[{row}]")] {
        let error = read_binary(file(text).path()).unwrap_err().to_string();
        assert!(error.contains("\"label\" is there twice"), "{error}");
    }
}

#[test]
fn shards_are_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let row = |completion: &str| {
        format!(r#"{{"prompt": "a", "completion": "{completion}", "label": true}}"#)
    };
    for (name, text) in [("1.jsonl", row("b")), ("0.json", format!("[{}]", row("c")))] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for path in [folder.path().to_path_buf(), folder.path().join("*.json*")] {
        let loaded = read_binary(path).unwrap();
        let said: Vec<_> = loaded
            .examples
            .iter()
            .map(|e| e.completion.as_str())
            .collect();
        assert_eq!(said, ["c", "b"]);
        assert_eq!(loaded.report.files, 2);
    }
}

#[cfg(feature = "zstd")]
#[test]
fn zstandard_is_read_and_a_truncated_file_is_an_error() {
    let row = r#"{"prompt": "a", "completion": "b", "label": true}"#;
    let pack = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let packed = pack(row);
    assert_eq!(read_binary(file(&packed).path()).unwrap().examples.len(), 1);
    let frames = [pack(&format!("{row}\n")), pack(row)].concat();
    assert_eq!(read_binary(file(frames).path()).unwrap().examples.len(), 2);
    let error = read_binary(file(&packed[..packed.len() / 2]).path());
    assert!(error.unwrap_err().to_string().starts_with("cannot read "));
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_is_read_and_a_damaged_file_is_an_error() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/data/thumbs.parquet"
    );
    let loaded = read_binary(path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let messages = vec![
        Message::new("user", "Hi"),
        Message::new("assistant", "Yes?"),
        Message::new("user", "Ä\n"),
    ];
    assert_eq!(
        loaded.examples,
        [
            BinaryExample::new(user("Hi"), "Hello!", true),
            BinaryExample::new(messages, "What?", false)
        ]
    );
    for cut in [4, bytes.len() / 2, bytes.len() - 1] {
        let error = read_binary(file(&bytes[..cut]).path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("is not a Parquet file that can be read"),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
}

#[cfg(feature = "tokenizers")]
#[test]
fn tools_that_a_row_offers_reach_the_template() {
    let template = JinjaTemplate::new(
        "{% for t in tools or [] %}[{{ t.name }}]{% endfor %}{% for m in messages %}{{ m | tojson }}{% endfor %}",
        "",
        "",
    );
    let template = template.unwrap();
    let text = |row: serde_json::Value| {
        let loaded = read_sft(file(row.to_string()).path()).unwrap();
        let Prompt::Messages(messages) = &loaded.examples[0].prompt else {
            panic!()
        };
        template.render(messages, false).unwrap()
    };
    let row = |tools: serde_json::Value| {
        let messages = serde_json::json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
        serde_json::json!({"messages": messages, "tools": tools})
    };
    let said = r#"{"role": "user", "content": "a"}"#;
    let list = serde_json::json!([{"name": "f"}, {"name": "g"}]);
    assert_eq!(text(row(list.clone())), format!("[f][g]{said}"));
    // Tables have them as text.
    assert_eq!(text(row(list.to_string().into())), format!("[f][g]{said}"));
    for none in [
        serde_json::json!(null),
        "".into(),
        "[]".into(),
        serde_json::json!([]),
    ] {
        assert_eq!(text(row(none)), said);
    }
    for wrong in [serde_json::json!({"name": "f"}), "f".into(), 1.into()] {
        let error = read_sft(file(row(wrong).to_string()).path()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(":1: \"tools\" must be a list, got"),
            "{error}"
        );
    }
}

#[test]
fn an_answer_that_calls_a_tool_is_dropped_and_counted() {
    let call = r#"{"role": "assistant", "content": "so", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}"#;
    let text = r#"{"role": "assistant", "content": "b"}"#;
    let user = r#"{"role": "user", "content": "a"}"#;
    let rows = [
        format!(r#"{{"messages": [{user}, {call}]}}"#),
        format!(r#"{{"messages": [{user}, {call}, {text}]}}"#),
        format!(
            r#"{{"messages": [{user}, {{"role": "assistant", "content": "c", "tool_calls": []}}]}}"#
        ),
        format!(r#"{{"prompt": [{user}], "completion": [{call}]}}"#),
        format!(r#"{{"prompt": [{user}], "chosen": [{text}], "rejected": [{call}]}}"#),
        format!(r#"{{"chosen": [{user}, {text}], "rejected": [{user}, {call}]}}"#),
        format!(r#"{{"conversations": [{user}, {call}]}}"#),
    ];
    let loaded = read_sft(file(rows.join("\n")).path()).unwrap();
    let taught: Vec<_> = loaded
        .examples
        .iter()
        .map(|e| e.completion.as_str())
        .collect();
    assert_eq!(taught, ["b", "c"]);
    assert_eq!(loaded.report.dropped[&DropReason::CallsTool], 5);
    let error = Reader::new()
        .with_strict()
        .sft(file(rows.join("\n")).path());
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with(":1: completion calls a tool"), "{error}");
}
