//! Token ids that outlive the process, and the encoder's short cuts.

use burn_kto::data::CacheRow;
use burn_kto::prelude::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn encoder() -> Encoder<'static> {
    Encoder::new(&ByteTokenizer, &PlainTemplate, 24)
}

fn chat(text: impl Into<String>) -> Prompt {
    Prompt::from(vec![Message::new("user", text)])
}

fn thumbs(n: usize) -> Vec<BinaryExample> {
    let row = |i: usize| {
        // Some are dropped, some cut.
        let completion = if i % 7 == 3 {
            String::new()
        } else {
            "ab".repeat(i % 11 + 1)
        };
        BinaryExample::new(format!("q{}", i % 5), completion, i.is_multiple_of(3))
            .with_weight(1.0 + i as f64 / 8.0)
    };
    (0..n).map(row).collect()
}

fn pairs(n: usize) -> Vec<PreferenceExample> {
    let row = |i: usize| PreferenceExample::new(chat(i.to_string()), "yes".repeat(i % 9), "no");
    (0..n).map(row).collect()
}

fn demonstrations(n: usize) -> Vec<SftExample> {
    let pairs = pairs(n).into_iter();
    pairs.map(PreferenceExample::into_sft).collect()
}

/// What the cache has, built of `examples` if need be.
fn cached<E: Encode<Tokenized: CacheRow> + Clone>(
    folder: &Path,
    encoder: &Encoder<'_>,
    key: &CacheKey,
    examples: &[E],
) -> CachedExamples<E::Tokenized> {
    let rows = || Ok(examples.iter().cloned().map(Ok));
    let cache = TokenCache::new(folder).silent();
    cache.open_or_build(encoder, key, rows).unwrap()
}

/// Names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The only cache of a folder.
fn only(folder: &Path) -> PathBuf {
    let names = names(folder);
    let caches: Vec<_> = names.iter().filter(|name| !name.contains('.')).collect();
    assert_eq!(caches.len(), 1, "{names:?}");
    folder.join(caches[0])
}

fn is_fresh<E>(examples: &[E])
where
    E: Encode<Tokenized: CacheRow + PartialEq + Debug> + Clone,
{
    is_fresh_by(&encoder(), examples);
}

fn is_fresh_by<E>(encoder: &Encoder<'_>, examples: &[E])
where
    E: Encode<Tokenized: CacheRow + PartialEq + Debug> + Clone,
{
    let folder = tempfile::tempdir().unwrap();
    let fresh = E::encode(examples, encoder).unwrap();
    for built in [true, false, false] {
        let got = cached(folder.path(), encoder, &CacheKey::default(), examples);
        assert_eq!(got.built, built);
        assert_eq!(got.examples, fresh.examples);
        assert_eq!(got.report, fresh.report, "with all its lengths");
    }
}

#[test]
fn cached_examples_are_the_fresh_ones() {
    for n in [0, 1, 3, 200] {
        is_fresh(&thumbs(n));
        is_fresh(&pairs(n));
        is_fresh(&demonstrations(n));
    }
    // More than one chunk.
    is_fresh(&thumbs(40_000));
}

#[test]
fn what_is_scored_of_a_conversation_is_cached_too() {
    let source = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}?{% else %}{% generation %}{{ m.content }}!{% endgeneration %}{% endif %}{% endfor %}";
    let template = JinjaTemplate::new(source, "", "").unwrap();
    let encoder = Encoder::new(&ByteTokenizer, &template, 24).with_generation_marks();
    let row = |n: usize| {
        let turn = |i: usize| Message::new(["user", "assistant"][i % 2], "x".repeat(i + 1));
        SftExample::new((0..n % 7 * 2 + 1).map(turn).collect::<Vec<_>>(), "y")
    };
    let rows: Vec<SftExample> = (0..50).map(row).collect();
    is_fresh_by(&encoder, &rows);
    let encoded = encoder.encode_sft(&rows).unwrap();
    let lengths: BTreeSet<usize> = encoded.examples.iter().map(|e| e.runs.len()).collect();
    assert_eq!(lengths, [0, 3, 5].into());
    assert!(encoded.report.truncated_completions > 0, "some are cut");
}

