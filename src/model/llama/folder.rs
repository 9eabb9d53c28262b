//! Hugging Face folders: `config.json` and `model.safetensors`, whole or in shards.

use super::layers::Maker;
use super::weights::{WEIGHTS, Weights};
use super::{Llama, LlamaConfig};
use crate::disk;
use crate::error::Error;
use crate::model::Tokenizer;
use crate::model::companions;
use crate::model::files::failed;
use burn::module::{Initializer, Module, ModuleVisitor, Param};
use burn::store::{FloatCastAdapter, ModuleSnapshot, SafetensorsStore};
use burn::tensor::{DType, Device, Tensor};
use std::fs;
use std::path::Path;

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
    /// Where the folder, its `config.json` or its weights are missing, damaged, quantised, of
    /// another kind of model, not finite, or do not fit each other; the message names the file, and
    /// the tensor. Nothing is allocated before all tensors are known to be there.
    pub fn load(folder: impl AsRef<Path>, device: &Device) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let config = LlamaConfig::from_folder(folder)?;
        let weights = Weights::of(folder, &config)?;
        weights.check(folder, &config, parameters(&config, device))?;
        let mut model = Self::build(&config, &mut Later(device));
        for file in &weights.files {
            let mut store = SafetensorsStore::from_file(file)
                .with_from_adapter(FloatCastAdapter::to(DType::F32))
                .validate(false)
                .allow_partial(true);
            let result = model.load_from(&mut store);
            let result = result.map_err(|error| failed(file, one_line(&error.to_string())))?;
            if let Some(error) = result.errors.first() {
                return Err(failed(file, one_line(&error.to_string())));
            }
        }
        Ok(model)
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
    /// Each is read as what its name says before it is written, whole or not at all, and without
    /// what is not so of the new folder, such as names of code.
    ///
    /// # Errors
    ///
    /// Where a file cannot be copied, or is not what its name says.
    pub fn copy_tokenizer(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), Error> {
        companions::copy(from.as_ref(), to.as_ref())
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
        let refused = |message: String| Err(Error::Tokenize { message });
        let has = |id: u32| (id as usize) < known;
        let ends = tokenizer.bos().into_iter().chain([tokenizer.eos()]);
        if let Some(id) = ends.into_iter().find(|id| !has(*id)) {
            return refused(format!(
                "a sequence begins or ends with id {id}, and the model has {known}"
            ));
        }
        // Many a tokenizer got a token to pad with after its model was trained.
        let pad = tokenizer.pad();
        if pad as usize > known {
            return refused(format!("padding is id {pad}, and the model has {known}"));
        }
        let ids = tokenizer.vocab_size();
        if ids > known + usize::from(!has(pad)) {
            return refused(format!("the tokenizer has {ids} ids, the model {known}"));
        }
        Ok(())
    }
}

/// Name and shape of every parameter that a configuration asks for; one by one, since it can ask
/// for billions.
fn parameters(config: &LlamaConfig, device: &Device) -> impl Iterator<Item = (String, Vec<usize>)> {
    /// Gathers them from a model of one layer, without making them.
    #[derive(Default)]
    struct Names {
        path: Vec<String>,
        found: Vec<(String, Vec<usize>)>,
    }
    impl ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let shape = param.lazy_shape().to_vec();
            self.found.push((self.path.join("."), shape));
        }
    }
    const FIRST: &str = "model.layers.0.";
    let one = LlamaConfig {
        num_hidden_layers: 1,
        ..config.clone()
    };
    let mut names = Names::default();
    Llama::build(&one, &mut Later(device)).visit(&mut names);
    let in_layer = |(name, _): &(String, Vec<usize>)| name.starts_with(FIRST);
    let (layer, rest): (Vec<_>, Vec<_>) = names.found.into_iter().partition(in_layer);
    let layers = (0..config.num_hidden_layers).flat_map(move |number| {
        let named = |(name, shape): &(String, Vec<usize>)| {
            let name = format!("model.layers.{number}.{}", &name[FIRST.len()..]);
            (name, shape.clone())
        };
        layer.iter().map(named).collect::<Vec<_>>()
    });
    rest.into_iter().chain(layers)
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
