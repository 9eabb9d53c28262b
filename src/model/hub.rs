//! Models on the Hugging Face Hub.

#[cfg(feature = "hub")]
pub(super) use online::fetch;

/// Where the files of `owner/name[@revision]` are on this machine, and its name with the commit
/// that was found.
#[cfg(not(feature = "hub"))]
pub(super) fn fetch(
    name: &str,
    _weights: bool,
) -> Result<(std::path::PathBuf, std::path::PathBuf), crate::error::Error> {
    Err(crate::error::Error::Feature {
        what: format!("hf://{name}: is on the Hugging Face Hub"),
        feature: "hub",
    })
}

#[cfg(feature = "hub")]
mod online {
    use crate::error::Error;
    use crate::model::companions::{NAMES, TEMPLATES};
    use crate::model::download::Bar;
    use crate::model::repository::Repository;
    use hf_hub::{HFClientSync, HFError};
    use std::path::{Path, PathBuf};

    const WEIGHTS: [&str; 2] = ["model*.safetensors", "model.safetensors.index.json"];

    /// Downloads what is not in the Hub's cache yet. Where the Hub does not answer, what is there
    /// of an earlier time serves, if nothing of it is missing.
    pub(in crate::model) fn fetch(text: &str, weights: bool) -> Result<(PathBuf, PathBuf), Error> {
        let failed = |message: String| Error::Model {
            path: format!("hf://{text}").into(),
            message: message.replace('\n', " "),
        };
        let Repository {
            owner,
            name,
            revision,
        } = Repository::parse(text)
            .ok_or_else(|| failed("must be hf://owner/name[@revision]".into()))?;
        let client = HFClientSync::new().map_err(|error| failed(error.to_string()))?;
        let model = client.model(owner, name);
        // The last says that it is no model, and of which.
        let mut files = vec!["config.json", "adapter_config.json"];
        files.extend(NAMES);
        if weights {
            files.extend(WEIGHTS);
        }
        let mut files: Vec<String> = files.into_iter().map(String::from).collect();
        files.push(format!("{TEMPLATES}/*.jinja"));
        let online = model
            .snapshot_download()
            .maybe_revision(revision)
            .allow_patterns(files)
            // A star stands for slashes too: other forms of the same weights.
            .ignore_patterns(vec!["model*/*".into(), format!("{TEMPLATES}/*/*")])
            .progress(Bar::new(text))
            .send();
        let folder = match online {
            Ok(folder) => folder,
            Err(error) if is_unreachable(&error) => {
                let cached = model
                    .snapshot_download()
                    .maybe_revision(revision)
                    .local_files_only(true)
                    .send();
                let whole = cached.ok().filter(|folder| is_whole(folder, weights));
                whole.ok_or_else(|| failed(error.to_string()))?
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        // The Hub's cache names a snapshot by its commit.
        let commit = folder.file_name().unwrap_or_default().to_string_lossy();
        let pinned = format!("hf://{owner}/{name}@{commit}");
        Ok((folder, pinned.into()))
    }

    /// Whether the Hub gave no answer, as without a network. What it refuses it has answered.
    fn is_unreachable(error: &HFError) -> bool {
        match error {
            HFError::Request { source, .. } => {
                source.is_timeout() || source.is_connect() || source.is_request()
            }
            HFError::Http { context } => matches!(context.status.as_u16(), 500 | 502..=504),
            _ => false,
        }
    }

    /// Whether a snapshot has what will be read of it: a download may have ended early, or have
    /// left the weights out.
    fn is_whole(folder: &Path, weights: bool) -> bool {
        let has = |name: &str| folder.join(name).is_file();
        has("config.json") && has("tokenizer.json") && (!weights || has_weights(folder))
    }

    /// Whether the weights are there, in one file or in all of their shards.
    fn has_weights(folder: &Path) -> bool {
        if folder.join("model.safetensors").is_file() {
            return true;
        }
        let index = std::fs::read_to_string(folder.join("model.safetensors.index.json"));
        let index: serde_json::Value = index
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let Some(shards) = index["weight_map"].as_object() else {
            return false;
        };
        let mut shards = shards.values().map(|shard| shard.as_str());
        shards.all(|shard| shard.is_some_and(|shard| folder.join(shard).is_file()))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_snapshot_is_whole_with_all_of_its_weights() {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
            write("config.json", "{}");
            assert!(!is_whole(folder, false));
            write("tokenizer.json", "{}");
            assert!(is_whole(folder, false) && !is_whole(folder, true));
            let index =
                r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
            write("model.safetensors.index.json", index);
            write("model-1.safetensors", "");
            assert!(!is_whole(folder, true));
            write("model-2.safetensors", "");
            assert!(is_whole(folder, true));
            std::fs::remove_file(folder.join("model.safetensors.index.json")).unwrap();
            assert!(!is_whole(folder, true));
            write("model.safetensors", "");
            assert!(is_whole(folder, true));
        }
    }
}

#[cfg(all(test, not(feature = "hub")))]
mod tests {
    #[test]
    fn what_is_missing_is_the_feature() {
        let error = super::fetch("owner/name@main", true).unwrap_err();
        assert_eq!(error.missing_feature(), Some("hub"));
        let expected = "hf://owner/name@main: is on the Hugging Face Hub: build burn-kto with";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
