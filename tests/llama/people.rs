//! Folders that people have and that mean what they say, and those that would be lost.

use super::folders::{Folder, safetensors, tensors};
use super::special::{folder, settings};
use super::{device, log_probs_of, tiny};
use burn::tensor::{bf16, f16};
use burn_kto::loss::{RewardLoss, RewardLossConfig};
use burn_kto::model::Logits;
use burn_kto::prelude::*;
use serde_json::json;
use std::fs;

const HEAD: &str = "lm_head.weight";
const WEIGHTS: &str = "model.safetensors";

/// A folder of a tied model with a head beside the embedding.
fn with_head(dtype: &str, shape: &[usize], head: Vec<u8>) -> Folder {
    let folder = Folder::new();
    let all = tensors(&folder.path(WEIGHTS));
    let mut all: Vec<_> = all
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), "F32", shape.as_slice(), bytes.clone()))
        .collect();
    all.push((HEAD, dtype, shape, head));
    folder.write(WEIGHTS, safetensors(&all));
    folder
}

#[test]
fn a_head_beside_a_tied_one_is_the_same_or_refused() {
    let plain = Folder::new();
    let all = tensors(&plain.path(WEIGHTS));
    let (_, shape, bytes) = all
        .into_iter()
        .find(|(name, ..)| name == "model.embed_tokens.weight")
        .unwrap();
    let values: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    let wide: Vec<u8> = values
        .iter()
        .flat_map(|value| f64::from(*value).to_le_bytes())
        .collect();
    let expected = log_probs_of(&plain.load().unwrap(), &[1, 5, 6, 7]);
    for (dtype, head) in [("F32", bytes.clone()), ("F64", wide)] {
        let same = with_head(dtype, &shape, head).load().unwrap();
        assert_eq!(log_probs_of(&same, &[1, 5, 6, 7]), expected, "{dtype}");
    }
    let mut last = bytes.clone();
    *last.last_mut().unwrap() ^= 0x80;
    let turned = [shape[1], shape[0]];
    let half = values
        .iter()
        .flat_map(|value| f16::from_f32(*value).to_le_bytes())
        .collect();
    let brain = values
        .iter()
        .flat_map(|value| bf16::from_f32(*value).to_le_bytes())
        .collect();
    for (dtype, shape, head) in [
        ("F32", shape.as_slice(), last),
        ("F32", &turned, bytes),
        ("F16", &shape, half),
        ("BF16", &shape, brain),
        ("I8", &shape, vec![0; values.len()]),
    ] {
        let folder = with_head(dtype, shape, head);
        folder.error(
            "model.safetensors: has tensor lm_head.weight, which is not model.embed_tokens.weight, \
             although config.json ties them: set tie_word_embeddings to false",
        );
    }
    // So it is the model that it was.
    let other = values
        .iter()
        .flat_map(|value| (2.0 * value).to_le_bytes())
        .collect();
    let folder = with_head("F32", &shape, other);
    folder.config(json!({"tie_word_embeddings": false}));
    assert_ne!(
        log_probs_of(&folder.load().unwrap(), &[1, 5, 6, 7]),
        expected
    );
}

#[test]
fn what_stands_in_the_place_of_a_partial_folder_stays() {
    let source = folder(98, &[settings(json!({"eos_token": "</s>"}))]);
    let opened = ModelFolder::open(source.path()).unwrap();
    let model = opened.load(&device()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let (keep, partial) = (home.path().join("keep"), home.path().join("keep.partial"));
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("diary"), "mine").unwrap();
    let error = opened.save(&model, &keep).unwrap_err().to_string();
    assert!(error.contains("keep.partial: is in the way"), "{error}");
    assert_eq!(fs::read_to_string(partial.join("diary")).unwrap(), "mine");
    assert!(!keep.exists());
    fs::remove_dir_all(&partial).unwrap();
    // Folders above it are made, and nothing is left beside it.
    let deep = home.path().join("a/b");
    opened.save(&model, &deep).unwrap();
    let names = |path: &str| fs::read_dir(home.path().join(path)).unwrap().count();
    assert_eq!(names("a"), 1);
    ModelFolder::open(&deep).unwrap();
    // What fails leaves nothing in the way of the next.
    fs::remove_file(source.path().join("tokenizer.json")).unwrap();
    let error = opened.save(&model, &keep).unwrap_err().to_string();
    assert!(error.contains("its tokenizer.json is gone"), "{error}");
    assert_eq!(names(""), 1, "only a");
}

