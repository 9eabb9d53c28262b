//! Who is measured: a folder, or an endpoint.

use super::{Options, usage};
use crate::output::note;
use burn::tensor::Device;
use burn_kto::eval::*;
use burn_kto::prelude::*;
use std::io::Read;
use std::path::Path;

/// A model with what belongs to it.
pub(super) struct Local {
    pub(super) model: Llama,
    pub(super) folder: ModelFolder,
    pub(super) max_length: usize,
    device: Device,
}

pub(super) enum Source {
    Local(Box<Local>),
    #[cfg(feature = "endpoint")]
    Remote(Box<Endpoint>),
}

pub(super) struct Contestant {
    name: String,
    /// Its name in records: another model, or the same one with other weights, does not go on with
    /// them.
    identity: String,
    /// The folder of its records, within the output folder.
    pub(super) folder: String,
    pub(super) source: Source,
}

impl Contestant {
    pub(super) fn first(options: &Options, device: &Device) -> Result<Self, Error> {
        match (&options.model, &options.url, &options.name) {
            (Some(folder), ..) => Self::local(options, folder, device),
            (None, Some(url), Some(name)) => Self::remote(options, url, name),
            _ => Err(usage(
                "--model DIR, or --url URL with --name NAME, is needed",
            )),
        }
    }

    /// The other model, under another name than the first.
    pub(super) fn second(
        options: &Options,
        folder: &Path,
        first: &Self,
        device: &Device,
    ) -> Result<Self, Error> {
        let mut second = Self::local(options, folder, device)?;
        if second.folder == first.folder {
            second.folder += "-2";
            second.name += " (2)";
        }
        Ok(second)
    }

    fn local(options: &Options, name: &Path, device: &Device) -> Result<Self, Error> {
        note!("reading {}", name.display());
        let folder = ModelFolder::open(name)?;
        let longest = folder.max_length();
        let max_length = options.max_length.unwrap_or(longest.min(4096));
        if max_length > longest || max_length < 2 {
            return Err(Error::Config {
                field: "max-length",
                reason: "must be at least 2 and not more than the model reads",
                value: format!("{max_length} for a model of {longest}"),
            });
        }
        if options.chat && folder.chat_template().is_none() {
            return Err(usage(format!(
                "{}: has no chat template for --chat",
                name.display()
            )));
        }
        let name = name_of(&folder);
        let mode = if options.chat { " (chat)" } else { "" };
        let weights = fingerprint(&folder)?;
        let local = Local {
            model: folder.load(device)?,
            folder,
            max_length,
            device: device.clone(),
        };
        Ok(Self {
            name: format!("{name}{mode}"),
            identity: format!("{name}{mode}, weights {weights:016x}, at most {max_length} tokens"),
            folder: name,
            source: Source::Local(Box::new(local)),
        })
    }

    #[cfg(feature = "endpoint")]
    fn remote(options: &Options, url: &str, name: &str) -> Result<Self, Error> {
        let config = EndpointConfig::new(url.into(), name.into())
            .with_key_variable(options.key_variable.clone());
        Ok(Self {
            name: name.into(),
            identity: format!("{name} at {url}"),
            folder: name.replace(['/', '\\', ':'], "-"),
            source: Source::Remote(Box::new(Endpoint::new(config)?)),
        })
    }

    #[cfg(not(feature = "endpoint"))]
    fn remote(_: &Options, _: &str, _: &str) -> Result<Self, Error> {
        Err(usage(
            "--url needs a burn-kto that was built with --features endpoint",
        ))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// Answers choices, which an endpoint does not.
    pub(super) fn chooser(&self, chat: bool) -> Result<LocalModel<'_, Llama>, Error> {
        match &self.source {
            Source::Local(local) => Ok(local.subject(chat)),
            #[cfg(feature = "endpoint")]
            Source::Remote(_) => Err(usage(
                "an endpoint gives no log-probabilities of given texts: use --tasks mmlu-generative",
            )),
        }
    }

    pub(super) fn writer(&self, chat: bool) -> Box<dyn Subject<Completion> + '_> {
        match &self.source {
            Source::Local(local) => Box::new(local.subject(chat)),
            #[cfg(feature = "endpoint")]
            Source::Remote(endpoint) => Box::new(Shared(endpoint)),
        }
    }
}

/// The folder's name; a run's `model` is named after the run, a model of the Hub as it is there.
pub(super) fn name_of(folder: &ModelFolder) -> String {
    let name = folder.name().to_str();
    if let Some(name) = name.and_then(|name| name.strip_prefix("hf://")) {
        // The commit shows in the weights.
        let name = name.split('@').next().unwrap_or(name);
        return name.replace('/', "-");
    }
    let whole = folder.path().canonicalize();
    let whole = whole.unwrap_or_else(|_| folder.path().into());
    let mut names = whole.iter().rev().map(|name| name.to_string_lossy());
    let name = names.find(|name| name != "model");
    name.map_or("model".into(), |name| name.into_owned())
}

/// Refuses a pair of models of which the second lacks tokens that the first one's tokenizer gives.
pub(super) fn check_pair(policy: &ModelFolder, reference: &ModelFolder) -> Result<(), Error> {
    let fits = reference.config().check_tokenizer(&policy.tokenizer);
    fits.map_err(|error| Error::Model {
        path: reference.name().into(),
        message: format!("does not go with {}: {error}", policy.name().display()),
    })
}

/// A fingerprint of the weights, word by word (FNV-1a): a model that was trained on and saved again
/// is another one.
pub(super) fn fingerprint(folder: &ModelFolder) -> Result<u64, Error> {
    let folder = folder.path();
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Io {
            action: "read",
            path,
            source,
        }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path
            .extension()
            .is_some_and(|ending| ending == "safetensors")
        {
            files.push(path);
        }
    }
    files.sort();
    let (mut hash, mut buffer) = (0xcbf2_9ce4_8422_2325_u64, vec![0; 1 << 20]);
    for path in files {
        let mut file = std::fs::File::open(&path).map_err(failed(&path))?;
        loop {
            let n = file.read(&mut buffer).map_err(failed(&path))?;
            if n == 0 {
                break;
            }
            for word in buffer[..n].chunks(8) {
                let mut bytes = [0; 8];
                bytes[..word.len()].copy_from_slice(word);
                hash = (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(0x100_0000_01b3);
            }
        }
    }
    Ok(hash)
}

/// An endpoint that is lent.
#[cfg(feature = "endpoint")]
struct Shared<'a>(&'a Endpoint);

#[cfg(feature = "endpoint")]
impl Subject<Completion> for Shared<'_> {
    fn answer(&self, requests: &[Completion]) -> Result<Vec<Texts>, Error> {
        self.0.answer(requests)
    }
}

impl Local {
    fn subject(&self, chat: bool) -> LocalModel<'_, Llama> {
        let tokenizer = &self.folder.tokenizer;
        let subject = LocalModel::new(&self.model, tokenizer, self.max_length, &self.device)
            .with_stop_tokens(tokenizer.stop_tokens());
        match self.folder.chat_template() {
            Some(template) if chat => subject.with_chat(template),
            _ => subject,
        }
    }

    pub(super) fn template(&self) -> &dyn ChatTemplate {
        self.folder.template()
    }
}
