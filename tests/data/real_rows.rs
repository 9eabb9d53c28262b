//! Rows of which two columns say the same, nothing, or something of another form. Each is one case
//! of a kind.

use super::file;
use burn_kto::prelude::*;
use serde_json::{Value, json};

fn turn(role: &str, text: &str) -> Value {
    json!({"role": role, "content": text})
}

fn u(text: &str) -> Value {
    turn("user", text)
}

fn a(text: &str) -> Value {
    turn("assistant", text)
}

fn s(text: &str) -> Value {
    turn("system", text)
}

fn rows(rows: &[Value]) -> tempfile::NamedTempFile {
    file(
        rows.iter()
            .map(|row| format!("{row}\n"))
            .collect::<String>(),
    )
}

/// The first letters of the roles and the texts.
fn said(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Messages(messages) => {
            let turns = messages
                .iter()
                .map(|m| format!("{}:{}", &m.role[..1], m.content));
            turns.collect::<Vec<_>>().join(" ")
        }
    }
}

fn pair(row: &Value) -> [String; 3] {
    let loaded = read_preferences(rows(std::slice::from_ref(row)).path());
    let loaded = loaded.unwrap_or_else(|error| panic!("{row}: {error}"));
    let pair = loaded.examples.into_iter().next().unwrap();
    [said(&pair.prompt), pair.chosen, pair.rejected]
}

fn taught(row: &Value) -> [String; 2] {
    let loaded = read_sft(rows(std::slice::from_ref(row)).path());
    let loaded = loaded.unwrap_or_else(|error| panic!("{row}: {error}"));
    let example = loaded.examples.into_iter().next().unwrap();
    [said(&example.prompt), example.completion]
}

/// Why a row makes no pair.
fn no_pair(row: &Value) -> String {
    let read = read_preferences(rows(std::slice::from_ref(row)).path());
    read.map(|loaded| format!("{:?}", loaded.examples))
        .unwrap_err()
        .to_string()
}

fn not_taught(row: &Value) -> String {
    let read = read_sft(rows(std::slice::from_ref(row)).path());
    read.map(|loaded| format!("{:?}", loaded.examples))
        .unwrap_err()
        .to_string()
}

#[test]
fn what_was_asked_is_said_once() {
    let (b, c) = ([u("q"), a("b")], [u("q"), a("c")]);
    let (sb, sc) = ([s("S"), u("q"), a("b")], [s("S"), u("q"), a("c")]);
    for row in [
        json!({"messages": b, "chosen": b, "rejected": c}),
        json!({"messages": b, "chosen": "b", "rejected": "c"}),
        json!({"messages": c, "chosen": [a("b")], "rejected": [a("c")]}),
        json!({"question": "q ", "chosen": b, "rejected": c}),
        json!({"prompt": [u("q\n")], "chosen": b, "rejected": c}),
        json!({"prompt": "", "chosen": b, "rejected": c}),
        json!({"prompt": null, "chosen": b, "rejected": c}),
        json!({"prompt": "q", "messages": b, "rejected": "c"}),
    ] {
        assert_eq!(pair(&row), ["u:q", "b", "c"], "{row}");
    }
    for row in [
        json!({"question": "q", "chosen": sb, "rejected": sc}),
        json!({"prompt": "q", "chosen": sb, "rejected": sc}),
        json!({"system": "S", "prompt": [u("q")], "chosen": sb, "rejected": sc}),
        json!({"prompt": [s("S"), u("q")], "chosen": b, "rejected": c}),
        json!({"system": "S", "question": "q", "chosen": b, "rejected": "c"}),
        json!({"messages": sb, "chosen": b, "rejected": c}),
    ] {
        assert_eq!(pair(&row), ["s:S u:q", "b", "c"], "{row}");
    }
    // What was said before, too.
    let prompt = [u("x"), a("y"), u("q")];
    let history = [["x", "y"]];
    for row in [
        json!({"prompt": prompt, "history": history, "chosen": "b", "rejected": "c"}),
        json!({"prompt": [u("q")], "history": history, "chosen": "b", "rejected": "c"}),
        json!({"prompt": "q", "history": history, "rejected": [prompt[0], prompt[1], prompt[2], a("c")],
            "chosen": [prompt[0], prompt[1], prompt[2], a("b")]}),
        json!({"question": "q", "rejected": [prompt[0], prompt[1], prompt[2], a("c")],
            "chosen": [prompt[0], prompt[1], prompt[2], a("b")]}),
    ] {
        assert_eq!(pair(&row), ["u:x a:y u:q", "b", "c"], "{row}");
    }
    // It goes on where the prompt ends.
    let row = json!({"prompt": [u("q")], "chosen": [a("x"), u("q2"), a("b")], "rejected": [a("x"), u("q2"), a("c")]});
    assert_eq!(pair(&row), ["u:q a:x u:q2", "b", "c"]);
    let call =
        json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]});
    let row = json!({"prompt": [u("q"), call], "completion": [turn("tool", "1"), a("b")]});
    assert_eq!(taught(&row), ["u:q a: t:1", "b"]);
    // Two conversations are none.
    for row in [
        json!({"prompt": [u("z")], "chosen": b, "rejected": c}),
        json!({"question": "z", "chosen": b, "rejected": c}),
        json!({"prompt": [s("T"), u("q")], "chosen": sb, "rejected": sc}),
        json!({"prompt": [u("q"), a("x"), u("y")], "chosen": b, "rejected": c}),
    ] {
        let error = no_pair(&row);
        assert!(
            error.contains("prompt is not in the conversation"),
            "{row}: {error}"
        );
    }
}

