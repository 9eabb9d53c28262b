//! Rows that say more than a prompt and a text: nothing of it is lost without a word.

use super::file;
use burn_kto::prelude::*;
use serde_json::{Value, json};

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

/// `role:text` of each message.
fn said(prompt: &Prompt) -> Vec<String> {
    match prompt {
        Prompt::Text(text) => vec![text.clone()],
        Prompt::Messages(messages) => messages
            .iter()
            .map(|m| format!("{}:{}", &m.role[..1], m.content))
            .collect(),
    }
}

fn thumb(row: Value) -> Result<BinaryExample, String> {
    let loaded = read_binary(file(row.to_string()).path());
    let loaded = loaded.map_err(|error| error.to_string())?;
    Ok(loaded.examples[0].clone())
}

fn pair(row: Value) -> Result<PreferenceExample, String> {
    let loaded = read_preferences(file(row.to_string()).path());
    let loaded = loaded.map_err(|error| error.to_string())?;
    Ok(loaded.examples[0].clone())
}

fn demonstration(row: Value) -> Result<SftExample, String> {
    let loaded = read_sft(file(row.to_string()).path());
    let loaded = loaded.map_err(|error| error.to_string())?;
    Ok(loaded.examples[0].clone())
}

#[test]
fn turns_between_the_prompt_and_its_answer_belong_to_the_prompt() {
    let turns = json!([assistant("b"), user("c"), assistant("d")]);
    let all = ["u:a", "a:b", "u:c"];
    for (prompt, answer) in [
        (json!([user("a")]), turns.clone()),
        // The answer repeats what was asked.
        (
            json!([user("a")]),
            json!([user("a"), assistant("b"), user("c"), assistant("d")]),
        ),
    ] {
        let row = json!({"prompt": prompt, "completion": answer, "label": true});
        let example = thumb(row).unwrap();
        assert_eq!(
            (said(&example.prompt), example.completion),
            (all.map(String::from).to_vec(), "d".into())
        );
        let row = json!({"prompt": prompt, "output": answer, "label": 0});
        assert_eq!(said(&thumb(row).unwrap().prompt), all);
        let rejected = json!([assistant("b"), user("c"), assistant("e")]);
        let row = json!({"prompt": prompt, "chosen": answer, "rejected": rejected});
        let example = pair(row).unwrap();
        assert_eq!(
            (said(&example.prompt), example.rejected),
            (all.map(String::from).to_vec(), "e".into())
        );
    }
    // A text that is answered in turns is what the user says first.
    let row = json!({"prompt": "a", "completion": turns, "label": true});
    assert_eq!(said(&thumb(row).unwrap().prompt), all);
    // What was asked in between differs.
    let row = json!({"prompt": [user("a")], "chosen": turns, "rejected": [assistant("b"), user("x"), assistant("e")]});
    let error = pair(row).unwrap_err();
    assert!(
        error.contains("dropped 1: prompts of chosen and rejected differ"),
        "{error}"
    );
}

#[test]
fn a_text_prompt_beside_whole_conversations_is_a_part_of_them() {
    let whole = |asked: &str| {
        let (chosen, rejected) = ([user("a"), assistant("b")], [user("a"), assistant("c")]);
        json!({"prompt": asked, "chosen": chosen, "rejected": rejected})
    };
    assert_eq!(said(&pair(whole("a")).unwrap().prompt), ["u:a"]);
    let error = pair(whole("z")).unwrap_err();
    assert!(
        error.contains("dropped 1: prompt is not in the conversation"),
        "{error}"
    );
}

#[test]
fn pairs_of_the_same_text_are_dropped() {
    let error = pair(json!({"prompt": "a", "chosen": "b", "rejected": "b"})).unwrap_err();
    assert!(
        error.contains("dropped 1: chosen and rejected are the same"),
        "{error}"
    );
}

#[test]
fn what_the_system_says_goes_first_or_is_refused() {
    let with = |prompt: Value, system: Value| {
        thumb(json!({"prompt": prompt, "completion": "b", "label": true, "system": system}))
    };
    let prompt = json!([user("a")]);
    assert_eq!(
        said(&with(prompt.clone(), "s".into()).unwrap().prompt),
        ["s:s", "u:a"]
    );
    assert_eq!(
        said(&with(prompt.clone(), "".into()).unwrap().prompt),
        ["u:a"]
    );
    let begun = json!([{"role": "system", "content": "s"}, user("a")]);
    assert_eq!(
        said(&with(begun.clone(), "s".into()).unwrap().prompt),
        ["s:s", "u:a"]
    );
    assert!(
        with(begun, "t".into())
            .unwrap_err()
            .contains("\"system\" is not what the conversation begins with")
    );
    assert_eq!(
        said(&with("a".into(), "s".into()).unwrap().prompt),
        ["s:s", "u:a"]
    );
    assert!(
        with(prompt, 1.into())
            .unwrap_err()
            .contains("\"system\" must be a text, got 1")
    );
}

