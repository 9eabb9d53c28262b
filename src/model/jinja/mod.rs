//! The chat template that a model folder brings.

mod bounds;
mod folder;
mod front;
mod library;

use super::chat::{ChatTemplate, Marked, Message, TOOLS};
use crate::error::Error;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, Value};
use serde_json::json;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// A Hugging Face chat template, rendered as Python's transformers does: `trim_blocks`,
/// `lstrip_blocks`, loop controls, `raise_exception`, `strftime_now`, `tojson`, Python's methods
/// and ways of writing values, `tools` and `{% generation %}`; no `documents`. Where a folder has a
/// template for conversations with tools, those are written by it.
///
/// What cannot be rendered as in Python is refused rather than rendered otherwise:
/// `docs/robustness.md` lists it.
///
/// A rendering has bounds, since a template is a program of somebody else: one that takes more time
/// or memory than any conversation needs ends with [`Error::Template`].
///
/// A text should not depend on the day: where a template has a date of its own if `strftime_now` is
/// not defined, it is not, unless [`with_date`](Self::with_date) gives one. Other templates get
/// today's, in UTC.
///
/// ```
/// use burn_kto::prelude::*;
/// let source = "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}\
///     {% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %};\
///     {% endfor %}";
/// let template = JinjaTemplate::new(source, "", "")?;
/// let messages = [Message::new("user", "Hi"), Message::new("assistant", "Hello!")];
/// let (text, said) = template.render_marked(&messages)?.unwrap();
/// assert_eq!(text, "user: Hi;assistant: Hello!;");
/// assert_eq!(&text[said[0].clone()], "Hello!");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct JinjaTemplate {
    environment: Arc<Environment<'static>>,
    /// For conversations without tools.
    plain: Source,
    /// For those with tools, where it is another.
    tools: Option<Source>,
    /// What a template knows of the tokenizer: `bos_token` and the like.
    tokens: Vec<(String, String)>,
    /// What `strftime_now` tells, if it is defined.
    date: Option<DateTime>,
}

/// One template.
#[derive(Debug)]
struct Source {
    /// By which the environment knows it.
    name: &'static str,
    /// As it was written.
    text: String,
    has_generation: bool,
}

/// Characters that can mark what a template writes: Unicode keeps them for uses like this one. The
/// two before them mark special tokens in texts.
const MARKS: std::ops::RangeInclusive<char> = '\u{FDD2}'..='\u{FDEF}';

/// Bytes that a message counts for besides its text.
const MESSAGE: usize = 256;

impl JinjaTemplate {
    /// The template of a model folder: `chat_template.jinja` with those of
    /// `additional_chat_templates`, else `chat_template` of `tokenizer_config.json`, else of
    /// `chat_template.json`. Of several, `tool_use` is for conversations that have tools, `default`
    /// for all others. `None` if there is none.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, a template is not valid, or none of several is the default.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        let folder = folder.as_ref();
        let Some(found) = folder::read(folder)? else {
            return Ok(None);
        };
        let made = Self::parse(found.default, found.tool_use, found.tokens);
        made.map(Some).map_err(|message| Error::Model {
            path: folder.into(),
            message,
        })
    }

    /// From its source, and the texts of the tokens that begin and end a sequence.
    ///
    /// # Errors
    ///
    /// Where the template is not valid.
    pub fn new(
        source: impl Into<String>,
        bos_token: impl Into<String>,
        eos_token: impl Into<String>,
    ) -> Result<Self, Error> {
        let tokens = [
            ("bos_token", bos_token.into()),
            ("eos_token", eos_token.into()),
        ];
        let tokens = tokens.map(|(name, token)| (name.to_string(), token));
        let made = Self::parse(source.into(), None, tokens.into());
        made.map_err(|message| Error::Tokenize { message })
    }

    /// With this date and time, `2026-11-23` or `2026-11-23T18:30:00`, as what `strftime_now`
    /// tells.
    ///
    /// # Errors
    ///
    /// Where it is neither.
    pub fn with_date(mut self, date: &str) -> Result<Self, Error> {
        let date: DateTime = date.parse().map_err(|_| Error::Config {
            field: "date",
            reason: "must be like 2026-11-23 or 2026-11-23T18:30:00",
            value: format!("\"{date}\""),
        })?;
        tell(Arc::make_mut(&mut self.environment), date);
        self.date = Some(date);
        Ok(self)
    }

    fn parse(
        plain: String,
        tools: Option<String>,
        tokens: Vec<(String, String)>,
    ) -> Result<Self, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|error| said(&error))?);
        library::add(&mut environment);
        bounds::set(&mut environment);
        let has = |part| {
            [Some(&plain), tools.as_ref()]
                .into_iter()
                .flatten()
                .any(|s| s.contains(part))
        };
        let (dated, own) = (has("strftime_now"), has("strftime_now is defined"));
        let date = (dated && !own).then(|| TimeZone::UTC.to_datetime(Timestamp::now()));
        if let Some(date) = date {
            tell(&mut environment, date);
        }
        let (mut environment, plain) = Source::add(environment, "chat_template", plain)?;
        let mut tool_use = None;
        if let Some(tools) = tools {
            let (with, tools) = Source::add(environment, "tool_use", tools)?;
            environment = with;
            tool_use = Some(tools);
        }
        Ok(Self {
            environment: Arc::new(environment),
            plain,
            tools: tool_use,
            tokens,
            date,
        })
    }

    /// The template for a conversation.
    fn source(&self, messages: &[Message]) -> &Source {
        let tools = messages.first().and_then(|first| first.extra.get(TOOLS));
        match (&self.tools, tools) {
            (Some(source), Some(tools)) if !tools.is_null() => source,
            _ => &self.plain,
        }
    }

    fn write(
        &self,
        messages: &[Message],
        generation_prompt: bool,
        marks: Option<[char; 2]>,
    ) -> Result<String, Error> {
        let name = self.source(messages).name;
        let bytes = messages.iter().map(|m| m.content.len() + MESSAGE);
        let size = bounds::Size {
            messages: messages.len(),
            bytes: bytes.sum(),
        };
        let mut messages = Cow::Borrowed(messages);
        let tools = match messages.first() {
            Some(first) if first.extra.contains_key(TOOLS) => {
                messages.to_mut()[0].extra.remove(TOOLS)
            }
            _ => None,
        };
        let mark = |mark: Option<char>| mark.map_or(Value::UNDEFINED, Value::from);
        let known = [
            ("messages", Value::from(Serde(&messages))),
            ("add_generation_prompt", Value::from(generation_prompt)),
            // Where there are none Python passes None, which `is not none` tells from undefined.
            ("tools", Value::from(Serde(tools))),
            ("documents", Value::from(())),
            ("generation_marks", Value::from(marks.is_some())),
            ("generation_begin", mark(marks.map(|[begin, _]| begin))),
            ("generation_end", mark(marks.map(|[_, end]| end))),
        ];
        let tokens = self.tokens.iter();
        let tokens = tokens.map(|(name, token)| (name.as_str(), Value::from(token.as_str())));
        let context = Value::from_pairs(known.into_iter().chain(tokens));
        bounds::render(&self.environment, name, context, size)
    }

    /// Two characters that nothing has which is rendered, so that no text is taken for a mark.
    fn free_marks(&self, messages: &[Message]) -> Result<[char; 2], Error> {
        let refused = |message: String| Error::Tokenize { message };
        let messages =
            serde_json::to_string(messages).map_err(|error| refused(error.to_string()))?;
        let template = self.definition().unwrap_or_default();
        let mut free = MARKS.filter(|c| !messages.contains(*c) && !template.contains(*c));
        match (free.next(), free.next()) {
            (Some(begin), Some(end)) => Ok([begin, end]),
            _ => Err(refused(
                "the conversation has all of U+FDD2 to U+FDEF, so none can mark what the assistant says".into(),
            )),
        }
    }
}

