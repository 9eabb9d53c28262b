//! Hugging Face folders: `config.json` and `model.safetensors`, whole or in shards.

use super::layers::Maker;
use super::{Llama, LlamaConfig};
use crate::disk;
use crate::error::Error;
use crate::model::Tokenizer;
use crate::model::files::failed;
use burn::module::{Initializer, Module, Param};
use burn::store::{FloatCastAdapter, ModuleSnapshot, SafetensorsStore};
use burn::tensor::{DType, Device, Tensor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// What belongs to a model besides its weights, where it is there.
pub(in crate::model) const COMPANIONS: [&str; 7] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
    "tokenizer.model",
];

impl Llama {
    /// Refuses a tokenizer that has ids which this model does not, padding apart: what it writes
    /// would be read out of bounds.
    ///
    /// ```
    /// use burn_kto::prelude::*;
    /// let device = burn::tensor::Device::flex();
    /// let model = |vocab_size| LlamaConfig::new(vocab_size, 16, 1, 2).init(42, &device);
    /// assert!(model(258).check_tokenizer(&ByteTokenizer).is_ok());
    /// let error = model(256).check_tokenizer(&ByteTokenizer).unwrap_err().to_string();
    /// assert!(error.ends_with("begins or ends with id 256, and the model has 256"), "{error}");
    /// assert!(model(257).check_tokenizer(&ByteTokenizer).is_ok(), "which pads with 257");
    /// ```
    ///
    /// # Errors
    ///
    /// Where the tokenizer has ids that the model does not know.
    pub fn check_tokenizer(&self, tokenizer: &dyn Tokenizer) -> Result<(), Error> {
        self.config().check_tokenizer(tokenizer)
    }

    /// Reads a folder. Weights of any float type become f32.
    ///
    /// On an autodiff device the parameters are ready to train.
    ///
    /// # Errors
    ///
    /// Where the folder, its `config.json` or its weights are missing, damaged, of another kind of
    /// model, or do not fit each other; the message names the file, and the tensor.
    pub fn load(folder: impl AsRef<Path>, device: &Device) -> Result<Self, Error> {
        let folder = folder.as_ref();
        if !folder.is_dir() {
            return Err(failed(folder, "is not a folder"));
        }
        let config = read_config(&folder.join("config.json"))?;
        let mut model = Self::build(&config, &mut Later(device));
        let mut missing: Option<BTreeSet<String>> = None;
        for file in weight_files(folder)? {
            let mut store = SafetensorsStore::from_file(&file)
                .with_from_adapter(FloatCastAdapter::to(DType::F32))
                .validate(false)
                .allow_partial(true);
            let result = model.load_from(&mut store);
            let result = result.map_err(|error| failed(&file, one_line(&error.to_string())))?;
            if let Some(error) = result.errors.first() {
                return Err(failed(&file, one_line(&error.to_string())));
            }
            if let Some(unknown) = result
                .unused
                .iter()
                .find(|name| !may_be_left(name, &config))
            {
                let message = format!("has tensor {unknown}, which this model does not have");
                return Err(failed(&file, message));
            }
            let absent = result.missing.into_iter().map(|(name, _)| name);
            missing = Some(match missing {
                None => absent.collect(),
                Some(before) => absent.filter(|name| before.contains(name)).collect(),
            });
        }
        match missing.unwrap_or_default().first() {
            Some(name) => Err(failed(folder, format!("tensor {name} is missing"))),
            None => Ok(model),
        }
    }

    /// Writes `config.json` and `model.safetensors`, as f32, into a folder that is made if it is
    /// not there; Python's transformers reads it. LoRA adapters are merged into the weights that
    /// are written. Each file appears whole or not at all.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join("config.json");
        let text = serde_json::to_string_pretty(&self.config().to_save());
        let text = text.map_err(|error| failed(&path, error.to_string()))?;
        disk::replace(&path, (text + "\n").as_bytes())?;
        let permissions = fs::metadata(&path).map_err(Error::io("read", &path))?;
        let path = folder.join(WEIGHTS);
        let mut store = SafetensorsStore::from_file(&path)
            .with_to_adapter(FloatCastAdapter::to(DType::F32))
            .clear_metadata()
            .metadata("format", "pt")
            .overwrite(true);
        let saved = self.valid().materialize().save_into(&mut store);
        saved.map_err(|error| failed(&path, one_line(&error.to_string())))?;
        // The store writes through a private temporary file; whoever reads the configuration shall
        // read the weights.
        fs::set_permissions(&path, permissions.permissions()).map_err(Error::io("write", &path))
    }

    /// Copies what belongs to a model besides its weights: tokenizer, chat template, generation
    /// defaults. Files that are not there are left out; nothing happens where both folders are one.
    ///
    /// # Errors
    ///
    /// Where a file cannot be copied.
    pub fn copy_tokenizer(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), Error> {
        let (from, to) = (from.as_ref(), to.as_ref());
        fs::create_dir_all(to).map_err(Error::io("create", to))?;
        let same = fs::canonicalize(from).ok() == fs::canonicalize(to).ok();
        for name in COMPANIONS {
            let (source, target) = (from.join(name), to.join(name));
            if !same && source.is_file() {
                fs::copy(&source, &target).map_err(Error::io("write", &target))?;
            }
        }
        Ok(())
    }
}

