//! The tensors of a folder's weight files, known and checked before one of them is read.

use super::LlamaConfig;
use super::numbers::{Float, Numbers};
use super::quantised;
use crate::error::Error;
use crate::model::files::{LONGEST, failed, is_there, open, read_json};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
const HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";
/// Names of tensors in a message; more of them help nobody.
const NAMED: usize = 3;

/// What the headers of all weight files say.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) files: Vec<PathBuf>,
    tensors: BTreeMap<String, Stored>,
}

/// Where a tensor is.
#[derive(Debug)]
struct Stored {
    /// In `files`.
    file: usize,
    dtype: String,
    shape: Vec<usize>,
    /// Of its first byte, in the file.
    start: u64,
    bytes: u64,
}

/// A tensor in the header of a safetensors file.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

impl Weights {
    /// Reads the headers of `model.safetensors`, or of the shards that the index names. Quantised
    /// weights are refused.
    pub(super) fn of(folder: &Path, config: &LlamaConfig) -> Result<Self, Error> {
        let (whole, index) = (folder.join(WEIGHTS), folder.join(INDEX));
        let named = match (is_there(&whole), is_there(&index)) {
            (true, _) => Map::new(),
            (false, true) => weight_map(&index)?,
            (false, false) => {
                let message = format!("no {WEIGHTS} and no {INDEX}{}", super::kinds::hint(folder));
                return Err(failed(folder, message));
            }
        };
        let shards: BTreeSet<&str> = named.values().filter_map(Value::as_str).collect();
        let files = match shards.is_empty() {
            true => vec![whole],
            false => shards.iter().map(|name| folder.join(name)).collect(),
        };
        let absent = shards.iter().zip(&files).find(|(_, file)| !is_there(file));
        if let Some((name, _)) = absent {
            return Err(failed(&index, format!("names {name}, which is not there")));
        }
        let weights = Self::read(files)?;
        for (name, file) in &named {
            let found = weights.tensors.get(name);
            let found = found.map(|stored| &weights.files[stored.file]);
            if found.and_then(|path| path.file_name()?.to_str()) != file.as_str() {
                let file = file.as_str().unwrap_or_default();
                let message = format!("names tensor {name} in {file}, which does not have it");
                return Err(failed(&index, message));
            }
        }
        let dtypes = weights.tensors.iter();
        let dtypes = dtypes.map(|(name, stored)| (name.as_str(), stored.dtype.as_str()));
        if let Some(message) = quantised::message(&config.other, dtypes) {
            return Err(failed(folder, message));
        }
        Ok(weights)
    }