#[test]
fn what_is_cached_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let key = CacheKey::default();
    cached(folder.path(), &encoder(), &key, &thumbs(5));
    let asked = || -> Result<Vec<Result<BinaryExample, Error>>, Error> { panic!("asked again") };
    let cache = TokenCache::new(folder.path());
    let found = cache.open_or_build(&encoder(), &key, asked).unwrap();
    assert!(!found.built);
}

#[test]
fn batches_of_cached_examples_are_those_of_fresh_ones() {
    let folder = tempfile::tempdir().unwrap();
    let device = burn::tensor::Device::flex();
    let fresh = encoder().encode_binary(&thumbs(60)).unwrap().examples;
    let cached = cached(folder.path(), &encoder(), &CacheKey::default(), &thumbs(60)).examples;
    let batcher = BinaryBatcher::new(ByteTokenizer.pad(), 24);
    let [a, b] = [&fresh, &cached].map(|rows| batcher.batch(rows, 7, &device).unwrap());
    for (a, b) in [(a.completions, b.completions), (a.mismatched, b.mismatched)] {
        assert_eq!(a.tokens.into_data(), b.tokens.into_data());
        assert_eq!(a.attention_mask.into_data(), b.attention_mask.into_data());
        assert_eq!(a.completion_mask.into_data(), b.completion_mask.into_data());
    }
    assert_eq!(a.desirable.into_data(), b.desirable.into_data());
    assert_eq!(batcher.fingerprint(&fresh), batcher.fingerprint(&cached));
}

const LETTERS: &str = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "q": 2, "!": 3}, "merges": []}}"#;
const MERGED: &str = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "q": 2, "!": 3, "ab": 4}, "merges": ["a b"]}}"#;

#[test]
fn whatever_changes_ids_or_examples_is_part_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = data.path().join(name);
        fs::write(&path, content).unwrap();
        CacheKey::default().with_file(path).unwrap()
    };
    let template = |source: &str| JinjaTemplate::new(source, "", "").unwrap();
    let (template_a, template_b) = (template("a"), template("b"));
    let letters = || HfTokenizer::from_bytes(LETTERS, 3).unwrap();
    let (begun, ended) = (
        letters().with_bos(0),
        HfTokenizer::from_bytes(LETTERS, 2).unwrap(),
    );
    let (letters, merged) = (letters(), HfTokenizer::from_bytes(MERGED, 3).unwrap());
    let base = Encoder::new(&letters, &PlainTemplate, 24);
    let one = file("one", "1");
    let cases = [
        (base, one.clone()),
        (base, file("two", "2")),
        (
            base,
            one.clone().with_file(data.path().join("two")).unwrap(),
        ),
        (base, one.clone().with("seed", 1)),
        (base, one.clone().with("seed", 2)),
        (base.with_max_prompt_length(5), one.clone()),
        (base.with_special_tokens_in_text(), one.clone()),
        (base.with_generation_marks(), one.clone()),
        (Encoder::new(&letters, &PlainTemplate, 25), one.clone()),
        (Encoder::new(&letters, &template_a, 24), one.clone()),
        (Encoder::new(&letters, &template_b, 24), one.clone()),
        (Encoder::new(&merged, &PlainTemplate, 24), one.clone()),
        (Encoder::new(&begun, &PlainTemplate, 24), one.clone()),
        (Encoder::new(&ended, &PlainTemplate, 24), one.clone()),
    ];
    let rows = [BinaryExample::new("q", "ab", true)];
    // Each is built once, and none takes the place of another.
    for built in [true, false] {
        for (i, (encoder, key)) in cases.iter().enumerate() {
            let got = cached(folder.path(), encoder, key, &rows);
            assert_eq!(got.built, built, "case {i}");
            assert_eq!(got.examples, encoder.encode_binary(&rows).unwrap().examples);
        }
    }
    // Sources count each by itself.
    let source = |ratio: f64, second: f64| {
        let reader = |ratio| Reader::new().with_score_ratio(ratio);
        let key = CacheKey::default().with_source(&reader(ratio), data.path().join("one.jsonl"));
        key.unwrap()
            .with_source(&reader(second), data.path().join("two.jsonl"))
            .unwrap()
    };
    file("one.jsonl", "1");
    file("two.jsonl", "2");
    let keys = [
        source(1.0, 1.0),
        source(2.0, 1.0),
        source(1.0, 2.0),
        source(1.0, 1.0).with("reader", 1),
    ];
    for (i, key) in keys.iter().enumerate() {
        assert!(cached(folder.path(), &base, key, &rows).built, "source {i}");
    }
    // The kind counts, the name of a file does not.
    let demonstration = [SftExample::new("q", "ab")];
    assert!(cached(folder.path(), &base, &one, &demonstration).built);
    assert!(!cached(folder.path(), &base, &file("elsewhere", "1"), &rows).built);
}

