//! A Hugging Face folder, opened.

use super::companions;
use super::files::failed;
use super::{ChatTemplate, HfTokenizer, JinjaTemplate, Llama, LlamaConfig, PlainTemplate};
use crate::disk;
use crate::error::Error;
use burn::tensor::Device;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A model's folder: tokenizer, chat template and configuration, read and checked; the weights when
/// they are asked for.
///
/// ```no_run
/// use burn_kto::prelude::*;
/// let folder = ModelFolder::open("SmolLM2-135M-Instruct")?;
/// let encoder = Encoder::new(&folder.tokenizer, folder.template(), folder.max_length());
/// let model = folder.load(&"flex".parse::<DeviceChoice>()?.open()?)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct ModelFolder {
    path: PathBuf,
    name: PathBuf,
    /// The tokenizer, of `tokenizer.json` and what stands beside it.
    pub tokenizer: HfTokenizer,
    template: Option<JinjaTemplate>,
    config: LlamaConfig,
}

impl ModelFolder {
    /// Opens a folder, or with feature `hub` a model on the Hugging Face Hub,
    /// `hf://owner/name[@revision]`, whose files are downloaded into the Hub's own cache.
    ///
    /// # Errors
    ///
    /// Where `config.json` or `tokenizer.json` is missing, damaged or of another kind, where
    /// another file is not what its name says, where the tokenizer has ids that the model does not,
    /// and where the Hub does not answer.
    pub fn open(name: impl AsRef<Path>) -> Result<Self, Error> {
        Self::opened(name.as_ref(), true)
    }

    /// Opens a folder as [`open`](Self::open) does, for those who will not ask for the weights:
    /// from the Hub they are not downloaded.
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open).
    pub fn open_without_weights(name: impl AsRef<Path>) -> Result<Self, Error> {
        Self::opened(name.as_ref(), false)
    }

    fn opened(name: &Path, weights: bool) -> Result<Self, Error> {
        let (path, name) = match name.to_str().and_then(|name| name.strip_prefix("hf://")) {
            Some(hub) => super::hub::fetch(hub, weights)?,
            None => (name.to_path_buf(), name.to_path_buf()),
        };
        let config = LlamaConfig::from_folder(&path)?;
        companions::check(&path)?;
        let tokenizer = HfTokenizer::from_folder(&path)?;
        config.check_tokenizer(&tokenizer)?;
        Ok(Self {
            template: JinjaTemplate::from_folder(&path)?,
            tokenizer,
            config,
            path,
            name,
        })
    }

    /// Where it is on this machine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What opens the very same model again: the folder, or `hf://owner/name@commit` with the
    /// commit that was found.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Its own chat template, if it has one.
    pub fn chat_template(&self) -> Option<&JinjaTemplate> {
        self.template.as_ref()
    }

    /// Its chat template, or [`PlainTemplate`] where it has none.
    pub fn template(&self) -> &dyn ChatTemplate {
        match &self.template {
            Some(template) => template,
            None => &PlainTemplate,
        }
    }

    /// `config.json`.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// Tokens that the model reads at most.
    pub fn max_length(&self) -> usize {
        self.config.max_length()
    }

    /// The model, weights in f32.
    ///
    /// # Errors
    ///
    /// The errors of [`Llama::load`].
    pub fn load(&self, device: &Device) -> Result<Llama, Error> {
        Llama::load(&self.path, device)
    }

    /// Writes an aligned model of this folder as a folder of its own: weights, configuration,
    /// tokenizer and template. It has its name after all of it is there; before, that name with
    /// `.partial` behind it.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, or something of either name is there, and where the tokenizer is
    /// gone since the folder was opened.
    pub fn save(&self, model: &Llama, folder: impl AsRef<Path>) -> Result<(), Error> {
        self.save_with(folder.as_ref(), |partial| model.save(partial))
    }

    /// Writes a folder as [`save`](Self::save) does, with what `write` puts into the folder.
    pub(crate) fn save_with(
        &self,
        folder: &Path,
        write: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        // Made here or by someone else, whose it then is.
        let partial = disk::beside(folder, "partial");
        fs::create_dir(&partial).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => failed(
                &partial,
                "is in the way, of a save that was cut off or somebody's own: remove it, or choose \
                 another name",
            ),
            _ => Error::io("create", &partial)(error),
        })?;
        let written = self.write(&partial, folder, write);
        if written.is_err() {
            let _ = disk::remove(&partial);
        }
        written
    }

    fn write(
        &self,
        partial: &Path,
        folder: &Path,
        write: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        write(partial)?;
        Llama::copy_tokenizer(&self.path, partial)?;
        if !partial.join("tokenizer.json").is_file() {
            let message = "its tokenizer.json is gone since it was opened";
            return Err(failed(&self.path, message));
        }
        disk::sync_tree(partial)?;
        fs::rename(partial, folder).map_err(Error::io("create", folder))?;
        disk::sync_parent(folder)
    }
}