#[test]
fn templates_that_will_be_copied_are_checked_when_the_folder_is_opened() {
    let of = |count: usize, text: &str| {
        let folder = folder(98, &[settings(json!({"eos_token": "</s>"}))]);
        let more = folder.path().join("additional_chat_templates");
        fs::create_dir(&more).unwrap();
        for number in 0..count {
            fs::write(more.join(format!("t{number}.jinja")), text).unwrap();
        }
        let main = "{{ messages[0].content }}";
        fs::write(folder.path().join("chat_template.jinja"), main).unwrap();
        let opened = ModelFolder::open(folder.path());
        let copied = tempfile::tempdir().unwrap();
        let copy = Llama::copy_tokenizer(folder.path(), copied.path());
        assert_eq!(opened.is_ok(), copy.is_ok(), "what opens is copied");
        opened.map(|_| ()).map_err(|error| error.to_string())
    };
    of(100, "{{ documents[0] }}").unwrap();
    for (count, text, what) in [
        (1, "root:x:0:0:root", "t0.jinja: is not a chat template"),
        (1, "", "t0.jinja: is empty"),
        (101, "{{ messages }}", "has more than 100 chat templates"),
    ] {
        let error = of(count, text).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_name_that_may_be_on_the_hub_says_how_to_say_so() {
    let error = |name: &str| ModelFolder::open(name).unwrap_err().to_string();
    let hint = "(there is nothing of that name; on the Hub it would be hf://nobody/nothing)";
    let owner = error("nobody/nothing");
    assert!(
        owner.ends_with(&format!("is not a folder {hint}")),
        "{owner}"
    );
    for name in ["nothing", "./nothing", "/nobody/nothing", "nobody/no/thing"] {
        assert_eq!(error(name), format!("{name}: is not a folder"));
    }
}

#[test]
fn the_last_token_is_read_by_those_who_need_it_only() {
    let model = tiny("llama").init(5, &device());
    let rows = |lengths: [usize; 2]| {
        let tokens = [1; 25];
        let [one, other] = lengths.map(|length| &tokens[..length]);
        Sequences::padded(
            [
                (&one[..one.len().min(1)], one.get(1..).unwrap_or(&[])),
                (&other[..1], &other[1..]),
            ],
            0,
            &device(),
        )
    };
    // One more than the model reads: nothing is predicted from it.
    let longest = rows([25, 25]);
    assert!(model.check(&longest).is_ok());
    assert_eq!(Logits::logits(&model, &longest).dims(), [2, 24, 50]);
    let reward = RewardModel::new(model, &device());
    let loss = RewardLossConfig::new().init();
    let check = |chosen: [usize; 2], rejected: [usize; 2]| {
        let batch = PreferenceBatch::new(rows(chosen), rows(rejected));
        let checked = <RewardLoss as Objective<RewardModel<Llama>, ReferenceFree>>::check(
            &loss,
            &reward,
            &ReferenceFree,
            &batch,
        );
        checked.map_err(|error| error.to_string())
    };
    assert_eq!(check([24, 24], [3, 24]), Ok(()));
    let long = "the model reads at most 24 tokens, got a sequence of 25";
    assert!(check([25, 3], [3, 3]).unwrap_err().ends_with(long));
    assert!(check([3, 3], [3, 25]).unwrap_err().ends_with(long));
    let nothing = check([3, 3], [0, 3]).unwrap_err();
    assert!(nothing.contains("row 0 has no token"), "{nothing}");
}