#[test]
fn data_that_changed_while_it_was_read_is_not_cached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feedback.jsonl");
    let write = |text: &str| fs::write(&path, text).unwrap();
    write("old");
    let key = CacheKey::default().with_file(&path).unwrap();
    write("new");
    let cache = TokenCache::new(folder.path().join("cache")).silent();
    let rows = || Ok(thumbs(5).into_iter().map(Ok));
    let error = cache.open_or_build(&encoder(), &key, rows).unwrap_err();
    assert!(
        error.to_string().contains("changed while it was read"),
        "{error}"
    );
    write("old");
    assert!(cache.open_or_build(&encoder(), &key, rows).unwrap().built);
    assert!(!cache.open_or_build(&encoder(), &key, rows).unwrap().built);
}

#[cfg(unix)]
#[test]
fn what_can_be_read_only_once_makes_no_key() {
    for path in ["/dev/null", "/tmp"] {
        let error = CacheKey::default().with_file(path).unwrap_err().to_string();
        assert!(
            error.contains("is not a file that can be read twice"),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_cache_is_built_anew() {
    let folder = tempfile::tempdir().unwrap();
    let key = CacheKey::default();
    let build = || cached(folder.path(), &encoder(), &key, &thumbs(12));
    build();
    let fresh = encoder().encode_binary(&thumbs(12)).unwrap().examples;
    let cache = only(folder.path());
    let check = |damage: &str| {
        let got = build();
        assert!(got.built, "{damage}");
        assert_eq!(got.examples, fresh);
        assert!(!build().built);
    };
    for name in ["tokens.bin", "index.bin", "meta.json"] {
        let path = cache.join(name);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(17) {
            for bit in [1, 64] {
                let mut bytes = whole.clone();
                bytes[at] ^= bit;
                fs::write(&path, bytes).unwrap();
                check(&format!("{name}: byte {at}, bit {bit}"));
            }
        }
        for length in [0, 1, 4, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            check(&format!("{name}: cut to {length}"));
        }
        fs::write(&path, [&whole[..], &[0; 8]].concat()).unwrap();
        check(&format!("{name}: longer"));
        fs::remove_file(&path).unwrap();
        check(&format!("{name}: missing"));
    }
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "not a folder").unwrap();
    check("a file in its place");
}

#[test]
fn the_cache_of_another_key_is_not_taken_for_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let keys = [1, 2].map(|n| CacheKey::default().with("n", n));
    cached(folder.path(), &encoder(), &keys[0], &thumbs(1));
    let first = only(folder.path());
    cached(folder.path(), &encoder(), &keys[1], &thumbs(9));
    let caches = names(folder.path())
        .into_iter()
        .filter(|name| !name.contains('.'));
    let second = caches
        .map(|name| folder.path().join(name))
        .find(|path| *path != first);
    fs::remove_dir_all(&first).unwrap();
    fs::rename(second.unwrap(), &first).unwrap();
    assert!(cached(folder.path(), &encoder(), &keys[0], &thumbs(1)).built);
}

/// Not a test: what the next one starts as a process of its own, to kill it.
#[test]
fn endless_build() {
    let Some(folder) = std::env::var_os("BURN_KTO_TEST_ENDLESS") else {
        return;
    };
    let rows = || Ok(std::iter::repeat_with(|| Ok(thumbs(3).remove(1))));
    let cache = TokenCache::new(folder).silent();
    cache
        .open_or_build(&encoder(), &CacheKey::default(), rows)
        .unwrap();
}

#[test]
fn a_killed_build_leaves_nothing_that_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["cache::endless_build", "--exact"])
        .env("BURN_KTO_TEST_ENDLESS", folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let grown = || {
        let partial = names(folder.path())
            .into_iter()
            .find(|n| n.ends_with(".partial"));
        let tokens = partial.map(|name| folder.path().join(name).join("tokens.bin"));
        tokens.is_some_and(|path| fs::metadata(path).is_ok_and(|meta| meta.len() > 0))
    };
    for _ in 0..1000 {
        if grown() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(grown(), "the build was under way");
    let got = cached(folder.path(), &encoder(), &CacheKey::default(), &thumbs(20));
    assert!(got.built);
    assert_eq!(
        got.examples,
        encoder().encode_binary(&thumbs(20)).unwrap().examples
    );
    let left = names(folder.path());
    assert_eq!(left.len(), 2, "the cache and its lock: {left:?}");
}

#[test]
fn an_error_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let cache = TokenCache::new(folder.path()).silent();
    let fail = |at: usize, weight: f64| {
        let rows = thumbs(20_000)
            .into_iter()
            .enumerate()
            .map(move |(i, row)| match i {
                i if i == at => Err(Error::Dataset {
                    message: "line 7".into(),
                }),
                19_000 => Ok(row.with_weight(weight)),
                _ => Ok(row),
            });
        let got = cache.open_or_build(&encoder(), &CacheKey::default(), || Ok(rows));
        let left = names(folder.path());
        assert!(left.iter().all(|name| name.ends_with(".lock")), "{left:?}");
        got.unwrap_err().to_string()
    };
    assert_eq!(fail(17_000, 1.0), "line 7");
    let error = fail(usize::MAX, -1.0);
    let expected = "behind the first 16384 examples: example 2616: its weight must be finite";
    assert!(error.starts_with(expected), "{error}");
    assert!(cached(folder.path(), &encoder(), &CacheKey::default(), &thumbs(3)).built);
}

