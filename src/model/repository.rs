//! Names on the Hugging Face Hub.

/// A model or a data set, `owner/name[@revision]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repository<'a> {
    pub(crate) owner: &'a str,
    pub(crate) name: &'a str,
    pub(crate) revision: Option<&'a str>,
}

impl<'a> Repository<'a> {
    /// Reads `owner/name[@revision]`; all after `@` is the revision, slashes and all.
    #[cfg(any(test, all(feature = "llama", feature = "tokenizers")))]
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        match Self::split(text)? {
            (found, None) => Some(found),
            (found, Some(_)) => {
                found.revision?;
                let (_, revision) = text.split_once('@')?;
                let good = revision.split('/').all(|word| !word.is_empty());
                good.then_some(Self {
                    revision: Some(revision),
                    ..found
                })
            }
        }
    }

    /// Reads `owner/name[@revision][/rest]`: the repository, and the rest.
    ///
    /// Branches and tags are one word here, `refs/pr/7` and `refs/convert/parquet` three.
    pub(crate) fn split(text: &'a str) -> Option<(Self, Option<&'a str>)> {
        let (owner, rest) = text.split_once('/')?;
        let (name, rest) = rest.split_at(rest.find(['/', '@']).unwrap_or(rest.len()));
        let (revision, rest) = match rest.strip_prefix('@') {
            None => (None, rest.strip_prefix('/')),
            Some(rest) => {
                let words = if rest.starts_with("refs/") { 3 } else { 1 };
                let end = rest.match_indices('/').nth(words - 1);
                let end = end.map_or(rest.len(), |(at, _)| at);
                let revision = &rest[..end];
                if revision.split('/').filter(|word| !word.is_empty()).count() != words {
                    return None;
                }
                (Some(revision), rest.get(end + 1..))
            }
        };
        let good = !owner.is_empty() && !owner.contains('@') && !name.is_empty();
        let found = Self {
            owner,
            name,
            revision,
        };
        good.then_some((found, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(&str, &str, Option<&str>)> {
        Repository::parse(text).map(|found| (found.owner, found.name, found.revision))
    }

    #[test]
    fn a_whole_name_has_a_revision_at_most() {
        assert_eq!(parsed("a/b"), Some(("a", "b", None)));
        for revision in ["main", "refs/pr/7", "feature/x", "refs/pr/7/x"] {
            let text = format!("a/b@{revision}");
            assert_eq!(parsed(&text), Some(("a", "b", Some(revision))));
        }
        for bad in [
            "", "a", "a/", "/b", "a/b/", "a/b/c", "a/b@", "a/b@x/", "a@x/b",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_comes_after_the_revision_is_the_rest() {
        for (text, revision, rest) in [
            ("a/b", None, None),
            ("a/b/x@y.jsonl", None, Some("x@y.jsonl")),
            ("a/b@main/data/*.jsonl", Some("main"), Some("data/*.jsonl")),
            ("a/b@refs/pr/7", Some("refs/pr/7"), None),
            ("a/b@refs/pr/7/*.jsonl", Some("refs/pr/7"), Some("*.jsonl")),
            (
                "a/b@refs/convert/parquet/default/train/*",
                Some("refs/convert/parquet"),
                Some("default/train/*"),
            ),
        ] {
            let (found, after) = Repository::split(text).unwrap();
            assert_eq!((found.owner, found.name), ("a", "b"), "{text}");
            assert_eq!((found.revision, after), (revision, rest), "{text}");
        }
        let bad = ["", "a", "a/", "/b", "a/b@", "a/@x", "a/b@/x", "a/b@refs/pr"];
        for bad in bad.into_iter().chain(["a/b@refs//7/x", "a/b@refs/"]) {
            assert_eq!(Repository::split(bad), None, "{bad}");
        }
    }
}
