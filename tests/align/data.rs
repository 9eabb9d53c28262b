//! `burn-kto data`, and what it is made of.

use crate::common::World;
use burn_kto::align::preview;

#[test]
fn rows_are_shown_as_the_model_would_see_them() {
    let world = World::new();
    let said = world.said("data --model model --data thumbs.jsonl --rows 2 --held-out 0.25");
    for expected in [
        "data   rows                  12  in 1 files: columns",
        "desirable              6",
        "9 to train on, 3 held out",
        "tokens tokenized             12",
        "at most 32, 16 of them prompt",
        "prompts, in tokens, before anything is cut",
        "completions, in tokens, before anything is cut",
        "over 16        0",
        "########",
        "what is scored stands in ⟦ ⟧",
    ] {
        assert!(said.contains(expected), "{expected} in\n{said}");
    }
    let rows: Vec<&str> = said.split("\n-- thumb ").skip(1).collect();
    assert_eq!(rows.len(), 2);
    // The first row is held out or not: either way it is one of the data, with its marks.
    assert!(rows[0].contains(", 10 tokens, 4 of them scored"), "{said}");
    let text = rows[0].lines().nth(1).unwrap();
    assert!(
        text.starts_with("   <s> what is ") && text.ends_with("</s>⟧"),
        "{text}"
    );
    assert!(text.contains("?⟦yes "), "{text}");
    assert!(!world.path("runs").exists(), "nothing is written");
}

#[test]
fn without_a_model_rows_are_texts() {
    let world = World::new();
    let said = world.said("data --data pairs.jsonl --method dpo --rows 1 --held-out 0");
    assert!(said.contains("12 to train on, 0 held out"), "{said}");
    assert!(
        said.contains("-- chosen\n   what is red bad ? ⟦yes is⟧"),
        "{said}"
    );
    assert!(
        said.contains("-- rejected\n   what is red bad ? ⟦no good very⟧"),
        "{said}"
    );
    assert!(said.contains("With --model, lengths in tokens"), "{said}");
    let error = world.refused("data --data pairs.jsonl --threshold 3");
    let expected = "error: pairs.jsonl:1: is a pair, so it needs no threshold";
    assert!(error.starts_with(expected), "{error}");
    let error = world.refused("data");
    assert!(error.starts_with("error: data.path: "), "{error}");
}

#[test]
fn shown_are_the_first_that_are_kept() {
    let world = World::new();
    // The first prompt leaves room for one token of its completion, and is dropped.
    let prompts = ["what is red bad ? ", "sky ", "sea ", "blue "];
    let rows = prompts.map(|prompt| {
        let row = serde_json::json!({"prompt": prompt, "completion": "yes no very"});
        format!("{row}\n")
    });
    std::fs::write(world.path("demonstrations.jsonl"), rows.concat()).unwrap();
    let mut settings = world.settings("demonstrations", "out", "method = { name = 'sft' }");
    settings.data.held_out = 0.0;
    settings.data.max_length = Some(6);
    settings.data.max_prompt_length = Some(5);
    let seen = preview(&settings, 2, &mut |_| {}).unwrap();
    let dropped: usize = seen.tokens.unwrap().report.dropped.values().sum();
    assert_eq!((dropped, seen.rows.len()), (1, 2));
    settings.data.strict = true;
    let error = preview(&settings, 2, &mut |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("strict: an example had to be dropped"),
        "{error}"
    );
}

#[test]
fn lengths_are_those_before_the_cut() {
    let world = World::new();
    let mut settings = world.settings("demonstrations", "out", "method = { name = 'sft' }");
    settings.data.max_length = Some(6);
    settings.data.max_prompt_length = Some(3);
    let preview = preview(&settings, 3, &mut |_| {}).unwrap();
    let tokens = preview.tokens.unwrap();
    assert_eq!((tokens.limits.sequence, tokens.limits.prompt), (6, 3));
    assert!(tokens.prompts.iter().all(|n| *n == 6) && tokens.prompts.len() == 12);
    assert!(tokens.completions.iter().all(|n| *n == 3));
    assert_eq!(tokens.report.truncated_prompts, 12);
    assert_eq!((preview.train, preview.held_out), (9, 3));
    assert_eq!(preview.rows.len(), 3);
    assert!(
        preview
            .rows
            .iter()
            .all(|row| row.tokens.is_some_and(|n| (n.all, n.scored) == (6, 3)))
    );
}

#[test]
fn columns_of_other_names_are_read() {
    let world = World::new();
    let row = serde_json::json!({"frage": "what is ", "a": {"gut": "yes no"}});
    std::fs::write(world.path("other.jsonl"), format!("{row}\n")).unwrap();
    let flags = "data --data other.jsonl --method sft --held-out 0";
    let said = world.said(&format!("{flags} --columns prompt=frage,completion=a.gut"));
    assert!(
        said.contains("-- demonstration\n   what is ⟦yes no⟧"),
        "{said}"
    );
    let said = world.said(&format!(
        "{flags} --columns question=frage --columns answer=a.gut"
    ));
    assert!(
        said.contains("   user: what is \n   assistant: ⟦yes no⟧"),
        "{said}"
    );
    let line = "read as                1  prompt: column \"question\"";
    assert!(said.contains(line), "{said}");
    let error = world.refused(&format!("{flags} --columns promt=frage"));
    assert!(
        error.contains("\"promt\" is not a column that is read"),
        "{error}"
    );
    assert!(error.contains("did you mean prompt?"), "{error}");
    let error = world.refused(flags);
    assert!(error.contains("other.jsonl:1: columns must be"), "{error}");
    assert!(
        error.contains("--columns prompt=NAME,completion=NAME"),
        "{error}"
    );
    // The settings of a file, and what is written of them.
    let settings = world.settings(
        "other",
        "out",
        "method = { name = 'sft' }\n[data.columns]\nprompt = 'frage'\ncompletion = 'a.gut'",
    );
    assert_eq!(settings.data.columns["completion"], "a.gut");
    let again: burn_kto::align::Settings = toml::from_str(&settings.to_toml().unwrap()).unwrap();
    assert_eq!(again.data, settings.data);
}