#[test]
fn nothing_is_answered_twice() {
    let closed = [u("q"), a("x")];
    for row in [
        json!({"messages": closed, "chosen": "b", "rejected": "c"}),
        json!({"prompt": closed, "chosen": [a("b")], "rejected": [a("c")]}),
        json!({"prompt": closed, "response_0": "b", "response_1": "c", "better_response_id": 0}),
    ] {
        let error = no_pair(&row);
        assert!(
            error.contains("dropped 1: prompt ends with an answer"),
            "{row}: {error}"
        );
    }
    let row = json!({"messages": closed, "completion": "b"});
    assert!(not_taught(&row).contains("prompt ends with an answer"));
    let row = json!({"messages": closed, "completion": "x"});
    assert_eq!(taught(&row), ["u:q", "x"]);
}

#[test]
fn alpaca_is_alpaca_whatever_was_made_of_it() {
    let row = json!({"instruction": "Add", "input": "1 2", "output": "three",
        "prompt": "Below is… ### Output: three"});
    assert_eq!(taught(&row), ["u:Add\n1 2", "three"]);
    let report = read_sft(rows(&[row]).path()).unwrap().report;
    assert_eq!(report.unread["prompt"], 1);
    let row = json!({"instruction": "Add", "input": "1 2", "output": "three", "label": true,
        "prompt": "Below is… ### Output: three"});
    assert_eq!(taught(&row), ["u:Add\n1 2", "three"]);
}