#[test]
fn many_may_build_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = encoder().encode_binary(&thumbs(500)).unwrap().examples;
    let built = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let got = cached(
                    folder.path(),
                    &encoder(),
                    &CacheKey::default(),
                    &thumbs(500),
                );
                assert_eq!(got.examples, fresh);
                built.fetch_add(usize::from(got.built), Ordering::Relaxed);
            });
        }
    });
    assert_eq!(built.into_inner(), 1);
}

#[test]
fn cached_ids_stay_when_their_cache_goes() {
    let folder = tempfile::tempdir().unwrap();
    let got = cached(folder.path(), &encoder(), &CacheKey::default(), &thumbs(9));
    let fresh = encoder().encode_binary(&thumbs(9)).unwrap().examples;
    drop(folder);
    let copy = got.examples.clone();
    drop(got);
    assert_eq!(copy, fresh);
}

#[test]
fn ids_are_ids_wherever_they_are() {
    let owned = TokenIds::from(vec![1, 2]);
    assert_eq!(owned, [1, 2]);
    assert_eq!(owned, vec![1, 2]);
    assert_eq!(owned, TokenIds::from_iter([1, 2]));
    assert_ne!(owned, TokenIds::from(&[1][..]));
    assert_eq!(format!("{owned:?}"), "[1, 2]");
    assert_eq!(owned.iter().sum::<u32>(), 3);
    assert_eq!(size_of::<TokenIds>(), size_of::<Vec<u32>>());
}

