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
    Err(crate::error::Error::Model {
        path: format!("hf://{name}").into(),
        message: "is on the Hugging Face Hub: build burn-kto with feature `hub`".into(),
    })
}

#[cfg(feature = "hub")]
mod online {
    use crate::error::Error;
    use crate::model::download::Bar;
    use hf_hub::HFClientSync;
    use std::path::PathBuf;

    /// What a folder is read from besides its weights.
    const FILES: [&str; 8] = [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "generation_config.json",
        "tokenizer.model",
    ];
    const WEIGHTS: [&str; 2] = ["model*.safetensors", "model.safetensors.index.json"];

    /// `owner/name[@revision]`.
    fn parse(text: &str) -> Option<(&str, &str, Option<&str>)> {
        let (repository, revision) = match text.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision)),
            None => (text, None),
        };
        let (owner, name) = repository.split_once('/')?;
        let plain = |word: &&str| !word.is_empty() && !word.contains('/');
        let good = [owner, name].iter().all(plain) && revision != Some("");
        good.then_some((owner, name, revision))
    }

    /// Downloads what is not in the Hub's cache yet. Where the Hub does not answer, what is there
    /// of an earlier time serves.
    pub(in crate::model) fn fetch(text: &str, weights: bool) -> Result<(PathBuf, PathBuf), Error> {
        let failed = |message: String| Error::Model {
            path: format!("hf://{text}").into(),
            message: message.replace('\n', " "),
        };
        let (owner, name, revision) =
            parse(text).ok_or_else(|| failed("must be hf://owner/name[@revision]".into()))?;
        let client = HFClientSync::new().map_err(|error| failed(error.to_string()))?;
        let model = client.model(owner, name);
        let mut files: Vec<String> = FILES.map(String::from).to_vec();
        if weights {
            files.extend(WEIGHTS.map(String::from));
        }
        let online = model
            .snapshot_download()
            .maybe_revision(revision)
            .allow_patterns(files)
            // Other forms of the same weights.
            .ignore_patterns(vec!["*/*".into()])
            .progress(Bar::new(text))
            .send();
        let folder = match online {
            Ok(folder) => folder,
            Err(error) => {
                let cached = model
                    .snapshot_download()
                    .maybe_revision(revision)
                    .local_files_only(true)
                    .send();
                cached.map_err(|_| failed(error.to_string()))?
            }
        };
        // The Hub's cache names a snapshot by its commit.
        let commit = folder.file_name().unwrap_or_default().to_string_lossy();
        let pinned = format!("hf://{owner}/{name}@{commit}");
        Ok((folder, pinned.into()))
    }

    #[cfg(test)]
    mod tests {
        use super::parse;

        #[test]
        fn names_say_what_is_meant() {
            assert_eq!(parse("a/b"), Some(("a", "b", None)));
            assert_eq!(parse("a/b@refs/pr/7"), Some(("a", "b", Some("refs/pr/7"))));
            for bad in ["", "a", "a/", "/b", "a/b/c", "a/b@"] {
                assert_eq!(parse(bad), None, "{bad}");
            }
        }
    }
}
