//! Building a token cache against what the tokenizers crate's own `encode_batch` takes for the same
//! texts, and memory while the cache is read.
//!
//! ```text
//! BURN_KTO_TOKENIZER=tokenizer.json BURN_KTO_ROWS=1000000 cargo bench --bench tokenize
//! ```
//!
//! Each takes turns, a slice of the rows at a time, in a process of its own, so that a noisy
//! machine is as noisy for one as for the other and nobody gets a heap that another one left.
//! `encode_batch` gets finished texts; the cache gets conversations, and its time includes the chat
//! template, looking for forged turns, finding where the prompt ends, dropping what it holds, the
//! files and their verification.

use burn::tensor::Device;
use burn_kto::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::Cell;
use std::ops::{Add, Range, Sub};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

const CHUNK: usize = 16_384;
const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const WORDS: &str = "the a of and to in is that it for was on are as with they be at one have this from or had by hot but some what there we can out other were all your \
    when up use word how said an each she which do their time if will way about many then them would write like so these her long make thing see him two has look more \
    day could go come did my sound no most number who over know water than call first people may down side been now find any new work part take get place made \
    kettle broken battery replacement unfortunately warranty customer understand sorry immediately refund shipping address password notification configuration";

/// Slices of the rows.
const SLICES: usize = 4;
const ROLES: [&str; 3] = [
    "encode_batch",
    "encode_batch_fast",
    "TokenCache::open_or_build",
];

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
    // A child is told its role, its slice and the folder.
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, slice, folder] = &arguments[..] {
        let slice: usize = slice.parse().expect("a number");
        let slice = rows * slice / SLICES..rows * (slice + 1) / SLICES;
        child(&path, role, slice, rows, folder).expect("a cache");
    } else {
        parent(rows);
    }
}

fn parent(rows: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |role: &str, slice: usize| {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args([role, &slice.to_string()]).arg(folder.path());
        let done = child.output().expect("a child");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).expect("text")
    };
    let mut spent = [Spent::default(); ROLES.len()];
    for slice in 0..SLICES {
        for (role, sum) in ROLES.iter().zip(&mut spent) {
            let told = run(role, slice);
            let mut told = told.split_whitespace().map(|t| t.parse().expect("seconds"));
            let [wall, cores] = [told.next(), told.next()].map(|t| t.expect("two numbers"));
            *sum = *sum + Spent { wall, cores };
        }
    }
    let ours = spent[ROLES.len() - 1];
    for (role, spent) in ROLES.iter().zip(spent) {
        let rate = rows as f64 / spent.wall;
        let (wall, cores) = (spent.wall / ours.wall, spent.cores / ours.cores);
        println!(
            "{role:<27} {rate:>8.0} rows/s   ours/this {wall:.3}, by time of cores {cores:.3}"
        );
    }
    print!("{}", run("read", 0));
}

fn child(
    path: &Path,
    role: &str,
    slice: Range<usize>,
    rows: usize,
    folder: &str,
) -> Result<(), Error> {
    let theirs = tokenizers::Tokenizer::from_file(path).expect("a tokenizer");
    let end = theirs.token_to_id("<|im_end|>").expect("ChatML's tokens");
    let ours = HfTokenizer::from_file(path, end)?;
    let template = JinjaTemplate::new(CHATML, "", "<|im_end|>")?;
    let encoder = Encoder::new(&ours, &template, 512);
    let cache = TokenCache::new(folder).silent();
    let key = |first: usize| CacheKey::default().with("first", first);
    if role == "read" {
        let clock = Instant::now();
        let mut all = Vec::with_capacity(rows);
        for slice in 0..SLICES {
            let nothing: [Result<BinaryExample, Error>; 0] = [];
            let opened =
                cache.open_or_build(&encoder, &key(rows * slice / SLICES), || Ok(nothing))?;
            assert!(!opened.built);
            println!("{}", opened.report);
            all.extend(opened.examples);
        }
        println!(
            "{} examples opened and verified in {:.2?}",
            all.len(),
            clock.elapsed()
        );
        return read(&all);
    }
    let first = slice.start;
    let chunks = slice.clone().step_by(CHUNK).map(|start| {
        let mut rng = ChaCha8Rng::seed_from_u64(start as u64);
        let examples = start..(start + CHUNK).min(slice.end);
        examples.map(|_| example(&mut rng)).collect::<Vec<_>>()
    });
    let mut sum = Spent::default();
    if role == ROLES[2] {
        let making = Cell::new(Spent::default());
        let mut chunks = chunks;
        let rows = std::iter::from_fn(|| {
            let start = Spent::now();
            let chunk = chunks.next();
            making.set(making.get() + start.elapsed());
            chunk
        });
        let start = Spent::now();
        let built = cache.open_or_build(&encoder, &key(first), || Ok(rows.flatten().map(Ok)))?;
        sum = start.elapsed() - making.get();
        assert!(built.built);
    } else {
        for chunk in chunks {
            let texts: Vec<String> = chunk.iter().map(|e| text(&template, e)).collect();
            let start = Spent::now();
            let encoded = match role {
                "encode_batch" => theirs.encode_batch(texts, false),
                _ => theirs.encode_batch_fast(texts, false),
            };
            sum = sum + start.elapsed();
            drop(encoded);
        }
    }
    println!("{} {}", sum.wall, sum.cores);
    Ok(())
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

/// Seconds of the clock, and of all cores together, which is what counts where others use the
/// machine too.
#[derive(Clone, Copy, Default)]
struct Spent {
    wall: f64,
    cores: f64,
}

impl Spent {
    /// Since some moment.
    fn now() -> Self {
        static START: OnceLock<Instant> = OnceLock::new();
        let wall = START.get_or_init(Instant::now).elapsed().as_secs_f64();
        // User and system time, in hundredths, where the system tells; behind the program's name,
        // which may hold spaces.
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let cores = ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0;
        Self { wall, cores }
    }

    fn elapsed(self) -> Self {
        Self::now() - self
    }
}

impl Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            cores: self.cores + other.cores,
        }
    }
}

impl Sub for Spent {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            wall: self.wall - other.wall,
            cores: self.cores - other.cores,
        }
    }
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

fn vocabulary() -> &'static [&'static str] {
    static LIST: OnceLock<Vec<&str>> = OnceLock::new();
    LIST.get_or_init(|| WORDS.split_whitespace().collect())
}

fn sentence(rng: &mut impl Rng, words: usize) -> String {
    let list = vocabulary();
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