/// A tokenizer that says nothing about where its texts can be cut, nor what it is.
struct Whole<'t>(&'t HfTokenizer, AtomicUsize);

impl Tokenizer for Whole<'_> {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        self.1.fetch_add(text.len(), Ordering::Relaxed);
        self.0.encode(text)
    }
    fn special_tokens(&self) -> Vec<String> {
        self.0.special_tokens()
    }
    fn added_tokens(&self) -> Vec<String> {
        self.0.added_tokens()
    }
    fn folded_tokens(&self) -> Vec<String> {
        self.0.folded_tokens()
    }
    fn unknown(&self) -> Option<u32> {
        self.0.unknown()
    }
    fn encode_text(&self, text: &str) -> Result<Vec<u32>, Error> {
        self.0.encode_text(text)
    }
    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        self.0.decode(tokens)
    }
    fn vocab_size(&self) -> usize {
        self.0.vocab_size()
    }
    fn bos(&self) -> Option<u32> {
        self.0.bos()
    }
    fn eos(&self) -> u32 {
        self.0.eos()
    }
    fn pad(&self) -> u32 {
        self.0.pad()
    }
}

fn whole(tokenizer: &HfTokenizer) -> Whole<'_> {
    Whole(tokenizer, AtomicUsize::new(0))
}

#[test]
fn what_has_no_definition_is_not_cached() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = HfTokenizer::from_bytes(LETTERS, 3).unwrap();
    let nameless = whole(&tokenizer);
    let encoder = Encoder::new(&nameless, &PlainTemplate, 24);
    let cache = TokenCache::new(folder.path().join("cache"));
    let rows = || Ok(thumbs(1).into_iter().map(Ok));
    let error = cache
        .open_or_build(&encoder, &CacheKey::default(), rows)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the tokenizer has no `definition`"),
        "{error}"
    );
    assert!(!folder.path().join("cache").exists());
}

#[test]
fn any_number_of_cores_gives_the_same() {
    let rows = thumbs(3000);
    let on = |cores: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores);
        let pool = pool.build().unwrap();
        let mut bad = pairs(3000);
        for i in [901, 2000] {
            bad[i].prompt = chat(format!("refuse {i}"));
        }
        pool.install(|| {
            let encoded = encoder().encode_binary(&rows).unwrap();
            let refuses = JinjaTemplate::new(
                "{% if messages[0].content.startswith('refuse') %}{{ raise_exception(messages[0].content) }}{% endif %}x",
                "",
                "",
            );
            let refuses = refuses.unwrap();
            let encoder = Encoder::new(&ByteTokenizer, &refuses, 24);
            let refusal = encoder.encode_preferences(&bad).unwrap().report.refusal;
            (encoded.examples, encoded.report, refusal.unwrap())
        })
    };
    let (examples, report, (place, why)) = on(1);
    assert!(why.contains("refuse 901"), "the first: {why}");
    assert_eq!(place, 901);
    assert_eq!(on(5), (examples.clone(), report, (place, why)));
    let one_by_one = rows.iter().flat_map(|row| {
        let row = std::slice::from_ref(row);
        encoder().encode_binary(row).unwrap().examples
    });
    assert!(one_by_one.eq(examples));
}