impl LlamaConfig {
    /// Does what [`Llama::check_tokenizer`] does, before there are weights.
    ///
    /// # Errors
    ///
    /// Where the tokenizer has ids that the model does not know.
    pub fn check_tokenizer(&self, tokenizer: &dyn Tokenizer) -> Result<(), Error> {
        let known = self.vocab_size;
        let ids = tokenizer.vocab_size();
        let has = |id: u32| (id as usize) < known;
        if let Some(id) = tokenizer
            .bos()
            .into_iter()
            .chain([tokenizer.eos()])
            .find(|id| !has(*id))
        {
            let message =
                format!("a sequence begins or ends with id {id}, and the model has {known}");
            return Err(Error::Tokenize { message });
        }
        // Many a tokenizer got a token to pad with after its model was trained.
        let spare = usize::from(!has(tokenizer.pad()));
        if ids > known + spare {
            let message = format!("the tokenizer has {ids} ids, the model {known}");
            return Err(Error::Tokenize { message });
        }
        Ok(())
    }

    /// Reads `config.json` of a folder, without the weights.
    ///
    /// # Errors
    ///
    /// Where it is missing, damaged, or of another kind of model.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        read_config(&folder.as_ref().join("config.json"))
    }
}

fn read_config(path: &Path) -> Result<LlamaConfig, Error> {
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    let config: LlamaConfig =
        serde_json::from_str(&text).map_err(|error| failed(path, error.to_string()))?;
    let checked = config.validate();
    checked.map_err(|error| failed(path, error.to_string()))?;
    Ok(config)
}

/// `model.safetensors`, or the shards that the index names.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let whole = folder.join(WEIGHTS);
    let index = folder.join(INDEX);
    let files = if whole.is_file() {
        vec![whole]
    } else if index.is_file() {
        shards(folder, &index)?
    } else {
        let hint = pickled(folder).map_or_else(String::new, |name| {
            format!(" ({name} is not read: convert it to safetensors)")
        });
        return Err(failed(folder, format!("no {WEIGHTS} and no {INDEX}{hint}")));
    };
    for file in &files {
        check_is_safetensors(file)?;
    }
    Ok(files)
}

/// Name of a weight file in Python's own format, if there is one.
fn pickled(folder: &Path) -> Option<String> {
    let files = fs::read_dir(folder).ok()?.flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.ends_with(".bin") || name.ends_with(".pth"))
        .min()
}

fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, Error> {
    let text = fs::read_to_string(index).map_err(Error::io("read", index))?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| failed(index, error.to_string()))?;
    let Some(map) = value["weight_map"]
        .as_object()
        .filter(|map| !map.is_empty())
    else {
        return Err(failed(index, "has no weight_map"));
    };
    let names: BTreeSet<&str> = map.values().filter_map(Value::as_str).collect();
    let plain = |name: &&str| Path::new(name).file_name() == Some(name.as_ref());
    match names.iter().find(|name| !plain(name)) {
        Some(name) => Err(failed(
            index,
            format!("names {name}, which is not a file name"),
        )),
        None => Ok(names.iter().map(|name| folder.join(name)).collect()),
    }
}

/// Names the two usual accidents before the parser says something about headers.
fn check_is_safetensors(path: &Path) -> Result<(), Error> {
    use std::io::Read;
    let mut start = [0; 24];
    let file = fs::File::open(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    let read = file.take(24).read(&mut start);
    let read = read.map_err(Error::io("read", path))?;
    if start.starts_with(b"version https://git-lfs") {
        let message = "is a Git LFS pointer, not the weights: run `git lfs pull`";
        return Err(failed(path, message));
    }
    let header = u64::from_le_bytes(start[..8].try_into().unwrap_or_default());
    if read < 9 || header.checked_add(8).is_none_or(|end| end > size) || start[8] != b'{' {
        let message = format!("is not a safetensors file, or is cut off ({size} bytes)");
        return Err(failed(path, message));
    }
    Ok(())
}

/// Tensors that some writers store although they follow from others.
fn may_be_left(name: &str, config: &LlamaConfig) -> bool {
    name.ends_with("rotary_emb.inv_freq")
        || (name == "lm_head.weight" && config.tie_word_embeddings)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Parameters that a file will bring: nothing is allocated for them before.
struct Later<'a>(&'a Device);

impl Maker for Later<'_> {
    fn matrix(&mut self, out: usize, input: usize) -> Param<Tensor<2>> {
        Initializer::Zeros.init([out, input], self.0)
    }

    fn vector(&mut self, size: usize, _value: f64) -> Param<Tensor<1>> {
        Initializer::Zeros.init([size], self.0)
    }
}
