//! Models on the Hugging Face Hub.

use crate::error::Error;
use std::path::PathBuf;

/// Where the files of `owner/name[@revision]` are on this machine, and its name with the commit that
/// was found.
#[cfg(not(feature = "hub"))]
pub(super) fn fetch(name: &str, _weights: bool) -> Result<(PathBuf, PathBuf), Error> {
    Err(Error::Model {
        path: format!("hf://{name}").into(),
        message: "is on the Hugging Face Hub: build burn-kto with feature `hub`".into(),
    })
}

#[cfg(feature = "hub")]
pub(super) fn fetch(name: &str, _weights: bool) -> Result<(PathBuf, PathBuf), Error> {
    Err(Error::Model {
        path: format!("hf://{name}").into(),
        message: "todo".into(),
    })
}
