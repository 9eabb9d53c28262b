//! A model on a hub, which is a server of this process on the loopback interface.

use crate::common::World;
use crate::loopback::{COMMIT, entry, json, serve};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// Serves a folder as `owner/name`; its address, and the requests that came.
fn server(folder: PathBuf) -> (String, Arc<Mutex<Vec<String>>>) {
    serve(move |path| {
        if path == "/api/models/owner/name/revision/main" {
            return json(serde_json::json!({"id": "owner/name", "sha": COMMIT}));
        }
        if path.starts_with(&format!("/api/models/owner/name/tree/{COMMIT}")) {
            let names = ["config.json", "tokenizer.json", "tokenizer_config.json"];
            let others = [
                "model.safetensors",
                "README.md",
                "onnx/model.safetensors",
                "model-fp8/model.safetensors",
                "chat_template.jinja",
                "additional_chat_templates/tool_use.jinja",
                "additional_chat_templates/README.md",
            ];
            // Of those that are asked for, the templates are in one test.
            let others = others
                .into_iter()
                .filter(|name| !name.ends_with(".jinja") || folder.join(name).exists());
            let others: Vec<&str> = others.collect();
            return json(
                names
                    .iter()
                    .chain(&others)
                    .map(|path| entry(path, 1))
                    .collect(),
            );
        }
        let file = path.strip_prefix(&format!("/owner/name/resolve/{COMMIT}/"))?;
        std::fs::read(folder.join(file)).ok()
    })
}

fn program(world: &World, url: &str, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_burn-kto"))
        .args(arguments.split_whitespace())
        .current_dir(world.path(""))
        .env("HF_ENDPOINT", url)
        .env("HF_HOME", world.path("hub"))
        .env("HF_TOKEN", "hf_secret")
        .output()
        .unwrap()
}

#[test]
fn a_model_of_the_hub_is_pinned_to_its_commit() {
    let world = World::new();
    let templates = world.path("model/additional_chat_templates");
    std::fs::create_dir(&templates).unwrap();
    std::fs::write(templates.join("tool_use.jinja"), "{{ messages }}").unwrap();
    let main = "{% for message in messages %}{{ message.content }} {% endfor %}";
    std::fs::write(world.path("model/chat_template.jinja"), main).unwrap();
    let (url, seen) = server(world.path("model"));
    let got = |name: &str| {
        let what = format!("GET /owner/name/resolve/{COMMIT}/{name} ");
        let seen = seen.lock().unwrap();
        seen.iter()
            .filter(|request| request.starts_with(&what))
            .count()
    };
    let data = "--data thumbs.jsonl --batch-size 4 --max-steps 2";
    let fine = |arguments: &str| {
        let output = program(&world, &url, arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
    };
    fine(&format!("data --model hf://owner/name {data}"));
    assert_eq!(
        (got("tokenizer.json"), got("model.safetensors")),
        (1, 0),
        "no weights to look at data"
    );
    fine(&format!("align --model hf://owner/name {data} --out out"));
    let text = std::fs::read_to_string(world.path("out/run.toml")).unwrap();
    assert!(
        text.contains(&format!("model = \"hf://owner/name@{COMMIT}\"")),
        "{text}"
    );
    assert_eq!((got("tokenizer.json"), got("model.safetensors")), (1, 1));
    for other in [
        "README.md",
        "onnx/model.safetensors",
        "model-fp8/model.safetensors",
        "additional_chat_templates/README.md",
    ] {
        assert_eq!(got(other), 0, "{other}");
    }
    let template = "additional_chat_templates/tool_use.jinja";
    assert_eq!(got(template), 1, "as in a clone");
    assert!(world.path("out/model").join(template).is_file());
    // Once more from what was pinned, and without a hub.
    fine("align --config out/run.toml --out again");
    assert_eq!(got("model.safetensors"), 1);
    let gone = program(
        &world,
        "http://127.0.0.1:9",
        "align --config out/run.toml --out third",
    );
    assert!(
        gone.status.success(),
        "{}",
        String::from_utf8_lossy(&gone.stderr)
    );
    let weights =
        |out: &str| std::fs::read(world.path(out).join("model/model.safetensors")).unwrap();
    assert!(weights("out") == weights("again") && weights("out") == weights("third"));
    // The folder is whole without the cache.
    assert!(
        world
            .path("out/model/tokenizer.json")
            .metadata()
            .unwrap()
            .is_file()
    );
}

#[test]
fn what_is_not_there_is_one_line_without_the_token() {
    let world = World::new();
    let (url, _) = server(world.path("model"));
    for (name, expected) in [
        (
            "hf://owner",
            "hf://owner: must be hf://owner/name[@revision]",
        ),
        ("hf://owner/none", "hf://owner/none: "),
    ] {
        let output = program(
            &world,
            &url,
            &format!("data --data thumbs.jsonl --model {name}"),
        );
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            error.contains(expected) && !error.contains("hf_secret"),
            "{error}"
        );
    }
}

#[test]
fn the_cache_serves_only_what_is_whole_and_only_without_a_hub() {
    let world = World::new();
    let (url, _) = server(world.path("model"));
    let data = "--data thumbs.jsonl --batch-size 4 --max-steps 2";
    let look = format!("data --model hf://owner/name {data}");
    assert!(program(&world, &url, &look).status.success());
    let gone = "http://127.0.0.1:9";
    assert!(program(&world, gone, &look).status.success());
    // The weights were never downloaded.
    let align = format!("align --model hf://owner/name {data} --out out");
    let output = program(&world, gone, &align);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("hf://owner/name: ") && error.contains("127.0.0.1:9"),
        "{error}"
    );
    // A hub that has it no more has answered.
    let output = program(&world, &format!("{url}/elsewhere"), &look);
    assert_eq!(output.status.code(), Some(1));
}