#[test]
fn alpaca_rows_have_a_history_and_may_be_pairs() {
    let row = |history: Value| json!({"instruction": "c", "input": "", "output": "d", "history": history});
    let example = demonstration(row(json!([["a", "b"]]))).unwrap();
    assert_eq!(said(&example.prompt), ["u:a", "a:b", "u:c"]);
    assert_eq!(
        said(&demonstration(row(json!([]))).unwrap().prompt),
        ["u:c"]
    );
    for wrong in [json!("a"), json!(["a"]), json!([["a"]]), json!([["a", 1]])] {
        let error = demonstration(row(wrong)).unwrap_err();
        assert!(
            error.contains("\"history\" must be a list of [question, answer]"),
            "{error}"
        );
    }
    let example =
        pair(json!({"instruction": "a", "input": "x", "chosen": "b", "rejected": "c"})).unwrap();
    assert_eq!(
        (said(&example.prompt), example.chosen),
        (vec!["u:a\nx".into()], "b".into())
    );
}

#[test]
fn weights_count_or_are_refused() {
    let row = json!({"prompt": "a", "output": "b", "label": 1, "weight": 0.5});
    assert_eq!(thumb(row.clone()).unwrap().weight, 0.5);
    let error = demonstration(row).unwrap_err();
    assert!(
        error.contains("has a \"weight\", which demonstrations have not"),
        "{error}"
    );
    let row = json!({"prompt": "a", "output_A": "b", "output_B": "c", "label": 1, "weight": 0.5});
    assert!(
        pair(row)
            .unwrap_err()
            .contains("\"weight\" is for rows with a label")
    );
    let row =
        json!({"history": "a", "human_ref_A": "b", "human_ref_B": "c", "labels": 1, "weight": 0.5});
    assert!(
        pair(row)
            .unwrap_err()
            .contains("\"weight\" is for rows with a label")
    );
}

#[test]
fn an_answer_that_is_more_than_its_text_is_dropped_or_refused() {
    let row = |more: &str, value: Value| {
        let mut answer = assistant("b");
        answer[more] = value;
        demonstration(json!({"messages": [user("a"), answer]}))
    };
    let error = row("reasoning_content", "hm".into()).unwrap_err();
    assert!(
        error.contains("dropped 1: completion has reasoning beside its text"),
        "{error}"
    );
    assert!(row("reasoning_content", Value::Null).is_ok());
    assert!(row("reasoning_content", " ".into()).is_ok());
    let error = row("loss_weight", 0.0.into()).unwrap_err();
    assert!(
        error.contains("dropped 1: completion has weight 0"),
        "{error}"
    );
    let error = row("loss_weight", 0.5.into()).unwrap_err();
    assert!(
        error.contains("\"loss_weight\" of a message must be 0 (context only) or 1, got 0.5"),
        "{error}"
    );
    assert!(row("loss_weight", 1.0.into()).is_ok());
}

#[test]
fn labels_are_looked_at_before_anything_is_dropped() {
    let error = thumb(json!({"prompt": "a", "completion": "", "label": "yes"})).unwrap_err();
    assert!(
        error.contains("\"label\" must be true or false, got \"yes\""),
        "{error}"
    );
    let row = json!({"conversations": [user("a"), assistant("b")], "kto_tag": "yes"});
    assert!(
        thumb(row)
            .unwrap_err()
            .contains("\"kto_tag\" must be true or false")
    );
    let row = json!({"prompt": "a", "completion": "b", "label": true, "kto_tag": false});
    assert!(
        thumb(row)
            .unwrap_err()
            .contains("has both a \"label\" and a \"kto_tag\"")
    );
}