#[test]
fn marks_need_a_tokenizer_that_knows_where_its_tokens_are() {
    let letters = HfTokenizer::from_bytes(LETTERS, 3).unwrap();
    let source =
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}";
    let template = JinjaTemplate::new(source, "", "").unwrap();
    let rows = [SftExample::new(chat("a"), "b")];
    let encode = |tokenizer: &dyn Tokenizer| {
        let encoder = Encoder::new(tokenizer, &template, 9).with_generation_marks();
        Ok::<_, Error>(encoder.encode_sft(&rows)?.examples[0].clone())
    };
    assert_eq!(encode(&letters).unwrap(), TokenizedSft::new([0], [1]));
    let error = encode(&whole(&letters)).unwrap_err().to_string();
    assert!(
        error.contains("does not say where its tokens are"),
        "{error}"
    );
}

/// Letters with merges, and added tokens of all kinds; what comes before the model differs.
fn odd(pipeline: &str, more: &[(&str, &str)]) -> HfTokenizer {
    let letters = [
        "a", "b", "c", " ", "\n", "<", ">", "s", "t", "l", "n", "w", "x", "_", "▁", "?",
    ];
    let merged = [
        "ab", "bc", " a", "▁a", "s>", "▁<", "a ", "\n\n", "xa", "_a", "  ",
    ];
    let vocabulary = letters.iter().chain(&merged).enumerate();
    let vocabulary: serde_json::Map<_, _> = vocabulary
        .map(|(id, text)| (text.to_string(), id.into()))
        .collect();
    let merges: Vec<_> = merged
        .iter()
        .map(|text| {
            let at = text.chars().next().unwrap().len_utf8();
            serde_json::json!([text[..at], text[at..]])
        })
        .collect();
    let added = [
        ("<s>", ""),
        ("<t>", "rstrip"),
        ("<l>", "lstrip"),
        ("<n>", "normalized"),
        ("<w>", "single_word"),
        ("_", "normal"),
    ];
    let added = added.iter().chain(more).enumerate();
    let added: Vec<_> = added
        .map(|(i, (content, flag))| {
            serde_json::json!({
                "id": 100 + i, "content": content, "special": *flag != "normal", "rstrip": *flag == "rstrip", "lstrip": *flag == "lstrip",
                "normalized": *flag == "normalized", "single_word": *flag == "single_word"
            })
        })
        .collect();
    let mut json = serde_json::json!({
        "version": "1.0", "added_tokens": added,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges, "unk_token": "?"}
    });
    let pipeline: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(pipeline).unwrap();
    json.as_object_mut().unwrap().extend(pipeline);
    HfTokenizer::from_bytes(json.to_string(), 0).unwrap()
}

fn tokenizers() -> Vec<HfTokenizer> {
    let metaspace = |scheme: &str| {
        format!(
            r#"{{"pre_tokenizer": {{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{scheme}", "split": true}}}}"#
        )
    };
    let mut all = vec![
        odd("{}", &[]),
        odd("{}", &[("x<s>", ""), ("<s><t>", "")]),
        odd("{}", &[("a<", "normal"), (">a", "")]),
        odd(&metaspace("first"), &[]),
        odd(&metaspace("always"), &[]),
        odd(r#"{"pre_tokenizer": {"type": "Whitespace"}}"#, &[]),
        odd(
            r#"{"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}}"#,
            &[],
        ),
        odd(
            r#"{"normalizer": {"type": "Strip", "strip_left": true, "strip_right": true}}"#,
            &[],
        ),
    ];
    let real = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/tokenizers/smollm2_tokenizer.json"
    );
    if Path::new(real).exists() {
        all.push(HfTokenizer::from_file(real, 2).unwrap());
    } else {
        eprintln!("skipped: {real} is not there");
    }
    all
}

#[test]
fn a_prompt_is_not_tokenized_again_with_its_completion() {
    let tokenizer = odd("{}", &[]);
    let boundaries: BTreeSet<String> = tokenizer.boundaries().into_iter().collect();
    assert_eq!(
        boundaries,
        ["<s>", "<t>"].map(String::from).into(),
        "not those that look around"
    );
    let reached = odd("{}", &[("x<s>", "")]).boundaries();
    assert_eq!(reached, ["<t>"]);
}

