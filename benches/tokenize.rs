//! Building a token cache against what the tokenizers crate's own `encode_batch` takes for the same texts, and memory while the cache is read.
//!
//! ```text
//! BURN_KTO_TOKENIZER=tokenizer.json BURN_KTO_ROWS=1000000 cargo bench --bench tokenize
//! ```
//!
//! Both take turns, chunk by chunk, in one run, so that a noisy machine is as noisy for one as for the other. `encode_batch` gets finished texts; the cache gets
//! conversations, and its time includes the chat template, looking for forged turns, finding where the prompt ends, the files and their verification.

use burn::tensor::Device;
use burn_kto::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const CHUNK: usize = 16_384;
const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const WORDS: &str = "the a of and to in is that it for was on are as with they be at one have this from or had by hot but some what there we can out other were all your \
    when up use word how said an each she which do their time if will way about many then them would write like so these her long make thing see him two has look more \
    day could go come did my sound no most number who over know water than call first people may down side been now find any new work part take get place made \
    kettle broken battery replacement unfortunately warranty customer understand sorry immediately refund shipping address password notification configuration";

fn main() {
    let shared = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/tokenizers/smollm2_tokenizer.json"
    );
    let path = std::env::var_os("BURN_KTO_TOKENIZER").map_or(PathBuf::from(shared), PathBuf::from);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return;
    }
    let rows = std::env::var("BURN_KTO_ROWS").ok();
    let rows = rows.map_or(100_000, |rows| rows.parse().expect("a number of rows"));
    run(&path, rows).expect("a cache");
}

fn run(path: &PathBuf, rows: usize) -> Result<(), Error> {
    // Two, because each warms up a cache of its own.
    let theirs = tokenizers::Tokenizer::from_file(path).expect("a tokenizer");
    let end = theirs.token_to_id("<|im_end|>").expect("ChatML's tokens");
    let ours = HfTokenizer::from_file(path, end)?;
    let template = JinjaTemplate::new(CHATML, "", "<|im_end|>")?;
    let encoder = Encoder::new(&ours, &template, 512);
    let folder = tempfile::tempdir().expect("a folder");
    let cache = TokenCache::new(folder.path()).silent();
    let key = CacheKey::default().with("rows", rows);

    let (batch, fast, making) = (Cell::default(), Cell::default(), Cell::new(Duration::ZERO));
    let chunks = (0..rows).step_by(CHUNK).flat_map(|start| {
        let clock = Instant::now();
        let mut rng = ChaCha8Rng::seed_from_u64(start as u64);
        let examples = start..(start + CHUNK).min(rows);
        let examples: Vec<_> = examples.map(|_| example(&mut rng)).collect();
        let texts: Vec<String> = examples.iter().map(|e| text(&template, e)).collect();
        time(&batch, || theirs.encode_batch(texts.clone(), false));
        time(&fast, || theirs.encode_batch_fast(texts, false));
        making.set(making.get() + clock.elapsed());
        examples.into_iter().map(Ok)
    });
    let clock = Instant::now();
    let built = cache.open_or_build(&encoder, &key, || Ok(chunks))?;
    let building = clock.elapsed() - making.get();
    assert!(built.built);
    println!("{}", built.report);
    drop(built);

    let per_second = |time: Duration| rows as f64 / time.as_secs_f64();
    let told = |name: &str, time: Duration| {
        let ratio = per_second(building) / per_second(time);
        println!(
            "{name:<28} {:>9.0} rows/s   ours/this {ratio:.3}",
            per_second(time)
        );
    };
    told("encode_batch", batch.get());
    told("encode_batch_fast", fast.get());
    told("TokenCache::open_or_build", building);

    let clock = Instant::now();
    let nothing: [Result<BinaryExample, Error>; 0] = [];
    let opened = cache.open_or_build(&encoder, &key, || Ok(nothing))?;
    assert!(!opened.built);
    println!("opened and verified in {:.2?}", clock.elapsed());
    read(&opened.examples)
}

/// Batches of all examples, twice, as training reads them.
fn read(examples: &[TokenizedBinary]) -> Result<(), Error> {
    let device = Device::flex();
    let batcher = BinaryBatcher::new(0, 512).without_pairs();
    println!(
        "memory in MiB: of the process's own, and of files, which the system takes back when it needs them"
    );
    for pass in 1..=2 {
        let clock = Instant::now();
        let (mut ids, mut peak, before) = (0, [0, 0], memory());
        for (i, chunk) in examples.chunks(64).enumerate() {
            let batch = batcher.batch(chunk, 0, &device)?;
            ids += batch.completions.dims()[1];
            if i % 100 == 0 {
                let now = memory();
                peak = [peak[0].max(now[0]), peak[1].max(now[1])];
            }
        }
        let rate = examples.len() as f64 / clock.elapsed().as_secs_f64();
        println!(
            "pass {pass}: {rate:>9.0} rows/s in batches; before {before:?}, peak {peak:?} ({ids} columns)"
        );
    }
    Ok(())
}

fn time<T>(sum: &Cell<Duration>, work: impl FnOnce() -> T) {
    let clock = Instant::now();
    std::hint::black_box(work());
    sum.set(sum.get() + clock.elapsed());
}

/// Own and file-backed resident memory, where the system tells.
fn memory() -> [usize; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["RssAnon:", "RssFile:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        kib.unwrap_or(0) / 1024
    })
}

/// A customer's question and an answer, 50 to 100 tokens in all.
fn example(rng: &mut impl Rng) -> BinaryExample {
    let (question, answer) = (rng.random_range(15..30), rng.random_range(20..45));
    let prompt = vec![Message::new("user", sentence(rng, question))];
    BinaryExample::new(prompt, sentence(rng, answer), rng.random())
}

fn words() -> &'static [&'static str] {
    static LIST: OnceLock<Vec<&str>> = OnceLock::new();
    LIST.get_or_init(|| WORDS.split_whitespace().collect())
}

fn sentence(rng: &mut impl Rng, words: usize) -> String {
    let list = words();
    let mut text = String::new();
    for i in 0..words {
        let separator = match rng.random_range(0..12) {
            _ if i == 0 => "",
            0 => ", ",
            1 => ". ",
            2 => "\n",
            _ => " ",
        };
        text += separator;
        // Some words that no list has, as names and numbers are.
        match rng.random_range(0..20) {
            0 => text += &rng.random_range(0..10_000).to_string(),
            1 => text.extend((0..6).map(|_| rng.random_range('a'..='z'))),
            _ => text += list[rng.random_range(0..list.len())],
        }
    }
    text
}

/// What `encode_batch` has to encode.
fn text(template: &JinjaTemplate, example: &BinaryExample) -> String {
    let Prompt::Messages(mut messages) = example.prompt.clone() else {
        unreachable!("examples are conversations")
    };
    messages.push(Message::new("assistant", &example.completion));
    template
        .render(&messages, false)
        .expect("a text")
        .trim_end()
        .to_string()
}