    /// Reads the headers of these files.
    pub(super) fn read(files: Vec<PathBuf>) -> Result<Self, Error> {
        let mut tensors: BTreeMap<String, Stored> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            for (name, stored) in header(file, number)? {
                if let Some(before) = tensors.get(&name) {
                    let other = files[before.file].display();
                    let message = format!("has tensor {name}, and so has {other}");
                    return Err(failed(file, message));
                }
                tensors.insert(name, stored);
            }
        }
        Ok(Self { files, tensors })
    }

    /// Refuses weights that are not those of the model: `parameters`, names and shapes. Nothing of
    /// a size that the configuration claims has been allocated before.
    pub(super) fn check(
        &self,
        folder: &Path,
        config: &LlamaConfig,
        parameters: impl Iterator<Item = (String, Vec<usize>)>,
    ) -> Result<(), Error> {
        let (mut known, mut missing) = (BTreeSet::new(), Vec::new());
        for (name, shape) in parameters {
            match self.tensors.get(&name) {
                None if missing.len() > NAMED => break,
                None => missing.push(name),
                Some(stored) => {
                    self.check_tensor(&name, stored, &shape)?;
                    known.insert(name);
                }
            }
        }
        let left = |name: &&String| !known.contains(*name) && !may_be_left(name, config);
        if let (true, Some(unknown)) = (missing.is_empty(), self.tensors.keys().find(left)) {
            let file = &self.files[self.tensors[unknown].file];
            let message = format!("has tensor {unknown}, which this model does not have");
            return Err(failed(file, message));
        }
        match missing.split_first() {
            None => self
                .check_finite(&known)
                .and_then(|()| self.check_tied(config)),
            Some((first, [])) => Err(failed(folder, format!("tensor {first} is missing"))),
            Some((first, others)) => {
                let more = if others.len() < NAMED {
                    ""
                } else {
                    " and more"
                };
                let others = &others[..others.len().min(NAMED - 1)];
                let others = others.join(", ");
                let message = format!("tensor {first} is missing, and so are {others}{more}");
                Err(failed(folder, message))
            }
        }
    }

    fn check_tensor(&self, name: &str, stored: &Stored, shape: &[usize]) -> Result<(), Error> {
        let file = &self.files[stored.file];
        if Float::parse(&stored.dtype).is_none() {
            let dtype = &stored.dtype;
            let message = format!("tensor {name} must be F32, F16, BF16 or F64, got {dtype}");
            return Err(failed(file, message));
        }
        if stored.shape != shape {
            let got = &stored.shape;
            let message = format!("tensor {name} must be {shape:?} by config.json, got {got:?}");
            return Err(failed(file, message));
        }
        Ok(())
    }

    /// Refuses numbers that are not finite, as f32: everything that is computed with one is NaN.
    fn check_finite(&self, known: &BTreeSet<String>) -> Result<(), Error> {
        let mut bad: Vec<(&str, u64, &Path)> = Vec::new();
        for name in known {
            let stored = &self.tensors[name];
            let path = &self.files[stored.file];
            let count = self.not_finite(stored).map_err(Error::io("read", path))?;
            if count > 0 {
                bad.push((name, count, path));
            }
        }
        let Some(((name, count, path), others)) = bad.split_first() else {
            return Ok(());
        };
        let values = if *count == 1 { "value" } else { "values" };
        let others = match others.len() {
            0 => String::new(),
            others => format!(" (and {others} more such tensors)"),
        };
        let message = format!("tensor {name} has {count} {values} of NaN or infinity{others}");
        Err(failed(path, message))
    }

    /// Refuses a head that is stored although the embedding is the head, and is another: it was
    /// trained, and nobody would miss it. One that is left is the embedding.
    fn check_tied(&self, config: &LlamaConfig) -> Result<(), Error> {
        let named = [HEAD, EMBEDDING].map(|name| self.tensors.get(name));
        let (true, [Some(head), Some(embedding)]) = (config.tie_word_embeddings, named) else {
            return Ok(());
        };
        let file = &self.files[head.file];
        let same = head.shape == embedding.shape
            && self
                .are_equal(head, embedding)
                .map_err(Error::io("read", file))?;
        match same {
            true => Ok(()),
            false => Err(failed(
                file,
                format!(
                    "has tensor {HEAD}, which is not {EMBEDDING}, although config.json ties them: \
                     set tie_word_embeddings to false"
                ),
            )),
        }
    }

    /// How many numbers of a tensor are not finite.
    fn not_finite(&self, stored: &Stored) -> io::Result<u64> {
        let (mut numbers, mut count) = (self.numbers(stored)?, 0);
        while let Some(piece) = numbers.next_piece()? {
            count += piece.filter(|number| !number.is_finite()).count() as u64;
        }
        Ok(count)
    }

    /// Whether two tensors have the same numbers, as f32.
    fn are_equal(&self, one: &Stored, other: &Stored) -> io::Result<bool> {
        let (mut one, mut other) = (self.numbers(one)?, self.numbers(other)?);
        loop {
            let same = match (one.next_piece()?, other.next_piece()?) {
                (None, None) => return Ok(true),
                (Some(one), Some(other)) => one.eq(other),
                _ => false,
            };
            if !same {
                return Ok(false);
            }
        }
    }

    /// The numbers of a tensor; none of one that is no tensor of floats.
    fn numbers(&self, stored: &Stored) -> io::Result<Numbers> {
        let (path, (start, bytes)) = (&self.files[stored.file], (stored.start, stored.bytes));
        match Float::parse(&stored.dtype) {
            Some(float) => Numbers::open(path, float, start, bytes),
            None => Numbers::open(path, Float::F32, start, 0),
        }
    }
}