#[test]
fn what_was_said_before_is_compared_with_all_that_was_said() {
    let row = |label: bool, weight: f64| {
        json!({"prompt": "a", "completion": "b", "label": label, "weight": weight}).to_string()
    };
    let rows = [
        row(true, 1.0),
        row(false, 1.0),
        row(false, 1.0),
        row(true, 1.0),
        row(true, 3.0),
    ];
    let data = file(rows.join("\n"));
    let loaded = read_binary(data.path()).unwrap();
    assert_eq!(
        (loaded.report.duplicated, loaded.report.contradicted),
        (2, 2)
    );
    let once = Reader::new()
        .without_duplicates()
        .binary(data.path())
        .unwrap();
    assert_eq!(
        once.examples.len(),
        3,
        "up, down, and up with another weight"
    );
    // What is not wanted takes nobody's place.
    let other = json!({"prompt": "a", "completion": "c", "label": true}).to_string();
    let data = file([row(true, 1.0), row(true, 1.0), row(true, 1.0), other].join("\n"));
    let reader = Reader::new().without_duplicates().with_per_prompt(2);
    assert_eq!(reader.binary(data.path()).unwrap().examples.len(), 2);
}

#[test]
fn pairs_with_their_sides_swapped_contradict() {
    let row = |chosen: &str, rejected: &str| {
        json!({"prompt": "a", "chosen": chosen, "rejected": rejected}).to_string()
    };
    let rows = [row("b", "c"), row("c", "b"), row("b", "c"), row("d", "b")];
    let report = read_preferences(file(rows.join("\n")).path())
        .unwrap()
        .report;
    assert_eq!((report.duplicated, report.contradicted), (1, 1));
}

#[test]
fn columns_that_nobody_reads_are_named() {
    let row = json!({"prompt": "a", "completion": "b", "lable": true, "id": 1}).to_string();
    let report = read_sft(file([&row[..], &row].join("\n")).path())
        .unwrap()
        .report;
    assert_eq!(report.unread["lable"], 2);
    assert!(
        report
            .to_string()
            .ends_with("; columns not read: id, lable"),
        "{report}"
    );
    assert!(
        report
            .table()
            .contains("not read               2  column lable"),
        "{}",
        report.table()
    );
}

#[test]
fn a_file_without_rows_is_an_error() {
    let error = read_binary(file("[]").path()).unwrap_err().to_string();
    assert!(error.ends_with("there is no row"), "{error}");
}

#[cfg(feature = "tokenizers")]
#[test]
fn what_a_template_refuses_is_dropped_and_named() {
    let source = "{% for m in messages %}{% if m.content == 'no' %}{{ raise_exception('not this') }}{% endif %}{{ m.content }}{% generation %}{% endgeneration %}{% endfor %}{% if add_generation_prompt %}<think>{% endif %}";
    let template = JinjaTemplate::new(source, "", "").unwrap();
    let encoder = Encoder::new(&ByteTokenizer, &template, 64);
    let row = |text: &str| SftExample::new(vec![Message::new("user", text)], "b");
    let mut rows = vec![row("yes"); 100];
    (rows[70], rows[90]) = (row("no"), row("no"));
    let marked = encoder.encode_sft(&rows[70..]).unwrap().report;
    assert_eq!(marked.refusal.unwrap().0, 0);
    let encoded = encoder.encode_sft(&rows).unwrap();
    assert_eq!(encoded.examples.len(), 98);
    assert_eq!(encoded.report.dropped[&DropReason::TemplateRefuses], 2);
    let (place, why) = encoded.report.refusal.clone().unwrap();
    assert_eq!(place, 70);
    assert!(why.contains("not this"), "{why}");
    // The prompt ends with what no past turn has.
    assert_eq!(encoded.report.answers_as_they_are, 98);
    assert_eq!(encoded.examples[0].completion, [98, 256]);
    let table = encoded.report.table();
    assert!(
        table.contains("first refused         70  cannot tokenize"),
        "{table}"
    );
    let json = serde_json::to_value(&encoded.report).unwrap();
    assert_eq!(
        (&json["kept"], &json["prompt_tokens"]),
        (&json!(98), &json!([10, 10, 10]))
    );
}

#[cfg(all(feature = "tokenizers", feature = "llama"))]
#[test]
fn a_tokenizer_with_more_ids_than_the_model_is_refused() {
    let json = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3}, "merges": []}}"#;
    let tokenizer = HfTokenizer::from_bytes(json, 1).unwrap();
    let model = |ids| LlamaConfig::new(ids, 8, 1, 2).init(42, &burn::tensor::Device::flex());
    assert!(model(4).check_tokenizer(&tokenizer).is_ok());
    let error = model(3)
        .check_tokenizer(&tokenizer)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("the tokenizer has 4 ids, the model 3"),
        "{error}"
    );
    assert!(model(3).check_tokenizer(&tokenizer.with_pad(3)).is_ok());
}
