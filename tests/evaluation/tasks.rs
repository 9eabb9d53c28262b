//! Prompts and grades: exact for small files written here, perfect for perfect answers to the real
//! ones.

use crate::common::{mean, shared};
use burn_kto::eval::*;
use std::fs;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const QUESTION: &str = "\" What is\n2 + 2? \",3,4,5,6,";

/// Two subjects, one of either shape.
fn mmlu_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let header = "question,choice0,choice1,choice2,choice3,answer\n";
    write(
        folder.path(),
        "test/plain_sums_test.csv",
        &format!("{header}{QUESTION}1\n"),
    );
    write(
        folder.path(),
        "dev/plain_sums_dev.csv",
        &format!("{header}1 + 1?,1,2,3,4,1\n0 + 0?,0,1,2,3,0\n"),
    );
    write(
        folder.path(),
        "test/odd_test.csv",
        &format!("{QUESTION}B\n\"Say \"\"hi\"\", now\",a,b,c,d,D\n"),
    );
    write(
        folder.path(),
        "dev/odd_dev.csv",
        "Odd?,1,2,4,6,A\nEven?,1,2,3,5,B\n",
    );
    folder
}

#[test]
fn mmlu_reads_both_shapes_and_writes_either_prompt() {
    let folder = mmlu_folder();
    let mmlu = Mmlu::load(folder.path(), MmluPrompt::Harness, 1).unwrap();
    let ids: Vec<&str> = mmlu.items().iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["odd/0", "odd/1", "plain_sums/0"]);
    let request = &mmlu.items()[2].request;
    assert_eq!(
        request.contexts,
        [
            "The following are multiple choice questions (with answers) about plain sums.\n\n1 + 1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: B\n\nWhat is\n2 + 2?\nA. 3\nB. 4\nC. 5\nD. 6\nAnswer:"
        ]
    );
    assert_eq!(request.continuations, [" A", " B", " C", " D"]);
    assert!(mmlu.items()[1].request.contexts[0].contains("\n\nSay \"hi\", now\nA. a\n"));

    let original = Mmlu::load(folder.path(), MmluPrompt::Original, 2).unwrap();
    let contexts = &original.items()[2].request.contexts;
    assert_eq!(contexts.len(), 3);
    assert_eq!(
        contexts[2],
        "The following are multiple choice questions (with answers) about  plain sums.\n\n What is\n2 + 2? \nA. 3\nB. 4\nC. 5\nD. 6\nAnswer:"
    );
    assert!(contexts[0].contains("Answer: B\n\n0 + 0?"));

    let response = |log_probs: [f64; 4]| LogProbs {
        log_probs: log_probs.to_vec(),
        context: 0,
        truncated: false,
    };
    let accuracy =
        |index, log_probs| mmlu.grade(index, &response(log_probs)).unwrap().metrics["accuracy"];
    assert_eq!(accuracy(0, [-3.0, -1.0, -1.0, -2.0]), 1.0); // B, the first of equals
    assert_eq!(accuracy(1, [-3.0, -1.0, -1.0, -2.0]), 0.0);
    assert_eq!(accuracy(1, [f64::NAN, -9.0, -9.0, -2.0]), 1.0);

    let written = MmluGenerative::load(folder.path(), 0).unwrap();
    let exact = |text: &str| {
        let texts = Texts {
            texts: vec![text.into()],
            truncated: false,
        };
        written.grade(2, &texts).unwrap().metrics["exact_match"]
    };
    assert_eq!([" B.", "(b)", "B. 4", ""].map(exact), [1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn bad_mmlu_files_are_named_with_their_line() {
    let folder = mmlu_folder();
    let error = |shots| {
        Mmlu::load(folder.path(), MmluPrompt::Harness, shots)
            .unwrap_err()
            .to_string()
    };
    assert!(
        error(3).ends_with("odd_dev.csv: 3 shots need as many examples, got 2"),
        "{}",
        error(3)
    );
    write(
        folder.path(),
        "test/odd_test.csv",
        "a,1,2,3,4,A\nb,1,2,3,4,E\n",
    );
    assert!(
        error(0).ends_with("odd_test.csv:2: an answer is 0 to 3 or A to D, got \"E\""),
        "{}",
        error(0)
    );
    write(folder.path(), "test/odd_test.csv", "a,1,2,3,A\n");
    assert!(
        error(0).contains("odd_test.csv:1: a question needs 6 fields"),
        "{}",
        error(0)
    );
    write(folder.path(), "test/odd_test.csv", "");
    assert!(error(0).ends_with("odd_test.csv: has no question"));
    let error = Mmlu::load("nowhere", MmluPrompt::Harness, 0)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("cannot read nowhere"), "{error}");
}

#[test]
fn gsm8k_prompts_and_grades() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(
        folder.path(),
        "test.jsonl",
        "{\"question\": \"How many?\", \"answer\": \"2*600=<<2*600=1200>>1,200\\n#### 1,200\"}\n",
    );
    write(
        folder.path(),
        "train.jsonl",
        "{\"question\": \"One and one?\", \"answer\": \"It is 1+1=<<1+1=2>>2\\nYes!\\n#### 2\"}\n",
    );
    let plain = Gsm8k::load(path("test.jsonl"), path("train.jsonl"), Shots::First(1)).unwrap();
    let request = &plain.items()[0].request;
    assert_eq!(
        request.prompt,
        "Question: One and one?\nAnswer: It is 1+1=<<1+1=2>>2\nYes!\n#### 2\n\nQuestion: How many?\nAnswer:"
    );
    assert_eq!(
        (&request.stop[0], request.max_tokens, request.temperature),
        (&"Question:".into(), 256, 0.0)
    );
    let points = |task: &Gsm8k, text: &str| {
        let texts = Texts {
            texts: vec![text.into()],
            truncated: false,
        };
        let metrics = task.grade(0, &texts).unwrap().metrics;
        (metrics["strict"], metrics["flexible"])
    };
    assert_eq!(points(&plain, " 1200\n#### 1200"), (1.0, 1.0));
    assert_eq!(points(&plain, "#### 1,200 or 7"), (1.0, 0.0));
    assert_eq!(points(&plain, "It costs $1,200."), (0.0, 1.0));
    assert_eq!(points(&plain, ""), (0.0, 0.0));

    let derived = Gsm8k::load_derived_chain_of_thought(
        path("test.jsonl"),
        path("train.jsonl"),
        Shots::First(1),
    )
    .unwrap();
    assert_eq!(
        derived.items()[0].request.prompt,
        "Q: One and one?\nA: It is 1+1=2. Yes! The answer is 2.\n\nQ: How many?\nA:"
    );
    assert_eq!(points(&derived, " The answer is 1200."), (1.0, 1.0));
    assert_eq!(points(&derived, " The answer is 1200"), (0.0, 1.0)); // the strict rule reads 120
    assert_eq!(points(&derived, " The answer is $1,200."), (0.0, 1.0));

    write(
        folder.path(),
        "prompt.txt",
        "Q: a\nA: The answer is 1.\n\nQ: b\nA: The answer is 2.\n",
    );
    let fixed = Gsm8k::load_chain_of_thought(path("test.jsonl"), path("prompt.txt"), 2).unwrap();
    assert_eq!(
        fixed.items()[0].request.prompt,
        "Q: a\nA: The answer is 1.\n\nQ: b\nA: The answer is 2.\n\nQ: How many?\nA:"
    );
    assert_ne!(fixed.version(), derived.version());
    let error =
        Gsm8k::load_chain_of_thought(path("test.jsonl"), path("prompt.txt"), 8).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("8 shots need as many blocks of Q: and A:, got 2")
    );
    write(
        folder.path(),
        "test.jsonl",
        "{\"question\": \"?\", \"answer\": \"no number\"}\n",
    );
    let error = Gsm8k::load(path("test.jsonl"), path("train.jsonl"), Shots::First(0)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("test.jsonl:1: \"answer\" has no \"#### number\""),
        "{error}"
    );
}