/// The tensors of a file and where they are in it.
fn header(path: &Path, number: usize) -> Result<Vec<(String, Stored)>, Error> {
    let mut file = open(path)?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    let mut start = Vec::new();
    let read = (&mut file).take(32).read_to_end(&mut start);
    read.map_err(Error::io("read", path))?;
    if start.starts_with(b"version https://git-lfs") {
        let message = "is a Git LFS pointer, not the weights: run `git lfs pull`";
        return Err(failed(path, message));
    }
    let no = || {
        let message = format!("is not a safetensors file, or is cut off ({size} bytes)");
        failed(path, message)
    };
    let length = start.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let length = length
        .filter(|_| start.get(8) == Some(&b'{'))
        .ok_or_else(no)?;
    let end = length.checked_add(8).filter(|end| *end <= size);
    let end = end.ok_or_else(no)?;
    if length > LONGEST {
        let message = format!("has a header of {length} bytes, must be at most {LONGEST}");
        return Err(failed(path, message));
    }
    let mut json = vec![0; length as usize];
    let read = file.seek(SeekFrom::Start(8));
    let read = read.and_then(|_| file.read_exact(&mut json));
    read.map_err(Error::io("read", path))?;
    let damaged = |error: serde_json::Error| failed(path, format!("has a damaged header: {error}"));
    let entries: Map<String, Value> = serde_json::from_slice(&json).map_err(damaged)?;
    let tensors = entries
        .into_iter()
        .filter(|(name, _)| name != "__metadata__");
    let tensors = tensors.map(|(name, entry)| {
        let entry: Entry = serde_json::from_value(entry)
            .map_err(|error| failed(path, format!("tensor {name} is damaged: {error}")))?;
        let [first, last] = entry.data_offsets;
        let bytes = last.checked_sub(first).filter(|_| last <= size - end);
        let Some(bytes) = bytes else {
            let message = format!("tensor {name} ends beyond the file ({size} bytes)");
            return Err(failed(path, message));
        };
        let wanted = Float::parse(&entry.dtype).map(|float| {
            let count = entry
                .shape
                .iter()
                .try_fold(1, |all: usize, n| all.checked_mul(*n));
            count.and_then(|count| count.checked_mul(float.bytes()))
        });
        if wanted.is_some_and(|wanted| wanted.map(|wanted| wanted as u64) != Some(bytes)) {
            let (dtype, shape) = (&entry.dtype, &entry.shape);
            let message = format!("tensor {name} cannot be {dtype} {shape:?} in {bytes} bytes");
            return Err(failed(path, message));
        }
        let stored = Stored {
            file: number,
            dtype: entry.dtype,
            shape: entry.shape,
            start: end + first,
            bytes,
        };
        Ok((name, stored))
    });
    tensors.collect()
}

/// `weight_map` of an index: the file of each tensor.
fn weight_map(index: &Path) -> Result<Map<String, Value>, Error> {
    let value = read_json(index)?.unwrap_or_default();
    let Some(Value::Object(map)) = value.get("weight_map") else {
        return Err(failed(index, "has no weight_map"));
    };
    if map.is_empty() {
        return Err(failed(index, "has no tensor in its weight_map"));
    }
    for (tensor, file) in map {
        let name = file.as_str();
        if name.is_none_or(|name| Path::new(name).file_name() != Some(name.as_ref())) {
            let name = name.map_or_else(|| file.to_string(), String::from);
            let message = format!("names {name} for {tensor}, which is not a file name");
            return Err(failed(index, message));
        }
    }
    Ok(map.clone())
}

/// Tensors that some writers store although they follow from others.
fn may_be_left(name: &str, config: &LlamaConfig) -> bool {
    name.ends_with("rotary_emb.inv_freq") || (name == HEAD && config.tie_word_embeddings)
}