/// Tables that were put together have every column in every row.
#[test]
fn columns_that_are_empty_do_not_tell_the_form() {
    let turns = [u("q"), a("b")];
    let columns = [
        "prompt",
        "completion",
        "question",
        "answer",
        "instruction",
        "input",
        "output",
        "messages",
        "conversations",
        "completions",
        "responses",
        "history",
        "system",
        "tools",
        "text",
        "output_A",
        "output_B",
        "human_ref_A",
        "human_ref_B",
        "response_a",
        "response_b",
        "winner",
        "message_id",
        "role",
        "score",
    ];
    let with_all = |row: &Value, nothing: &Value| {
        let mut all = row.clone();
        for column in columns {
            let cells = all.as_object_mut().unwrap();
            cells.entry(column).or_insert(nothing.clone());
        }
        all
    };
    for (row, asked) in [
        (json!({"prompt": "q", "completion": "b"}), "q"),
        (json!({"question": "q", "answer": "b"}), "u:q"),
        (json!({"instruction": "q", "output": "b"}), "u:q"),
        (json!({"input": "q", "output": "b"}), "u:q"),
        (json!({"messages": turns}), "u:q"),
        (json!({"conversations": turns}), "u:q"),
        (json!({"prompt": "q", "output": "b"}), "u:q"),
        (json!({"prompt": [u("q")], "completion": [a("b")]}), "u:q"),
    ] {
        for nothing in [json!(null), json!(""), json!([])] {
            // A text beside it is a column that was filled.
            if nothing != json!(null) && row.get("prompt").is_some_and(Value::is_string) {
                continue;
            }
            let all = with_all(&row, &nothing);
            assert_eq!(taught(&all)[1], "b", "{all}");
            assert_eq!(said_end(&taught(&all)[0]), said_end(asked), "{all}");
        }
        let mut thumb = with_all(&row, &Value::Null);
        thumb["label"] = true.into();
        let loaded = read_binary(rows(&[thumb.clone()]).path()).unwrap();
        assert_eq!(loaded.examples[0].completion, "b", "{thumb}");
        thumb["label"] = Value::Null;
        assert_eq!(taught(&thumb)[1], "b", "{thumb}");
    }
    let (b, c) = ([u("q"), a("b")], [u("q"), a("c")]);
    for row in [
        json!({"chosen": b, "rejected": c}),
        json!({"messages": b, "rejected": "c"}),
        json!({"instruction": "q", "chosen": "b", "rejected": "c"}),
        json!({"prompt": "q", "response_a": "b", "response_b": "c", "winner": "a"}),
        json!({"prompt": [u("q")], "output_A": "b", "output_B": "c", "label": 1}),
        json!({"history": "q", "human_ref_A": "b", "human_ref_B": "c", "labels": 1}),
        json!({"chosen": "\n\nHuman: q\n\nAssistant: b", "rejected": "\n\nHuman: q\n\nAssistant: c"}),
    ] {
        assert_eq!(
            pair(&with_all(&row, &Value::Null)),
            ["u:q", "b", "c"],
            "{row}"
        );
    }
    // What is null is missed where nothing else is there.
    let error = no_pair(&json!({"prompt": null, "chosen": "b", "rejected": "c"}));
    assert!(error.contains("dropped 1: prompt is empty"), "{error}");
    let error = not_taught(&json!({"instruction": "a", "completions": null}));
    assert!(error.contains("dropped 1: no completions"), "{error}");
    // And what is empty where something is.
    assert_eq!(
        taught(&json!({"question": "q", "answer": "b", "messages": []})),
        ["u:q", "b"]
    );
    assert_eq!(
        taught(&json!({"prompt": "", "question": "q", "answer": "b"})),
        ["u:q", "b"]
    );
}

fn said_end(prompt: &str) -> &str {
    prompt.strip_prefix("u:").unwrap_or(prompt)
}

#[test]
fn keys_that_are_null_are_passed_by() {
    let both = |from: &str, value: &str| json!({"role": null, "content": null, "from": from, "value": value});
    let row = json!({"conversations": [both("human", "q"), both("gpt", "b")]});
    assert_eq!(taught(&row), ["u:q", "b"]);
    let answer = |text: &str, rank: u8| json!({"answer": null, "response": text, "rank": rank, "score": null});
    let row = json!({"prompt": "q", "answers": [answer("c", 2), answer("b", 1)]});
    assert_eq!(pair(&row), ["u:q", "b", "c"]);
}

#[test]
fn a_text_has_no_place_for_a_conversation() {
    for (name, value) in [
        ("system", json!("S")),
        ("tools", json!([{"name": "f"}])),
        ("history", json!([["x", "y"]])),
    ] {
        let error = not_taught(&json!({"text": "a", name: value}));
        let expected = format!(":1: has a \"{name}\" of a \"text\"");
        assert!(error.contains(&expected), "{error}");
        assert_eq!(taught(&json!({"text": "a", name: null}))[1], "a");
    }
}

