//! Files as people have them: columns of all names, one odd row among good ones, tables as text,
//! clones of repositories. Each is one case of a kind.

use super::file;
use burn_kto::prelude::*;
use serde_json::{Value, json};

fn turn(role: &str, text: &str) -> Value {
    json!({"role": role, "content": text})
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

/// `role: text` of each message, or the text.
fn said(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Messages(messages) => {
            let turns = messages
                .iter()
                .map(|m| format!("{}: {}", m.role, m.content));
            turns.collect::<Vec<_>>().join(" | ")
        }
    }
}

fn pairs(rows: &[Value]) -> Loaded<PreferenceExample> {
    read_preferences(file(lines(rows)).path()).unwrap()
}

fn demonstrations(rows: &[Value]) -> Loaded<SftExample> {
    read_sft(file(lines(rows)).path()).unwrap()
}

fn thumbs(rows: &[Value]) -> Loaded<BinaryExample> {
    read_binary(file(lines(rows)).path()).unwrap()
}

fn wrong(rows: &[Value]) -> String {
    let error = read_sft(file(lines(rows)).path()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

/// Prompt, chosen and rejected of a pair.
fn pair(row: Value) -> [String; 3] {
    let loaded = pairs(&[row]);
    let pair = &loaded.examples[0];
    [
        said(&pair.prompt),
        pair.chosen.clone(),
        pair.rejected.clone(),
    ]
}

fn demonstration(row: Value) -> [String; 2] {
    let loaded = demonstrations(&[row]);
    let example = &loaded.examples[0];
    [said(&example.prompt), example.completion.clone()]
}

#[test]
fn pairs_go_by_all_names_in_use() {
    let asked = "user: a";
    let (b, c) = ([turn("assistant", "b")], [turn("assistant", "c")]);
    for row in [
        json!({"system": "", "question": "a", "chosen": "b", "rejected": "c"}),
        json!({"system": null, "input": "a", "chosen": "b", "rejected": "c"}),
        json!({"instruction": "a", "chosen_response": "b", "rejected_response": "c"}),
        json!({"prompt": "a", "chosen_response": "b", "rejected_response": "c"}),
        json!({"query": "a", "response": "b", "rejected_response": "c"}),
        json!({"question": "a", "accepted": "b", "rejected": "c"}),
        json!({"prompt": "a", "chosen": b, "rejected": c}),
        json!({"prompt": "a", "chosen": [turn("user", "a"), turn("assistant", "b")],
            "rejected": [turn("user", "a"), turn("assistant", "c")]}),
        json!({"input": {"messages": [turn("user", "a")], "tools": [], "parallel_tool_calls": true},
            "preferred_output": b, "non_preferred_output": c}),
        json!({"messages": [turn("user", "a"), turn("assistant", "b")], "rejected_response": "c"}),
        json!({"messages": [turn("user", "a"), turn("assistant", "b")],
            "rejected_messages": [turn("user", "a"), turn("assistant", "c")]}),
        json!({"messages": [turn("user", "a")], "chosen": b[0], "rejected": c[0]}),
        json!({"context": [turn("user", "a")], "chosen": "b", "rejected": "c"}),
        json!({"prompt": [turn("user", "a")], "chosen": b, "rejected": c, "system": ""}),
    ] {
        assert_eq!(pair(row.clone()), [asked, "b", "c"], "{row}");
    }
    // What is called just so is a text that goes on.
    let row = json!({"prompt": "a", "chosen": "b", "rejected": "c"});
    assert_eq!(pair(row), ["a", "b", "c"]);
}

#[test]
fn answers_go_by_all_names_in_use() {
    let turns = [turn("user", "a"), turn("assistant", "b")];
    for row in [
        json!({"question": "a", "answer": "b"}),
        json!({"query": "a", "response": "b", "history": []}),
        json!({"prompt": "a", "response": "b"}),
        json!({"instruction": "a", "response": "b", "context": ""}),
        json!({"input": "a", "output": "b"}),
        json!({"problem": "a", "solution": "b"}),
        json!({"conversation": turns}),
        json!({"dialogue": turns, "turns": 1}),
        json!({"contents": [{"role": "user", "parts": [{"text": "a"}]},
            {"role": "model", "parts": [{"text": "b"}]}]}),
        json!({"messages": turns, "problem": "a", "solution": "c"}),
    ] {
        assert_eq!(demonstration(row.clone()), ["user: a", "b"], "{row}");
    }
    let report = demonstrations(&[json!({"question": "a", "answer": "b"})]).report;
    assert_eq!(report.read_as["prompt"]["question"], 1);
    let line = "\"answer\" read as completion; \"question\" read as prompt";
    assert!(report.to_string().ends_with(line), "{report}");
    let table = "read as                1  completion: column \"answer\"";
    assert!(report.table().contains(table), "{}", report.table());
    // In whichever letters.
    let loaded = demonstrations(&[json!({"Prompt": [turn("user", "a")], "Model Response": "b"})]);
    assert_eq!(loaded.examples[0].completion, "b");
    assert_eq!(loaded.report.read_as["prompt"]["Prompt"], 1);
    // Nothing says which of two is meant.
    let error = wrong(&[json!({"question": "a", "answer": "b", "response": "c"})]);
    let expected = ":1: \"completion\" may be \"response\" or \"answer\", which differ: say which \
                    it is, --columns completion=response or completion=answer";
    assert!(error.ends_with(expected), "{error}");
    let same = json!({"question": "a", "answer": "b", "response": "b"});
    assert_eq!(demonstration(same), ["user: a", "b"]);
}

#[test]
fn columns_are_read_under_the_names_that_the_user_gives() {
    let rows = lines(&[
        json!({"frage": "a", "antwort": {"text": "b"}, "gut": 1}),
        json!({"frage": "c", "antwort": {"text": "d"}, "gut": 0}),
    ]);
    let data = file(rows);
    let reader = |columns: &[(&str, &str)]| Reader::new().with_columns(columns.iter().copied());
    let columns = [
        ("prompt", "frage"),
        ("completion", "antwort.text"),
        ("label", "gut"),
    ];
    let loaded = reader(&columns).binary(data.path()).unwrap();
    let expected = [
        BinaryExample::new("a", "b", true),
        BinaryExample::new("c", "d", false),
    ];
    assert_eq!(loaded.examples, expected);
    assert!(loaded.report.unread.is_empty(), "{}", loaded.report);
    let error =
        |columns: &[(&str, &str)]| reader(columns).binary(data.path()).unwrap_err().to_string();
    let expected = "columns: no row has \"bewertung\", which was to be read as score";
    let more = [&columns[..], &[("score", "bewertung")]].concat();
    assert_eq!(error(&more), expected);
    let said = error(&[("prompt", "fragen"), ("completion", "antwort.text")]);
    let expected = ":1: columns: no row has \"fragen\", which was to be read as prompt; \"prompt\" is missing; found";
    assert!(said.contains(expected), "{said}");
    let misspelt = error(&[("promt", "frage")]);
    assert!(misspelt.ends_with("; did you mean prompt?"), "{misspelt}");
    let twice = error(&[("prompt", "frage"), ("completion", "frage")]);
    assert_eq!(
        twice,
        "columns: \"frage\" is to be read as completion and as prompt"
    );
    // What was there under the known name is not lost without a word.
    let row = file(lines(&[
        json!({"prompt": "x", "frage": "a", "completion": "b"}),
    ]));
    let loaded = reader(&[("prompt", "frage")]).sft(row.path()).unwrap();
    assert_eq!(loaded.examples, [SftExample::new("a", "b")]);
    assert_eq!(loaded.report.unread["prompt"], 1);
    // Columns may change their names.
    let swapped = reader(&[("prompt", "completion"), ("completion", "prompt")]);
    let loaded = swapped.sft(row.path()).unwrap();
    assert_eq!(loaded.examples, [SftExample::new("b", "x")]);
}

#[test]
fn what_belongs_to_a_prompt_is_read_or_refused() {
    let with = |name: &str, value: Value| json!({"prompt": "a", "completion": "b", name: value});
    let history = json!([["c", "d"]]);
    let prompt = |name: &str, value: Value| demonstration(with(name, value))[0].clone();
    assert_eq!(prompt("input", "c".into()), "a\nc");
    assert_eq!(prompt("context", "c".into()), "a\nc");
    assert_eq!(prompt("input", "".into()), "a");
    assert_eq!(
        prompt("history", history),
        "user: c | assistant: d | user: a"
    );
    let messages = json!([turn("user", "c"), turn("assistant", "d")]);
    assert_eq!(
        prompt("history", messages),
        "user: c | assistant: d | user: a"
    );
    assert_eq!(prompt("history", json!([])), "user: a");
    assert_eq!(prompt("system", "c".into()), "system: c | user: a");
    assert_eq!(prompt("system_prompt", "c".into()), "system: c | user: a");
    assert_eq!(prompt("documents", json!([])), "a");
    let error = wrong(&[with("documents", json!([{"text": "c"}]))]);
    assert!(
        error.contains(":1: \"documents\" belong to what is asked"),
        "{error}"
    );
    let error = wrong(&[with("input", json!([1]))]);
    assert!(
        error.contains(":1: \"input\" belongs to what \"prompt\" asks"),
        "{error}"
    );
    // Beside HALOs' columns too.
    let row = json!({"prompt": "a", "output": "b", "label": 1, "system": "c"});
    assert_eq!(
        said(&thumbs(&[row]).examples[0].prompt),
        "system: c | user: a"
    );
}

#[test]
fn columns_that_the_rows_own_form_does_not_read_are_named() {
    let turns = [turn("user", "a"), turn("assistant", "b")];
    let rows = [
        json!({"messages": turns, "history": [["c", "d"]], "output": "e", "id": 1}),
        json!({"messages": turns, "history": [["c", "d"]], "output": null, "input": []}),
    ];
    let report = demonstrations(&rows).report;
    let unread: Vec<_> = report
        .unread
        .iter()
        .map(|(name, n)| (name.as_str(), *n))
        .collect();
    assert_eq!(unread, [("history", 2), ("id", 1), ("output", 1)]);
    let asked = demonstrations(&[json!({"input": "a", "output": "b"})]).report;
    assert_eq!(asked.read_as["prompt"]["input"], 1);
    // Known data sets are known to have others.
    let arena = json!({"question_id": "0", "model_a": "x", "model_b": "y", "winner": "model_a", "turn": 1,
        "conversation_a": turns, "conversation_b": [turn("user", "a"), turn("assistant", "c")]});
    assert!(pairs(&[arena]).report.unread.is_empty());
}

#[test]
fn two_answers_and_a_verdict_are_a_pair() {
    let a = [turn("user", "a"), turn("assistant", "b")];
    let b = [turn("user", "a"), turn("assistant", "c")];
    let arena = |winner: &str| json!({"model_a": "red", "model_b": "blue", "winner": winner, "conversation_a": a, "conversation_b": b});
    let pku = |better: Value| json!({"prompt": "a", "response_0": "b", "response_1": "c", "better_response_id": better});
    let scored = |x: f64, y: f64| json!({"question": "a", "answer_a": "b", "answer_b": "c", "score_a": x, "score_b": y});
    let kaggle = |wins: [u8; 3]| {
        json!({"prompt": "[\"a\"]", "response_a": "[\"b\"]", "response_b": "[\"c\"]",
            "winner_model_a": wins[0], "winner_model_b": wins[1], "winner_tie": wins[2]})
    };
    let strength = |by: i32| json!({"context": [turn("user", "a")], "response1": "b", "response2": "c", "overall_preference": by});
    let named = |column: &str, verdict: &str| json!({"prompt": "a", "response_A": "b", "response_B": "c", column: verdict});
    for row in [
        arena("model_a"),
        arena("red"),
        pku(0.into()),
        pku(0.0.into()),
        pku("0".into()),
        scored(2.0, 1.0),
        kaggle([1, 0, 0]),
        strength(-2),
        named("preference", "A"),
        named("winner", "response_A"),
        named("better", "Response A"),
    ] {
        assert_eq!(pair(row.clone()), ["user: a", "b", "c"], "{row}");
    }
    for row in [
        arena("model_b"),
        pku(1.into()),
        scored(1.0, 2.0),
        kaggle([0, 1, 0]),
        strength(3),
        named("preference", "b"),
    ] {
        assert_eq!(pair(row.clone()), ["user: a", "c", "b"], "{row}");
    }
    let ties = [
        arena("tie"),
        arena("tie (bothbad)"),
        scored(1.0, 1.0),
        kaggle([0, 0, 1]),
        strength(0),
        pku(1.into()),
    ];
    let loaded = pairs(&ties);
    assert_eq!(loaded.report.dropped[&DropReason::Tie], 5);
    assert!(loaded.report.unread.is_empty(), "{}", loaded.report);
    assert_eq!(loaded.examples.len(), 1);
    let loaded = pairs(&[pku(1.into()), pku(Value::Null)]);
    assert_eq!(loaded.report.dropped[&DropReason::NoVerdict], 1);
    // An index of letters counts from nobody knows where.
    for row in [
        pku(2.into()),
        named("preference", "1"),
        named("winner", "red"),
    ] {
        let error = wrong(std::slice::from_ref(&row));
        assert!(
            error.contains("must be a tie, or the name of one of"),
            "{row}: {error}"
        );
    }
}

#[test]
fn labels_are_as_tables_have_them() {
    let row = |label: Value| json!({"prompt": "a", "completion": "b", "label": label});
    for up in [
        json!(1.0),
        json!(1),
        json!(true),
        json!("1"),
        json!("True"),
        json!("1.0"),
    ] {
        assert!(thumbs(&[row(up.clone())]).examples[0].desirable, "{up}");
    }
    for down in [json!(0.0), json!(-0.0), json!("false"), json!("0")] {
        assert!(
            !thumbs(&[row(down.clone())]).examples[0].desirable,
            "{down}"
        );
    }
    for odd in [json!(0.5), json!("yes"), json!(2), json!(-1), json!([1])] {
        let error = read_binary(file(lines(&[row(odd.clone())])).path()).unwrap_err();
        let expected = format!(":1: \"label\" must be true or false, got {odd}");
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    let loaded = thumbs(&[row(Value::Null), row(true.into())]);
    assert_eq!(loaded.report.dropped[&DropReason::NoLabel], 1);
    let turns = [turn("user", "a"), turn("assistant", "b")];
    for tag in [
        json!({"conversations": turns, "kto_tag": 1.0}),
        json!({"prompt": "a", "output": "b", "label": 1.0}),
        json!({"messages": turns, "desirable": true}),
    ] {
        assert!(thumbs(&[tag]).examples[0].desirable);
    }
    let shp = |labels: Value| json!({"history": "a", "human_ref_A": "b", "human_ref_B": "c", "labels": labels});
    assert_eq!(pair(shp(1.0.into()))[1], "b");
    assert_eq!(pair(shp(0.0.into()))[1], "c");
    let error = wrong(&[shp(0.5.into())]);
    assert!(
        error.contains("\"labels\" must be 1 (A is better) or 0"),
        "{error}"
    );
}

/// A row that is well-formed but of no use is counted; only a strict reader ends at it.
#[test]
fn one_odd_row_does_not_end_the_reading() {
    let good = json!({"messages": [turn("user", "a"), turn("assistant", "b")]});
    let messages = |turns: Value| json!({"messages": turns});
    let image = json!([{"type": "image_url", "image_url": {"url": "x"}}]);
    for (odd, reason, got) in [
        (
            messages(json!([
                turn("user", "a"),
                turn("assistant", "b"),
                turn("user", "c")
            ])),
            DropReason::NotAnswered,
            "conversation does not end with the assistant, got \"user\"",
        ),
        (
            messages(json!([])),
            DropReason::EmptyConversation,
            "conversation is empty",
        ),
        (
            messages(Value::Null),
            DropReason::EmptyConversation,
            "conversation is empty",
        ),
        (
            messages(json!([turn("wizard", "a"), turn("assistant", "b")])),
            DropReason::UnknownRole,
            "role of a message is not known, got \"wizard\"",
        ),
        (
            messages(json!([{"role": "user", "content": image}, turn("assistant", "b")])),
            DropReason::NotText,
            "content of a message is not text, got {",
        ),
        (
            messages(json!([turn("user", "a"), {"role": "assistant", "content": null}])),
            DropReason::NotText,
            "content of a message is not text, got {",
        ),
        (
            messages(json!([turn("assistant", "b")])),
            DropReason::EmptyPrompt,
            "prompt is empty",
        ),
        (
            json!({"prompt": "a", "completion": null}),
            DropReason::EmptyCompletion,
            "completion is empty",
        ),
        (
            json!({"prompt": null, "completion": "b"}),
            DropReason::EmptyPrompt,
            "prompt is empty",
        ),
        (
            json!({"prompt": [], "completion": "b"}),
            DropReason::EmptyConversation,
            "conversation is empty",
        ),
        (
            json!({"prompt": "a", "chosen": null, "rejected": "b"}),
            DropReason::EmptyCompletion,
            "completion is empty",
        ),
        (
            json!({"conversations": [turn("human", "a")]}),
            DropReason::NotAnswered,
            "conversation does not end with the assistant, got \"user\"",
        ),
        (
            json!({"messages": [turn("user", "a"), {"role": "assistant", "content": "b", "weight": 0}]}),
            DropReason::ContextOnly,
            "completion has weight 0: it is context only",
        ),
        (
            json!({"prompt": "a", "completion": "b".repeat((16 << 20) + 1)}),
            DropReason::TextTooLong,
            "a text is longer than 16 MiB",
        ),
    ] {
        let loaded = demonstrations(&[odd.clone(), good.clone()]);
        assert_eq!(loaded.report.dropped[&reason], 1, "{reason}");
        assert_eq!(loaded.examples.len(), 1, "{reason}");
        let strict = Reader::new()
            .with_strict()
            .sft(file(lines(std::slice::from_ref(&odd))).path());
        let strict = strict.unwrap_err().to_string();
        assert!(strict.contains(&format!(":1: {got}")), "{strict}");
        let none = wrong(&[odd]);
        assert!(none.contains("no row is of use: read 1 rows"), "{none}");
        assert!(none.contains(&format!("dropped 1: {reason}")), "{none}");
    }
}

#[test]
fn roles_have_many_names() {
    let taught = |before: &str, asked: &str, answered: &str| {
        let row = json!({"messages": [turn(before, "s"), turn(asked, "a"), turn(answered, "b")]});
        demonstration(row)
    };
    for (before, asked, answered) in [
        ("developer", "user", "assistant"),
        ("System", "User", "Chatbot"),
        ("SYSTEM", "HUMAN", "GPT"),
        ("system", "prompter", "bot"),
        ("system", "human", "model"),
    ] {
        let expected = ["system: s | user: a", "b"];
        assert_eq!(taught(before, asked, answered), expected);
    }
    let turns = json!([
        {"from": "human", "value": "a"},
        {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"},
        {"from": "observation", "value": "2"},
        {"from": "gpt", "value": "b"}
    ]);
    let loaded = demonstrations(&[json!({"conversations": turns})]);
    let Prompt::Messages(messages) = &loaded.examples[0].prompt else {
        panic!()
    };
    let call = &messages[1].extra["tool_calls"][0]["function"];
    assert_eq!(
        (&call["name"], &call["arguments"]["x"]),
        (&"f".into(), &1.into())
    );
    assert_eq!(messages[2].role, "tool");
}

#[test]
fn a_turn_of_weight_zero_is_context() {
    let weighed = |key: &str, weights: [Value; 2]| {
        let [first, second] = weights;
        json!({"messages": [turn("user", "a"), {"role": "assistant", "content": "b", key: first},
            turn("user", "c"), {"role": "assistant", "content": "d", key: second}]})
    };
    let taught = |row: &Value| -> Vec<String> {
        let reader = Reader::new().with_every_turn();
        let loaded = reader
            .sft(file(lines(std::slice::from_ref(row))).path())
            .unwrap();
        loaded.examples.into_iter().map(|e| e.completion).collect()
    };
    for (key, no, yes) in [
        ("weight", json!(0), json!(1)),
        ("weight", json!(0.0), json!(1.0)),
        ("train", json!(false), json!(true)),
        ("training", json!(false), json!(true)),
        ("loss", json!(false), json!(true)),
        ("loss_weight", json!(0.0), json!(1.0)),
        ("masked", json!(true), json!(false)),
    ] {
        let row = weighed(key, [no.clone(), yes.clone()]);
        assert_eq!(taught(&row), ["d"], "{row}");
        assert_eq!(demonstration(row)[1], "d");
        let row = weighed(key, [yes, no]);
        assert_eq!(taught(&row), ["b"], "{row}");
        let error = wrong(&[row]);
        assert!(
            error.contains("dropped 1: completion has weight 0"),
            "{error}"
        );
    }
    assert_eq!(taught(&weighed("weight", [1.into(), 1.into()])), ["b", "d"]);
    let error = wrong(&[weighed("weight", [0.5.into(), 1.into()])]);
    let expected = "\"weight\" of a message must be 0 (context only) or 1, got 0.5";
    assert!(error.ends_with(expected), "{error}");
    // Thumbs and pairs too.
    let answer = json!({"role": "assistant", "content": "b", "weight": 0});
    let good = json!({"prompt": [turn("user", "a")], "completion": "b", "label": true});
    let thumb = json!({"messages": [turn("user", "a"), answer], "label": true});
    assert_eq!(
        thumbs(&[thumb, good]).report.dropped[&DropReason::ContextOnly],
        1
    );
    let good = json!({"prompt": [turn("user", "a")], "chosen": "b", "rejected": "c"});
    let pair = json!({"prompt": [turn("user", "a")], "chosen": [answer], "rejected": "c"});
    assert_eq!(
        pairs(&[pair, good]).report.dropped[&DropReason::ContextOnly],
        1
    );
}

#[cfg(feature = "tokenizers")]
#[test]
fn generation_marks_leave_turns_of_weight_zero_out() {
    let template = "{% for m in messages %}{% if m.role == 'assistant' %}[{% generation %}{{ m.content }}{% endgeneration %}]{% else %}({{ m.content }}){% endif %}{{ m.weight }}{% endfor %}";
    let template = JinjaTemplate::new(template, "", "").unwrap();
    let encoder = Encoder::new(&ByteTokenizer, &template, 64).with_generation_marks();
    let scored = |weight: u8| {
        let row = json!({"messages": [turn("user", "a"), {"role": "assistant", "content": "b", "weight": weight},
            turn("user", "c"), {"role": "assistant", "content": "d"}]});
        let loaded = demonstrations(&[row]);
        let encoded = encoder.encode_sft(&loaded.examples).unwrap().examples;
        let row = &encoded[0];
        let runs = if row.runs.is_empty() {
            vec![1]
        } else {
            row.runs.to_vec()
        };
        (row.prompt.len() + row.completion.len(), runs)
    };
    // (a)[b](c)[d]: the template sees no weight.
    assert_eq!(scored(1), (12, vec![1, 5, 1, 1]));
    let (length, runs) = scored(0);
    assert_eq!((length, runs), (12, vec![1, 1]));
}

#[test]
fn nulls_that_tables_add_are_not_there() {
    let call = |arguments: Value| json!([{"type": "function", "function": {"name": "f", "arguments": arguments}}]);
    let tools = |row: Value| json!([{"type": "function", "function": {"name": "f", "parameters": {"properties": {"row": row}}}}]);
    let clean = json!({"messages": [turn("user", "a"), {"role": "assistant", "content": "", "tool_calls": call(json!({"row": 4}))},
        {"role": "tool", "content": "ok"}, turn("assistant", "b")], "tools": tools(json!({"type": "integer"}))});
    let nulls = json!({"messages": [
        {"role": "user", "content": [{"type": "text", "text": "a", "image_url": null}, null], "tool_calls": null, "name": null},
        {"role": "assistant", "content": null, "tool_calls": call(json!({"row": 4, "city": null})), "weight": null},
        {"role": "tool", "content": "ok", "tool_calls": []}, {"role": "assistant", "content": "b", "tool_calls": null}],
        "tools": tools(json!({"type": "integer", "enum": null})), "label": null, "chosen": null, "prompt": null});
    let mut nulls = nulls;
    nulls.as_object_mut().unwrap().remove("label");
    assert_eq!(
        demonstrations(&[nulls]).examples,
        demonstrations(&[clean]).examples
    );
    // A table of several kinds has all of their columns.
    let turns = [turn("user", "a"), turn("assistant", "b")];
    let row =
        json!({"messages": turns, "prompt": null, "label": null, "chosen": null, "score": null});
    assert_eq!(demonstration(row), ["user: a", "b"]);
    let row = json!({"prompt": "a", "completion": "b", "label": true, "chosen": null, "rejected": null, "messages": null});
    assert_eq!(
        thumbs(&[row]).examples,
        [BinaryExample::new("a", "b", true)]
    );
    let row =
        json!({"prompt": "a", "completion": null, "label": null, "chosen": "b", "rejected": "c"});
    assert_eq!(pair(row), ["a", "b", "c"]);
}

#[test]
fn lists_that_are_written_as_text_are_lists() {
    let list = |text: &str| json!([turn("user", "a"), turn("assistant", text)]).to_string();
    assert_eq!(
        demonstration(json!({"messages": list("b")})),
        ["user: a", "b"]
    );
    assert_eq!(
        demonstration(json!({"conversations": list("b")})),
        ["user: a", "b"]
    );
    let asked = json!([turn("user", "a")]).to_string();
    let row = json!({"prompt": asked, "chosen": "b", "rejected": "c"});
    assert_eq!(pair(row), ["user: a", "b", "c"]);
    let row = json!({"chosen": list("b"), "rejected": list("c")});
    assert_eq!(pair(row), ["user: a", "b", "c"]);
    let printed = json!({"prompt": "[{'role': 'user', 'content': 'a'}]", "completion": "b"});
    let error = wrong(&[printed]);
    assert!(
        error.contains("\"prompt\" is a list as Python prints it"),
        "{error}"
    );
    let error = wrong(&[json!({"messages": "no list"})]);
    let expected = "\"messages\" must be a text or a list of messages, got \"no list\"";
    assert!(error.ends_with(expected), "{error}");
    // Text that only looks like it.
    let row = json!({"prompt": "[1] {\"a\": 2}", "completion": "[]"});
    assert_eq!(demonstration(row), ["[1] {\"a\": 2}", "[]"]);
}

#[test]
fn texts_alone_are_learned_as_a_whole() {
    let loaded = demonstrations(&[json!({"text": "Once upon a time."})]);
    assert_eq!(loaded.examples, [SftExample::new("", "Once upon a time.")]);
    let error = read_binary(file(lines(&[json!({"text": "a", "label": 1})])).path()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(":1: has a \"label\" of a \"text\""),
        "{error}"
    );
}

fn named(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn error_of(content: impl AsRef<[u8]>) -> String {
    let error = read_sft(file(content).path()).unwrap_err().to_string();
    assert!(!error.chars().any(char::is_control), "{error:?}");
    error
}

#[cfg(feature = "csv")]
#[test]
fn tables_as_text_are_read() {
    let expected = [
        BinaryExample::new("Is it \"late\"?\nSay, so.", " Yes, nine.", true),
        BinaryExample::new("Is it early?", " Cheese.", false),
    ];
    let table = |separator: &str, end: &str| {
        [
            ["prompt", "completion", "label"],
            ["\"Is it \"\"late\"\"?\nSay, so.\"", "\" Yes, nine.\"", "1"],
            ["Is it early?", " Cheese.", "False"],
        ]
        .map(|cells| cells.join(separator))
        .join(end)
    };
    for (name, content) in [
        ("a.csv", table(",", "\n")),
        ("a.csv", format!("\u{feff}{}\r\n", table(",", "\r\n"))),
        ("a.csv", table(";", "\n")),
        ("a.tsv", table("\t", "\n")),
        // Without an ending the names of the columns tell.
        ("blob", table(",", "\n")),
        ("blob", table("\t", "\n")),
    ] {
        let (_folder, path) = named(name, content);
        let loaded = read_binary(&path).unwrap();
        assert_eq!(loaded.examples, expected, "{}", path.display());
    }
    let turns = json!([turn("user", "a"), turn("assistant", "b")]).to_string();
    let content = format!("id,messages\n1,\"{}\"\n", turns.replace('"', "\"\""));
    let (_folder, path) = named("a.csv", content);
    let loaded = read_sft(&path).unwrap();
    assert_eq!(said(&loaded.examples[0].prompt), "user: a");
    assert_eq!(loaded.report.unread["id"], 1);
    let (_folder, path) = named("a.csv", "question,answer\na,b\nc,\n");
    assert_eq!(
        read_sft(&path).unwrap().report.dropped[&DropReason::EmptyCompletion],
        1
    );
    let (_folder, path) = named("a.csv", "prompt,completion,score\na,b,4.5\n");
    assert_eq!(read_scored(&path).unwrap().examples[0].score, 4.5);
    #[cfg(feature = "gzip")]
    {
        let (_folder, path) = named("a.csv.gz", super::gzip(table(",", "\n").as_bytes()));
        assert_eq!(read_binary(&path).unwrap().examples, expected);
    }
}

#[cfg(feature = "csv")]
#[test]
fn tables_that_say_something_else_are_refused_with_their_line() {
    let said = |content: &[u8]| {
        let (_folder, path) = named("a.csv", content);
        let error = read_sft(&path).unwrap_err().to_string();
        error.split("a.csv").nth(1).unwrap().to_string()
    };
    let ragged = said(b"prompt,completion\na,\"b\nb\"\na,b,c\n");
    let expected = ":4: has 3 fields, where the first line names 2 columns";
    assert!(ragged.starts_with(expected), "{ragged}");
    let twice = said(b"prompt,prompt\na,b\n");
    assert_eq!(twice, ":1: column \"prompt\" is there twice");
    let latin = said(b"prompt,completion\na,caf\xe9\n");
    assert_eq!(latin, ":2: is not valid UTF-8: save the table as UTF-8");
    let label = read_binary(named("a.csv", "prompt,completion,label\na,b,1\na,b,maybe\n").1);
    assert!(label.is_err());
    let nameless = said(b"Is it late?,Yes\nIs it early?,No\n");
    assert!(nameless.contains("found Is it late?, Yes"), "{nameless}");
    let open = [b"prompt,completion\na,\"b".as_slice(), &[b'x'; 65 << 20]].concat();
    let open = said(&open);
    assert!(
        open.contains(":2: is longer than 64 MiB: is a quote not closed?"),
        "{open}"
    );
    for swallowed in [
        &b"prompt,completion\na,\"b\nc,d\n"[..],
        b"prompt,completion\na,\"b\n",
    ] {
        assert_eq!(said(swallowed), ":2: has a quote that is not closed");
    }
    let (_folder, path) = named("a.csv", "prompt,completion\na,\"b\nc\"\n");
    assert_eq!(read_sft(&path).unwrap().examples[0].completion, "b\nc");
    assert!(said(b"prompt,completion\n").contains("there is no row"));
}

#[test]
fn other_kinds_of_files_are_named() {
    for (content, kind) in [
        (&b"ARROW1\0\0"[..], "an Arrow file"),
        (
            b"PK\x03\x04\x14\0[Content_Types].xml",
            "an Excel workbook (.xlsx)",
        ),
        (b"PK\x03\x04\x14\0a.jsonl", "a zip archive"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x80\x04\x95", "a pickle of Python"),
        (b"BZh91AY", "compressed with bzip2"),
        (b"<?xml version=\"1.0\"?>", "XML"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"---\nprompt: a\n", "YAML"),
        (b"\xff\xfe{\0", "a text in UTF-16"),
    ] {
        let error = error_of(content);
        let expected = format!(
            ": is {kind}, which is not read: write JSON Lines (.jsonl), a JSON array, CSV or Parquet"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[test]
fn rows_may_be_below_an_object_or_over_several_lines() {
    let row = json!({"prompt": "a", "completion": "b"});
    let rows = [row.clone(), json!({"prompt": "c", "completion": "d"})];
    let expected = [SftExample::new("a", "b"), SftExample::new("c", "d")];
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    for content in [
        pretty(&json!({"version": "1", "data": rows})),
        json!({"version": "1", "data": rows}).to_string(),
        pretty(&json!({"train": rows, "authors": [{"name": "x"}]})),
        pretty(&json!(rows)),
        format!("{}\n{}\n", pretty(&rows[0]), pretty(&rows[1])),
    ] {
        assert_eq!(
            read_sft(file(&content).path()).unwrap().examples,
            expected,
            "{content}"
        );
    }
    // One row with a list of objects in it is a row.
    let row = json!({"messages": [turn("user", "a"), turn("assistant", "b")]});
    let loaded = read_sft(file(pretty(&row)).path()).unwrap();
    assert_eq!(loaded.examples[0].completion, "b");
    let error = error_of(pretty(&json!({"train": rows, "test": rows})));
    assert!(
        error.contains("has lists of rows below train, test"),
        "{error}"
    );
    let error = error_of(pretty(
        &json!({"data": [rows[0], {"prompt": 1, "completion": "b"}]}),
    ));
    assert!(error.contains(": row 2: \"prompt\" must be"), "{error}");
    let error = error_of("{\n  \"prompt\": \"a\",\n  \"completion\": flase\n}");
    assert!(error.contains(":3: is not valid JSON"), "{error}");
}

#[test]
fn what_python_writes_and_json_has_not_is_named() {
    for (row, named) in [
        (r#"{"prompt": "a", "completion": "b", "score": NaN}"#, "NaN"),
        (
            r#"{"prompt": "a", "completion": "b", "score": Infinity}"#,
            "Infinity",
        ),
        (
            r#"{"prompt": "a", "completion": "b", "score": -Infinity}"#,
            "Infinity",
        ),
        (r#"{"prompt": "a", "completion": None}"#, "None"),
        (
            r#"{"prompt": "a \ud83d", "completion": "b"}"#,
            "half of a surrogate pair",
        ),
        (
            r#"{"prompt": "a \ude00 b", "completion": "b"}"#,
            "half of a surrogate pair",
        ),
        ("{'prompt': 'a', 'completion': 'b'}", "as Python prints it"),
    ] {
        let error = error_of(row);
        assert!(error.contains(":1: is not valid JSON: "), "{error}");
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn a_clone_of_a_repository_is_read_as_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let row = |answer: &str| json!({"prompt": "a", "completion": answer}).to_string();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    for (name, content) in [
        ("data/train-0.jsonl", row("b")),
        ("data/test-0.jsonl", row("held out")),
        ("data/old.arrow", String::new()),
        ("dataset_infos.json", "{\"default\": {}}".into()),
        (".gitattributes", String::new()),
        ("README.md", "# ferns".into()),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let loaded = read_sft(folder.path()).unwrap();
    assert_eq!(loaded.examples, [SftExample::new("a", "b")]);
    assert_eq!(
        loaded.report.files_left_out,
        ["data/test-0.jsonl", "old.arrow"]
    );
    let said = loaded.report.to_string();
    assert!(
        said.contains("; files not read: data/test-0.jsonl, old.arrow"),
        "{said}"
    );
    // The card says it better than names do.
    let card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/test-*\n---\n";
    std::fs::write(folder.path().join("README.md"), card).unwrap();
    assert_eq!(
        read_sft(folder.path()).unwrap().examples[0].completion,
        "held out"
    );
    std::fs::write(folder.path().join("README.md"), "# ferns").unwrap();
    // What is named is read.
    let named = folder.path().join("data/test*");
    assert_eq!(read_sft(named).unwrap().examples[0].completion, "held out");
    std::fs::remove_file(folder.path().join("data/train-0.jsonl")).unwrap();
    assert_eq!(read_sft(folder.path()).unwrap().examples.len(), 1);
}

#[test]
fn rows_have_a_limit_wherever_they_stand() {
    let long = format!("{{\"prompt\": \"{}", "a".repeat(65 << 20));
    for (content, place) in [
        (
            format!("[{{\"prompt\": \"a\", \"completion\": \"b\"}}, {long}"),
            ": row 2: ",
        ),
        (long.clone(), ":1: "),
        (long.replacen('{', "{\n", 1), ": row 1: "),
    ] {
        let error = error_of(content);
        assert!(
            error.ends_with(&format!("{place}is longer than 64 MiB")),
            "{error}"
        );
    }
    // Many rows are not one.
    let row = json!({"prompt": "a", "completion": "b".repeat(1 << 20)}).to_string();
    let many = format!("[{}]", vec![row; 70].join(","));
    assert_eq!(read_sft(file(many).path()).unwrap().report.rows, 70);
}

#[test]
fn names_from_files_reach_the_terminal_as_code() {
    let bad = "x\u{1b}[31m\u{202e}\n\u{9b}y";
    let error = error_of(lines(&[json!({bad: 1})]));
    assert!(error.contains("x\\u{1b}[31m"), "{error}");
    assert!(!error.contains('\u{202e}'), "{error}");
    let report = demonstrations(&[json!({"prompt": "a", "completion": "b", bad: 1})]).report;
    for text in [report.to_string(), report.table()] {
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "{text:?}"
        );
        assert!(!text.contains('\u{202e}'), "{text:?}");
    }
    let error = error_of(lines(&[
        json!({"prompt": "a", "completion": "b", "score": bad}),
    ]));
    assert!(error.contains("must be a number, got"), "{error}");
}

#[test]
fn messages_that_stand_each_by_itself_are_joined_to_trees() {
    let message = |id: &str, parent: Value, role: &str, rank: Value| {
        json!({"message_id": id, "parent_id": parent, "text": id, "role": role, "lang": "en", "rank": rank,
            "deleted": false, "review_result": true, "message_tree_id": "q", "tree_state": "ready_for_export"})
    };
    let rows = [
        message("worse", "q".into(), "assistant", 1.0.into()),
        message("q", Value::Null, "prompter", Value::Null),
        message("best", "q".into(), "assistant", 0.0.into()),
        message("lost", "nowhere".into(), "assistant", 0.0.into()),
    ];
    let loaded = pairs(&rows);
    let pair = &loaded.examples[0];
    assert_eq!(
        [
            said(&pair.prompt),
            pair.chosen.clone(),
            pair.rejected.clone()
        ],
        ["user: q", "best", "worse"]
    );
    assert_eq!(loaded.report.dropped[&DropReason::NoParent], 1);
    assert_eq!((loaded.report.rows, loaded.report.unread.len()), (4, 0));
    let bad = message("odd", "q".into(), "wizard", 0.into());
    let error = wrong(&[rows[1].clone(), bad]);
    assert!(
        error.contains(":1: a message's role must be prompter or assistant"),
        "{error}"
    );
    let twice = wrong(&[rows[1].clone(), rows[1].clone()]);
    assert!(
        twice.ends_with(":2: \"message_id\" is that of line 1 too"),
        "{twice}"
    );
}

#[test]
fn lists_of_answers_with_ranks_or_scores_are_ranked() {
    let answer = |text: &str, rank: f64| json!({"answer": text, "model": "m", "rank": rank});
    let nectar = json!({"prompt": "\n\nHuman: a\n\nAssistant: ", "turns": 1, "good_natured": true,
        "answers": [answer("c", 2.0), answer("b", 1.0)]});
    let scores = json!({"instruction": "a", "responses": ["b", "c"], "scores": [2, 1]});
    let ranks = json!({"question": "a", "completions": ["c", "b"], "ranks": [1, 0]});
    let inside = json!({"prompt": [turn("user", "a")], "responses": [
        {"text": "b", "score": 0.5}, {"text": "c", "score": "0.25"}, {"text": " ", "score": 3}]});
    for row in [nectar, scores, ranks, inside] {
        assert_eq!(pair(row.clone()), ["user: a", "b", "c"], "{row}");
        assert!(pairs(&[row]).report.unread.is_empty());
    }
    let error = wrong(&[json!({"prompt": "a", "responses": ["b", "c"], "scores": [1]})]);
    assert!(
        error.contains("\"scores\" must be a list of 2, one an answer, got [1]"),
        "{error}"
    );
}

#[test]
fn what_is_no_list_of_rows_is_told_what_it_is() {
    let by_columns = json!({"prompt": ["a", "b"], "completion": ["c", "d"]});
    let of_pandas = json!({"prompt": {"0": "a", "1": "b"}, "completion": {"0": "c", "1": "d"}});
    for table in [by_columns, of_pandas] {
        let error = error_of(table.to_string());
        assert!(
            error.contains(":1: is a table by columns, where rows are needed"),
            "{error}"
        );
    }
    let error = error_of("hello world\nsecond line\n");
    let expected = ":1: is not JSON, nor a table whose first line names columns";
    assert!(
        error.contains(expected) && error.contains("begins with \"hello world\""),
        "{error}"
    );
}

#[test]
fn a_conversation_may_wait_for_an_answer_beside_it() {
    for row in [
        json!({"messages": [turn("user", "a")], "completion": "b"}),
        json!({"conversation": [turn("user", "a")], "response": "b"}),
        json!({"messages": [turn("user", "a"), turn("assistant", "b")], "response": "c"}),
    ] {
        assert_eq!(demonstration(row.clone()), ["user: a", "b"], "{row}");
    }
    // A call as it was written before there were several.
    let call = json!({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}});
    let result = json!({"role": "function", "name": "f", "content": "1"});
    let row = json!({"messages": [turn("user", "a"), call, result, turn("assistant", "b")]});
    let loaded = demonstrations(&[row]);
    let Prompt::Messages(messages) = &loaded.examples[0].prompt else {
        panic!()
    };
    assert_eq!(messages[1].extra["tool_calls"][0]["function"]["name"], "f");
    let good = json!({"messages": [turn("user", "a"), turn("assistant", "b")]});
    let loaded = demonstrations(&[json!({"messages": [turn("user", "a"), call]}), good]);
    assert_eq!(loaded.report.dropped[&DropReason::CallsTool], 1);
}

#[cfg(feature = "tokenizers")]
#[test]
fn a_text_alone_is_scored_but_for_its_first_token() {
    let encoder = Encoder::new(&ByteTokenizer, &PlainTemplate, 9);
    let encoded = encoder
        .encode_sft(&[SftExample::new("", "abc")])
        .unwrap()
        .examples;
    assert_eq!(encoded[0].prompt.to_vec(), [97]);
    assert_eq!(encoded[0].completion.to_vec(), [98, 99, 256]);
}

#[cfg(feature = "cache")]
#[test]
fn other_columns_are_another_cache() {
    let data = file(lines(&[json!({"a": "b", "c": "d"})]));
    let key = |columns: &[(&str, &str)]| {
        let reader = Reader::new().with_columns(columns.iter().copied());
        CacheKey::default()
            .with_source(&reader, data.path())
            .unwrap()
    };
    assert_eq!(key(&[("prompt", "a")]), key(&[("prompt", "a")]));
    assert_ne!(key(&[("prompt", "a")]), key(&[("prompt", "c")]));
    assert_ne!(key(&[("prompt", "a")]), key(&[]));
}