#[test]
fn bbh_prompts_and_grades_by_both_rules() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "bbh/signs.json",
        r#"{"canary": "x", "examples": [{"input": "not True is", "target": "False"}]}"#,
    );
    write(
        folder.path(),
        "cot/signs.txt",
        "canary line\n-----\nEvaluate.\n\nQ: True is\nA: Let's think step by step.\nSo the answer is True.\n",
    );
    let bbh = Bbh::load(folder.path().join("bbh"), folder.path().join("cot")).unwrap();
    assert_eq!(
        bbh.items()[0].request.prompt,
        "Evaluate.\n\nQ: True is\nA: Let's think step by step.\nSo the answer is True.\n\nQ: not True is\nA: Let's think step by step.\n"
    );
    let points = |text: &str| {
        let texts = Texts {
            texts: vec![text.into()],
            truncated: false,
        };
        let metrics = bbh.grade(0, &texts).unwrap().metrics;
        (metrics["paper"], metrics["harness"])
    };
    assert_eq!(points("So the answer is False."), (1.0, 1.0));
    assert_eq!(points("So the answer is False"), (1.0, 0.0));
    assert_eq!(
        points("the answer is False.\nNo, the answer is True."),
        (0.0, 1.0)
    );
    assert_eq!(points("False"), (0.0, 0.0));
    fs::remove_file(folder.path().join("cot/signs.txt")).unwrap();
    let error = Bbh::load(folder.path().join("bbh"), folder.path().join("cot")).unwrap_err();
    assert!(error.to_string().contains("signs.txt"), "{error}");
}