#[test]
fn ranked_answers_keep_the_system_and_the_tools() {
    let message = |text: &str, role: &str, rank: u8| json!({"message_id": text, "text": text, "role": role, "rank": rank});
    let mut tree = message("q", "prompter", 0);
    tree["replies"] = json!([message("c", "assistant", 1), message("b", "assistant", 0)]);
    let tree = json!({"message_tree_id": "q", "prompt": tree});
    let rated = |text: &str, rating: u8| json!({"response": text, "annotations": {"x": {"Rating": rating}}});
    for mut row in [
        json!({"prompt": "q", "responses": ["b", "c"], "scores": [2, 1]}),
        json!({"instruction": "q", "completions": [rated("b", 5), rated("c", 1)]}),
        json!({"history": "q", "human_ref_A": "b", "human_ref_B": "c", "labels": 1}),
        tree,
    ] {
        row["system"] = "S".into();
        row["tools"] = json!([{"name": "f"}]);
        assert_eq!(pair(&row), ["s:S u:q", "b", "c"], "{row}");
        let loaded = read_preferences(rows(&[row.clone()]).path()).unwrap();
        let Prompt::Messages(messages) = &loaded.examples[0].prompt else {
            panic!()
        };
        assert_eq!(messages[0].extra["tools"][0]["name"], "f", "{row}");
        assert!(loaded.report.unread.is_empty(), "{}", loaded.report);
    }
}

#[test]
fn reasoning_goes_by_all_names_in_use() {
    for name in ["reasoning_content", "reasoning", "thinking"] {
        let mut first = a("b");
        first[name] = "hm".into();
        let row = json!({"messages": [u("q"), first]});
        let error = not_taught(&row);
        assert!(
            error.contains("dropped 1: completion has reasoning beside its text"),
            "{error}"
        );
        // Nor is it one of every turn.
        let row = json!({"messages": [u("q"), first, u("r"), a("d")]});
        let loaded = Reader::new().with_every_turn().sft(rows(&[row]).path());
        let loaded = loaded.unwrap();
        let taught: Vec<_> = loaded.examples.iter().map(|e| &e.completion).collect();
        assert_eq!(taught, ["d"]);
        let Prompt::Messages(messages) = &loaded.examples[0].prompt else {
            panic!()
        };
        assert_eq!(messages[1].extra["reasoning_content"], "hm");
        let row = json!({"messages": [u("q"), a("b"), u("r"), first]});
        let loaded = Reader::new().with_every_turn().sft(rows(&[row]).path());
        assert_eq!(loaded.unwrap().examples[0].completion, "b");
    }
    // What is not known is named.
    let mut answer = a("b");
    answer["mood"] = "glad".into();
    answer["tags"] = json!([]);
    let row = json!({"messages": [u("q"), answer]});
    let report = read_sft(rows(&[row]).path()).unwrap().report;
    assert_eq!(
        report.unread.into_iter().collect::<Vec<_>>(),
        [("messages[].mood".into(), 1)]
    );
}