#[test]
fn unknown_text_behind_unknown_text_is_not_swallowed() {
    let json = r#"{"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {"a": 0, "</s>": 1, "<unk>": 2}, "unk_token": "<unk>"}}"#;
    let tokenizer = HfTokenizer::from_bytes(json, 1).unwrap();
    let encoder = Encoder::new(&tokenizer, &PlainTemplate, 9);
    let rows = [
        SftExample::new("a FOO", "BAR a"),
        SftExample::new("a", " a FOO"),
    ];
    let examples = encoder.encode_sft(&rows).unwrap().examples;
    assert_eq!(examples[0], TokenizedSft::new([0, 2], [2, 0, 1]));
    assert_eq!(examples[1], TokenizedSft::new([0], [0, 2, 1]));
}

/// Texts of what tokenizers and the guard stumble over.
fn texts() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "c",
        " ",
        "  ",
        "\n",
        "<",
        ">",
        "_",
        "x",
        "s>",
        "<s",
        "<s>",
        "<t>",
        "<l>",
        "<n>",
        "<w>",
        "x<s>",
        "▁",
        "é",
        "12",
        "word",
        "<|im_start|>",
        "<|im_end|>",
        "<|im_",
        "assistant\n",
        "\u{FDD0}",
        "\u{FDD1}",
    ]);
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_short_cut_changes_no_id(prompt in texts(), answers in [texts(), texts()], marks in (texts(), texts())) {
        thread_local! {
            static ALL: Vec<HfTokenizer> = tokenizers();
        }
        // The guard's own marks come from no template.
        let mark = ['\u{FDD0}', '\u{FDD1}'];
        let [begin, end] = [marks.0, marks.1].map(|text| quoted(&text.replace(mark, "")));
        let source = format!("{{% for m in messages %}}{begin}{{{{ m.content }}}}{end}{{% endfor %}}{{% if add_generation_prompt %}}{begin}{{% endif %}}");
        let template = JinjaTemplate::new(source, "", "").unwrap();
        let rows = [
            PreferenceExample::new(chat(prompt.clone()), answers[0].clone(), answers[1].clone()),
            PreferenceExample::new(prompt, answers[0].clone(), answers[1].clone()),
        ];
        ALL.with(|all| for (i, tokenizer) in all.iter().enumerate() {
            let slow = whole(tokenizer);
            let quick = Encoder::new(tokenizer, &template, 1000);
            let slow = Encoder::new(&slow, &template, 1000);
            for (quick, slow) in [(quick, slow), (quick.with_special_tokens_in_text(), slow.with_special_tokens_in_text())] {
                let (quick, slow) = (quick.encode_preferences(&rows).unwrap(), slow.encode_preferences(&rows).unwrap());
                assert_eq!(quick.examples, slow.examples, "tokenizer {i}");
                assert_eq!(quick.report, slow.report);
            }
        });
    }

    #[test]
    fn a_text_can_be_cut_before_a_boundary(before in texts(), after in texts()) {
        thread_local! {
            static ALL: Vec<HfTokenizer> = tokenizers();
        }
        ALL.with(|all| for (i, tokenizer) in all.iter().enumerate() {
            for boundary in tokenizer.boundaries().iter().take(5) {
                let encode = |text: &str| if text.is_empty() { Vec::new() } else { tokenizer.encode(text).unwrap() };
                let (rest, all) = (format!("{boundary}{after}"), format!("{before}{boundary}{after}"));
                assert_eq!(encode(&all), [encode(&before), encode(&rest)].concat(), "tokenizer {i}: {all:?}");
            }
        });
    }
}

/// A text as Jinja writes it as it is.
fn quoted(text: &str) -> String {
    format!("{{{{ {} }}}}", serde_json::json!(text))
}