#[test]
fn perfect_answers_to_the_real_files_are_perfect() {
    let (Some(test), Some(train)) = (shared("gsm8k_test.jsonl"), shared("gsm8k_train_head.jsonl"))
    else {
        return;
    };
    let plain = Gsm8k::load(
        &test,
        &train,
        Shots::Drawn {
            count: 5,
            seed: 1234,
        },
    )
    .unwrap();
    assert_eq!(plain.items().len(), 1319);
    assert_eq!(
        plain.items()[0].request.prompt.matches("Question:").count(),
        6
    );
    let text = fs::read_to_string(&test).unwrap();
    let gold: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["answer"]
                .as_str()
                .unwrap()
                .into()
        })
        .collect();
    for metric in ["strict", "flexible"] {
        assert_eq!(mean(&plain, metric, |i| gold[i].clone()), 1.0);
        // The next problem's solution is right by chance only.
        assert!(mean(&plain, metric, |i| gold[(i + 1) % gold.len()].clone()) < 0.05);
    }
    let chain = Gsm8k::load_derived_chain_of_thought(&test, &train, Shots::First(8)).unwrap();
    let number = |i: usize| gold[i].rsplit("#### ").next().unwrap().to_string();
    assert_eq!(
        mean(&chain, "strict", |i| format!(
            "So. The answer is {}.",
            number(i)
        )),
        1.0
    );

    let (Some(tasks), Some(prompts)) = (shared("bbh"), shared("bbh_cot_prompts")) else {
        return;
    };
    let bbh = Bbh::load(&tasks, prompts).unwrap();
    assert_eq!(bbh.items().len(), 5 * 250 + 187);
    assert!(
        bbh.items()
            .iter()
            .all(|item| !item.request.prompt.contains("canary"))
    );
    let target = |i: usize| {
        let texts = vec![String::new()];
        bbh.grade(
            i,
            &Texts {
                texts,
                truncated: false,
            },
        )
        .unwrap()
        .target
    };
    for metric in ["paper", "harness"] {
        assert_eq!(
            mean(&bbh, metric, |i| format!("So the answer is {}.", target(i))),
            1.0
        );
    }
    let Some(folder) = shared("mmlu") else { return };
    let mmlu = Mmlu::load(folder, MmluPrompt::Original, 5).unwrap();
    assert_eq!(mmlu.items().len(), 100 + 152 + 100 + 204);
}