#[test]
fn calls_may_be_written_as_text() {
    let with = |calls: Value| {
        let call = json!({"role": "assistant", "content": "so", "tool_calls": calls});
        json!({"messages": [u("q"), call]})
    };
    let list = json!([{"function": {"name": "f", "arguments": {}}}]).to_string();
    assert!(not_taught(&with(list.into())).contains("completion calls a tool"));
    for none in ["[]", "", "null"] {
        assert_eq!(taught(&with(none.into())), ["u:q", "so"], "{none}");
    }
    let error = not_taught(&with("f(x)".into()));
    let expected = ":1: \"tool_calls\" of a message must be a list, got \"f(x)\"";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn answers_in_code_are_texts() {
    for text in [
        "{'value': 3}",
        "{'role': 'admin'}",
        "{'role': 'admin', 'content': 1} is a dict",
        r#"{"role": "admin", "content": "hi"}"#,
        r#"[{"role": "editor", "content": "hi"}]"#,
        r#"{"role": "user", "content": "hi"}"#,
    ] {
        let row = json!({"question": "q", "answer": text});
        assert_eq!(taught(&row), ["u:q", text]);
    }
    for list in [
        json!([a("b")]).to_string(),
        json!([u("q"), a("b")]).to_string(),
        a("b").to_string(),
    ] {
        let row = json!({"question": "q", "answer": list});
        assert_eq!(taught(&row), ["u:q", "b"]);
    }
    let printed = "[{'role': 'assistant', 'content': 'b'}]";
    let row = json!({"question": "q", "answer": printed});
    let error = not_taught(&row);
    assert!(
        error.contains("dropped 1: completion is a list of messages as Python prints it"),
        "{error}"
    );
    let open = json!([u("q")]).to_string();
    let error = not_taught(&json!({"question": "q", "answer": open}));
    assert!(error.contains("does not end with the assistant"), "{error}");
}

#[test]
fn half_a_pair_is_dropped() {
    let half = json!({"messages": [u("q"), a("b")], "rejected_response": null});
    let whole = json!({"messages": [u("q"), a("b")], "rejected_response": "c"});
    let loaded = read_preferences(rows(&[half.clone(), whole.clone()]).path()).unwrap();
    assert_eq!(loaded.report.dropped[&DropReason::EmptyCompletion], 1);
    let loaded = read_binary(rows(&[half.clone(), whole]).path()).unwrap();
    assert_eq!(loaded.report.dropped[&DropReason::EmptyCompletion], 1);
    assert_eq!(taught(&half), ["u:q", "b"]);
    let error = no_pair(&json!({"messages": [u("q"), a("b")]}));
    assert!(
        error.contains(":1: is a demonstration (sft), where a pair is needed"),
        "{error}"
    );
}

#[test]
fn verdicts_go_by_what_people_say() {
    let with = |verdict: Value| json!({"prompt": "q", "response_a": "b", "response_b": "c", "winner": verdict});
    for row in [
        json!({"prompt": "q", "response_a": "b", "response_b": "c", "preferred_response": "response_a"}),
        json!({"prompt": "q", "answer_a": "b", "answer_b": "c", "preferred": "a"}),
        json!({"prompt": "q", "response_A": "b", "response_B": "c", "score_A": 2, "score_B": 1}),
        with("A is better".into()),
        with("Response A wins".into()),
        with("[[A]]".into()),
    ] {
        assert_eq!(pair(&row), ["u:q", "b", "c"], "{row}");
    }
    // The answer itself.
    let row = json!({"prompt": "q", "response_a": "no", "response_b": "yes", "chosen": "yes"});
    assert_eq!(pair(&row), ["u:q", "yes", "no"]);
    let dropped = |verdict: &str, reason: DropReason| {
        let loaded = read_preferences(rows(&[with(verdict.into()), with("a".into())]).path());
        assert_eq!(loaded.unwrap().report.dropped[&reason], 1, "{verdict}");
    };
    for tie in [
        "About the same",
        "The same.",
        "Similar quality",
        "Tie",
        "No preference",
    ] {
        dropped(tie, DropReason::Tie);
    }
    for unsure in ["Not sure", "unclear", "N/A", " "] {
        dropped(unsure, DropReason::NoVerdict);
    }
    let mut same = with("red".into());
    (same["model_a"], same["model_b"]) = ("red".into(), "red".into());
    let loaded = read_preferences(rows(&[same, with("a".into())]).path());
    assert_eq!(loaded.unwrap().report.dropped[&DropReason::NoVerdict], 1);
    // Odd ones are counted, unless all of them are.
    dropped("A is worse", DropReason::UnclearVerdict);
    assert!(no_pair(&with("A is worse".into())).contains("must be a tie, or the name of one"));
}

#[test]
fn what_is_no_text_does_not_belong_to_a_question() {
    for (name, value) in [
        ("context", json!(["doc1"])),
        ("context", json!({"title": "doc1"})),
        ("functions", json!(["main"])),
    ] {
        let row = json!({"prompt": [u("q")], "completion": "b", name: value});
        assert_eq!(taught(&row), ["u:q", "b"], "{row}");
        let report = read_sft(rows(&[row]).path()).unwrap().report;
        assert_eq!(report.unread[name], 1);
    }
}

#[test]
fn strict_readers_miss_parents_and_deleted_messages_end_nothing() {
    let message = |id: &str, parent: Value, role: &str, text: Value| json!({"message_id": id, "parent_id": parent, "text": text, "role": role, "rank": null});
    let root = message("q", Value::Null, "prompter", "q".into());
    let answer = message("b", "q".into(), "assistant", "b".into());
    let lost = message("x", "nowhere".into(), "assistant", "x".into());
    let mut gone = message("y", "q".into(), "assistant", Value::Null);
    gone["deleted"] = true.into();
    let data = rows(&[root.clone(), answer.clone(), lost, gone.clone()]);
    let report = read_sft(data.path()).unwrap().report;
    assert_eq!(report.dropped[&DropReason::NoParent], 1);
    assert_eq!(report.dropped[&DropReason::MessageDeleted], 1);
    let error = Reader::new().with_strict().sft(
        rows(&[
            root,
            answer,
            message("x", "nowhere".into(), "assistant", "x".into()),
        ])
        .path(),
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.ends_with(":3: message answers one that is not there"),
        "{error}"
    );
}

#[test]
fn a_column_is_not_two() {
    let reader = Reader::new().with_columns([("prompt", "a"), ("prompt", "b")]);
    let error = reader.sft(rows(&[json!({"a": 1})]).path()).unwrap_err();
    let expected = "columns: both \"a\" and \"b\" are to be read as prompt";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_list_of_all_rows_that_is_too_long_says_what_helps() {
    let row = json!({"prompt": "a", "completion": "b".repeat(1 << 20)}).to_string();
    let many = vec![row; 66].join(",");
    for begin in ["{\"data\": [", "{\n\"data\": [\n"] {
        let error = read_sft(file(format!("{begin}{many}]}}")).path());
        let error = error.unwrap_err().to_string();
        let expected =
            "is longer than 64 MiB: if it has rows in a list below it, write them one a line";
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_is_not_read_changes_nothing() {
    let row = json!({"prompt": "q", "chosen": "y", "rejected": "n", "response": "y"});
    assert_eq!(pair(&row), ["q", "y", "n"], "a text stays a text");
    let row = json!({"prompt": "q", "chosen_response": "y", "rejected_response": "n"});
    assert_eq!(pair(&row), ["u:q", "y", "n"]);
}

#[test]
fn answers_that_repeat_a_text_prompt_are_without_it() {
    let asked = "\n\nHuman: hi\n\nAssistant:";
    let row = json!({"prompt": asked, "chosen": format!("{asked} yes"), "rejected": format!("{asked} no")});
    assert_eq!(pair(&row), [asked, " yes", " no"]);
    // Answers that begin with the same short word as the question are just that.
    let row = json!({"prompt": "So", "chosen": "So it is", "rejected": "So what"});
    assert_eq!(pair(&row), ["So", "So it is", "So what"]);
}

#[test]
fn answers_without_a_question_make_no_pair() {
    let row = json!({"chosen": [a("y")], "rejected": [a("n")]});
    assert!(
        no_pair(&row).contains("prompt is empty"),
        "{}",
        no_pair(&row)
    );
    let row = json!({"chosen": [s("S"), a("y")], "rejected": [s("S"), a("n")]});
    assert!(
        no_pair(&row).contains("prompt is empty"),
        "{}",
        no_pair(&row)
    );
}