impl Source {
    /// The environment with a template.
    fn add(
        to: Environment<'static>,
        name: &'static str,
        text: String,
    ) -> Result<(Environment<'static>, Self), String> {
        let source = text.clone();
        let front = bounds::aside(move || front::read(&source));
        let front = front.map_err(|why| format!("the chat template cannot be read: {why}"))?;
        let to = bounds::compile(to, name, front.source).map_err(|error| said(&error))?;
        let source = Self {
            name,
            text,
            has_generation: front.generation,
        };
        Ok((to, source))
    }
}

impl ChatTemplate for JinjaTemplate {
    fn render(&self, messages: &[Message], generation_prompt: bool) -> Result<String, Error> {
        self.write(messages, generation_prompt, None)
    }

    /// Marked is what the template has between `{% generation %}` and `{% endgeneration %}`.
    fn render_marked(&self, messages: &[Message]) -> Result<Option<Marked>, Error> {
        if !self.source(messages).has_generation {
            return Ok(None);
        }
        let [begin, end] = self.free_marks(messages)?;
        let marked = self.write(messages, false, Some([begin, end]))?;
        let (mut text, mut spans, mut start) = (String::with_capacity(marked.len()), Vec::new(), 0);
        for part in marked.split_inclusive([begin, end]) {
            text += part.trim_end_matches([begin, end]);
            if part.ends_with(begin) {
                start = text.len();
            } else if part.ends_with(end) {
                spans.push(start..text.len());
            }
        }
        Ok(Some((text, spans)))
    }

    fn definition(&self) -> Option<String> {
        // By the day: a time of day would let no cache live.
        let date = self.date.map(|date| date.date().to_string());
        let tools = self.tools.as_ref().map(|source| &source.text);
        Some(json!([self.plain.text, tools, self.tokens, date]).to_string())
    }

    fn texts(&self) -> Option<Vec<String>> {
        let sources = [Some(&self.plain), self.tools.as_ref()];
        let texts = sources.into_iter().flatten();
        let texts = texts.flat_map(|source| front::texts(&source.text));
        let tokens = self.tokens.iter().map(|(_, token)| token.clone());
        Some(texts.chain(tokens).collect())
    }
}

/// Defines `strftime_now`.
fn tell(environment: &mut Environment<'static>, now: DateTime) {
    environment.add_function("strftime_now", move |format: &str| {
        let written = (format.len() < 200).then(|| jiff::fmt::strtime::format(format, now));
        let written = written.unwrap_or_else(|| jiff::fmt::strtime::format("", now));
        written
            .map_err(|error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()))
    });
}

/// Characters that a template may say in an error.
const LONGEST: usize = 400;

fn said(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!(" (line {line})"));
    let detail = match error.detail() {
        Some(detail) if detail.chars().count() > LONGEST => {
            detail.chars().take(LONGEST).chain(['…']).collect()
        }
        Some(detail) => detail.to_string(),
        None => error.kind().to_string(),
    };
    format!(
        "the chat template says: {detail}{}",
        line.unwrap_or_default()
    )
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
