//! A reward model as a folder.

use super::Llama;
use super::weights::Weights;
use crate::error::Error;
use crate::model::RewardModel;
use crate::model::files::{failed, is_there};
use burn::module::{Module, Param};
use burn::store::{FloatCastAdapter, ModuleSnapshot, SafetensorsStore};
use burn::tensor::{DType, Device, Tensor};
use std::path::Path;

/// The head, beside the folder of the model that it is on.
const HEAD: &str = "score.safetensors";

/// Named as transformers' models for sequence classification name it: `score.weight`, `[1, width]`.
#[derive(Module, Debug)]
struct Head {
    score: Score,
}

#[derive(Module, Debug)]
struct Score {
    weight: Param<Tensor<2>>,
}

impl RewardModel<Llama> {
    /// Writes the backbone's folder as [`Llama::save`], and the head as `score.safetensors`.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        let folder = folder.as_ref();
        self.backbone.save(folder)?;
        let weight = self.head.val().unsqueeze_dim::<2>(0);
        let head = Head {
            score: Score {
                weight: Param::from_tensor(weight),
            },
        };
        let path = folder.join(HEAD);
        let mut store = SafetensorsStore::from_file(&path)
            .with_to_adapter(FloatCastAdapter::to(DType::F32))
            .clear_metadata()
            .metadata("format", "pt")
            .overwrite(true);
        let saved = head.save_into(&mut store);
        saved.map_err(|error| failed(&path, one_line(&error)))
    }

    /// Reads it back.
    ///
    /// # Errors
    ///
    /// The errors of [`Llama::load`], and where there is no head, or it does not fit or is not
    /// finite.
    pub fn load(folder: impl AsRef<Path>, device: &Device) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let model = Self::new(Llama::load(folder, device)?, device);
        let width = model.head.dims()[0];
        let path = folder.join(HEAD);
        if !is_there(&path) {
            return Err(failed(folder, format!("no {HEAD}: it is no reward model")));
        }
        let weights = Weights::read(vec![path.clone()])?;
        let parameter = ("score.weight".to_string(), vec![1, width]);
        let config = model.backbone.config();
        weights.check(&path, config, std::iter::once(parameter))?;
        let mut head = Head {
            score: Score {
                weight: Param::from_tensor(Tensor::zeros([1, width], device)),
            },
        };
        let mut store =
            SafetensorsStore::from_file(&path).with_from_adapter(FloatCastAdapter::to(DType::F32));
        head.load_from(&mut store)
            .map_err(|error| failed(&path, one_line(&error)))?;
        let weight = head.score.weight.val().reshape([width]);
        Ok(Self {
            head: Param::from_tensor(weight),
            ..model
        })
    }
}

fn one_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
