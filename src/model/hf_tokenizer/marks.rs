//! Added tokens in texts: how they are overlooked, and what becomes them.

use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer};

/// The same, blind to added tokens. Those of white space stay: they are ordinary text, and the
/// model learned to read it so.
pub(super) fn blind(tokenizer: &Tokenizer) -> Tokenizer {
    let mut blind = tokenizer.clone();
    let added = blind.get_added_tokens_decoder().into_values();
    let marks = added.filter(|token| !token.content.trim().is_empty());
    // Only special ones can be overlooked. Each keeps its id; where that fails, those that are
    // special already are overlooked all the same.
    let _ = blind.add_tokens(marks.map(|token| token.special(true)));
    blind.set_encode_special_tokens(true);
    blind
}

/// Whether texts that do not spell this token become it.
pub(super) fn folds(normalizer: &NormalizerWrapper, token: &str) -> bool {
    // What is put into a text is no part of the token, or all of the token was there before.
    let makes = |text: &str| text.is_empty() || text.chars().any(|c| token.contains(c));
    match normalizer {
        NormalizerWrapper::Sequence(all) => all.as_ref().iter().any(|one| folds(one, token)),
        NormalizerWrapper::Replace(replace) => makes(&replace.content),
        NormalizerWrapper::Prepend(prepend) => makes(&prepend.prepend),
        NormalizerWrapper::StripNormalizer(_) => token.trim() != token,
        NormalizerWrapper::ByteLevel(_) => false,
        _ => true,
    }
}

/// Whether a text can be cut before this token wherever it stands, because the tokenizer looks for
/// it before anything else and nothing that stands before it changes what is found.
pub(super) fn cuts<'t>(
    token: &AddedToken,
    mut added: impl Iterator<Item = &'t AddedToken>,
) -> bool {
    let text = token.content.as_str();
    // Found in the raw text, whatever its neighbours are; and not to be taken for the space that
    // the token before it may swallow, nor for the word that would end that one.
    let plain = token.special && !token.normalized && !token.lstrip && !token.single_word;
    let mark = text.starts_with(|c: char| c.is_ascii_punctuation() && c != '_');
    // Whether a match of `other` that begins earlier could reach into this token.
    let reached = |other: &str| {
        let ends = other.char_indices().skip(1).map(|(at, _)| &other[at..]);
        ends.into_iter()
            .any(|end| end.starts_with(text) || text.starts_with(end))
    };
    plain && mark && !added.any(|other| reached(&other.content))
}
