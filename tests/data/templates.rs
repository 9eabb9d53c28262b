//! Templates that use what those of Llama 3, Qwen 2.5 and 3, Mistral, SmolLM2 and Zephyr use, against what transformers made of them once
//! (`fixtures/templates/record.py`).

use burn_kto::prelude::*;
use serde_json::Value;
use std::path::Path;

#[test]
fn texts_and_masks_are_those_of_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&read("cases.json")).unwrap();
    let (mut texts, mut masks, mut refusals) = (0, 0, 0);
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case["template"].as_str().unwrap();
        let template = JinjaTemplate::new(read(name), "<s>", "</s>").unwrap();
        let template = template.with_date("2026-11-03T12:00:00").unwrap();
        let messages: Vec<Message> = serde_json::from_value(case["messages"].clone()).unwrap();
        let prompt = case["generation_prompt"].as_bool().unwrap();
        let rendered = template.render(&messages, prompt);
        let what = format!("{name} {}", case["conversation"]);
        if let Some(refused) = case["refused"].as_str() {
            let error = rendered.unwrap_err().to_string();
            assert!(error.contains(refused), "{what}: {error}");
            refusals += 1;
            continue;
        }
        match rendered {
            Ok(text) if text == case["text"] => texts += 1,
            other => wrong.push(format!(
                "{what}:\n got {other:?}\nwant {:?}",
                case["text"].as_str()
            )),
        }
        let Some(spans) = case.get("spans") else {
            continue;
        };
        let (text, said) = template.render_marked(&messages).unwrap().unwrap();
        let said: Vec<[usize; 2]> = said.iter().map(|span| [span.start, span.end]).collect();
        if text == case["text"] && serde_json::to_value(said.clone()).unwrap() == *spans {
            masks += 1;
        } else {
            wrong.push(format!("{what}: marked {said:?}, want {spans}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(
        (texts, masks, refusals),
        (70, 23, 2),
        "all cases were looked at"
    );
}

#[test]
fn a_template_without_marks_says_so() {
    let template = JinjaTemplate::new("{{ messages[0].content }}", "", "").unwrap();
    let messages = [Message::new("user", "Hi")];
    assert!(template.render_marked(&messages).unwrap().is_none());
}
