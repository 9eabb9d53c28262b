//! From the data to token ids.

use super::method::DataKind;
use super::refusal::refused;
use super::report::Event;
use super::settings::Settings;
use crate::data::{
    BinaryExample, CacheKey, CacheRow, Encode, EncodeReport, Encoder, PreferenceExample, Prompt,
    ReadReport, SftExample, TokenCache, hold_out,
};
use crate::error::Error;
use std::path::Path;

/// What was read, whichever feedback the method learns from.
#[derive(Clone, Debug)]
pub(super) enum Examples {
    Thumbs(Vec<BinaryExample>),
    Pairs(Vec<PreferenceExample>),
    Demonstrations(Vec<SftExample>),
}

/// Reads the data as the method asks for it.
pub(super) fn read(
    settings: &Settings,
    tell: &mut dyn FnMut(&Event<'_>),
) -> Result<(Examples, ReadReport), Error> {
    let path = path(settings)?;
    let reader = settings.data.reader(settings.seed);
    let limit = settings.data.limit.unwrap_or(usize::MAX);
    let (mut examples, report) = match (
        settings.method.data_kind(),
        settings.data.labels(settings.seed),
    ) {
        (DataKind::Thumbs, Some(labels)) => {
            let loaded = reader.scored(path)?;
            tell(&Event::Read(&loaded.report));
            let labelled = labels.apply(&loaded.examples)?;
            tell(&Event::Labelled(&labelled));
            (Examples::Thumbs(labelled.examples), loaded.report)
        }
        (DataKind::Thumbs, None) => {
            let loaded = reader.binary(path)?;
            tell(&Event::Read(&loaded.report));
            (Examples::Thumbs(loaded.examples), loaded.report)
        }
        (DataKind::Pairs, _) => {
            let loaded = reader.preferences(path)?;
            tell(&Event::Read(&loaded.report));
            (Examples::Pairs(loaded.examples), loaded.report)
        }
        (DataKind::Demonstrations, _) => {
            let loaded = reader.sft(path)?;
            tell(&Event::Read(&loaded.report));
            (Examples::Demonstrations(loaded.examples), loaded.report)
        }
    };
    match &mut examples {
        Examples::Thumbs(examples) => examples.truncate(limit),
        Examples::Pairs(examples) => examples.truncate(limit),
        Examples::Demonstrations(examples) => examples.truncate(limit),
    }
    Ok((examples, report))
}

pub(super) fn path(settings: &Settings) -> Result<&Path, Error> {
    let path = settings.data.path.as_deref();
    path.ok_or_else(|| refused("data.path", "says what to learn from: it is missing"))
}

/// Refuses that examples are dropped, if they must not be.
pub(super) fn check_strict(settings: &Settings, report: &EncodeReport) -> Result<(), Error> {
    match report.dropped.first_key_value() {
        Some((why, _)) if settings.data.strict => Err(Error::Dataset {
            message: format!("strict: an example had to be dropped: {why}"),
        }),
        _ => Ok(()),
    }
}

/// What is trained on and what is held out.
pub(super) struct Parts<T> {
    pub(super) train: Vec<T>,
    pub(super) held_out: Vec<T>,
}

/// Splits examples and makes token ids of them; from the cache, if there is one.
pub(super) struct Encoding<'a> {
    settings: &'a Settings,
    encoder: Encoder<'a>,
    /// The key of what is cached, made before the data is read.
    key: Option<CacheKey>,
}

impl<'a> Encoding<'a> {
    pub(super) fn new(settings: &'a Settings, encoder: Encoder<'a>) -> Result<Self, Error> {
        let data = &settings.data;
        let key = match &data.cache {
            None => None,
            Some(_) => {
                let reader = data.reader(settings.seed);
                Some(CacheKey::default().with_source(&reader, path(settings)?)?)
            }
        };
        Ok(Self {
            settings,
            encoder,
            key,
        })
    }

    pub(super) fn parts<E: Encode<Tokenized: CacheRow>>(
        &self,
        examples: Vec<E>,
        prompt: impl Fn(&E) -> &Prompt,
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Parts<E::Tokenized>, Error> {
        let share = self.settings.data.held_out;
        let (train, held_out) = hold_out(examples, share, self.settings.seed, prompt);
        let held = held_out.len();
        let train = self.part("train", train, tell)?;
        let held_out = self.part("held out", held_out, tell)?;
        if train.is_empty() {
            let message = format!(
                "no example is left to train on: {held} were held out, for others see above"
            );
            return Err(Error::Dataset { message });
        }
        Ok(Parts { train, held_out })
    }

    fn part<E: Encode<Tokenized: CacheRow>>(
        &self,
        name: &'static str,
        examples: Vec<E>,
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Vec<E::Tokenized>, Error> {
        let data = &self.settings.data;
        let mut told = |report: &EncodeReport, cached: bool| {
            tell(&Event::Encoded {
                part: name,
                report,
                cached,
            });
            check_strict(self.settings, report)
        };
        let (Some(folder), Some(key)) = (&data.cache, &self.key) else {
            let encoded = E::encode(&examples, &self.encoder)?;
            told(&encoded.report, false)?;
            return Ok(encoded.examples);
        };
        // All that decides which examples these are.
        let key = key
            .clone()
            .with("limit", format!("{:?}", data.limit))
            .with(
                "threshold",
                format!("{:?} {:?}", data.threshold, data.score_cap),
            )
            .with("held out", data.held_out)
            .with("seed", self.settings.seed)
            .with("part", name);
        let rows = || Ok(examples.into_iter().map(Ok));
        let cached = TokenCache::new(folder).open_or_build(&self.encoder, &key, rows)?;
        told(&cached.report, !cached.built)?;
        Ok(cached.examples)
    }
}
