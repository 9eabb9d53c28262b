//! The chat template that a model folder brings.

mod json;
mod marks;

use super::chat::{ChatTemplate, Marked, Message, TOOLS};
use super::files::{failed, read, read_json};
use crate::error::Error;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, context};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::Path;

/// A Hugging Face chat template, rendered as Python's transformers does: `trim_blocks`,
/// `lstrip_blocks`, loop controls, `raise_exception`, `strftime_now`, `tojson`, Python's string
/// methods, `tools` and `{% generation %}`; no `documents`.
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
    environment: Environment<'static>,
    bos_token: String,
    eos_token: String,
    /// What `strftime_now` tells, if it is defined.
    date: Option<DateTime>,
    has_generation: bool,
}

const NAME: &str = "chat_template";

/// What one rendering may take, in steps of the template and bytes that it makes: thousands of
/// times what a long conversation does, spent in seconds.
const FUEL: u64 = 50_000_000;

impl JinjaTemplate {
    /// The template of a model folder: `chat_template.jinja`, else the `chat_template` of
    /// `tokenizer_config.json` (the one named `default` where there are several). `None` if there
    /// is none.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read or the template is not valid.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        let folder = folder.as_ref();
        let settings = read_json(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
        let path = folder.join("chat_template.jinja");
        let source = match read(&path, "the chat template") {
            Ok(bytes) => {
                let text = String::from_utf8(bytes);
                Some(text.map_err(|_| failed(&path, "is not UTF-8"))?)
            }
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                in_settings(&settings)
            }
            Err(error) => return Err(error),
        };
        let token = |name: &str| {
            let token = &settings[name];
            let text = token.as_str().or(token["content"].as_str());
            text.unwrap_or_default().to_string()
        };
        let tokens = (token("bos_token"), token("eos_token"));
        let made = source.map(|source| Self::parse(source, tokens.0, tokens.1));
        made.transpose().map_err(|error| Error::Model {
            path: folder.into(),
            message: said(&error),
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
        let made = Self::parse(source.into(), bos_token.into(), eos_token.into());
        made.map_err(|error| refused(&error))
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
        tell(&mut self.environment, date);
        self.date = Some(date);
        Ok(self)
    }

    fn write(
        &self,
        messages: &[Message],
        generation_prompt: bool,
        marks: Option<[char; 2]>,
    ) -> Result<String, Error> {
        let template = self.environment.get_template(NAME);
        let mut messages = Cow::Borrowed(messages);
        let tools = match messages.first() {
            Some(first) if first.extra.contains_key(TOOLS) => {
                messages.to_mut()[0].extra.remove(TOOLS)
            }
            _ => None,
        };
        let rendered = template.and_then(|template| {
            template.render(context! {
                messages => minijinja::value::Serde(&messages),
                add_generation_prompt => generation_prompt,
                // Where there are none Python passes None, which `is not none` tells from
                // undefined.
                tools => minijinja::value::Serde(tools),
                documents => (),
                bos_token => self.bos_token.as_str(),
                eos_token => self.eos_token.as_str(),
                generation_marks => marks.is_some(),
                generation_begin => marks.map(|[begin, _]| begin),
                generation_end => marks.map(|[_, end]| end),
            })
        });
        rendered.map_err(|error| refused(&error))
    }

    /// Two characters that nothing has which is rendered, so that no text is taken for a mark.
    fn free_marks(&self, messages: &[Message]) -> Result<[char; 2], Error> {
        let refused = |message: String| Error::Tokenize { message };
        let messages =
            serde_json::to_string(messages).map_err(|error| refused(error.to_string()))?;
        let template = self.definition().unwrap_or_default();
        let mut free = marks::CHARS.filter(|c| !messages.contains(*c) && !template.contains(*c));
        match (free.next(), free.next()) {
            (Some(begin), Some(end)) => Ok([begin, end]),
            _ => Err(refused(
                "the conversation has all of U+FDD2 to U+FDEF, so none can mark what the assistant says".into(),
            )),
        }
    }

    fn parse(
        source: String,
        bos_token: String,
        eos_token: String,
    ) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| {
            Err::<String, _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_filter("tojson", json::tojson);
        environment.set_fuel(Some(FUEL));
        let own = source.contains("strftime_now is defined") || !source.contains("strftime_now");
        let date = (!own).then(|| TimeZone::UTC.to_datetime(Timestamp::now()));
        if let Some(date) = date {
            tell(&mut environment, date);
        }
        let (source, has_generation) = marks::with_marks(&source);
        environment.add_template_owned(NAME, source)?;
        Ok(Self {
            environment,
            bos_token,
            eos_token,
            date,
            has_generation,
        })
    }
}

impl ChatTemplate for JinjaTemplate {
    fn render(&self, messages: &[Message], generation_prompt: bool) -> Result<String, Error> {
        self.write(messages, generation_prompt, None)
    }

    /// Marked is what the template has between `{% generation %}` and `{% endgeneration %}`.
    fn render_marked(&self, messages: &[Message]) -> Result<Option<Marked>, Error> {
        if !self.has_generation {
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
        let template = self.environment.get_template(NAME).ok()?;
        // By the day: a time of day would let no cache live.
        let date = self.date.map(|date| date.date().to_string());
        let parts = [template.source(), &self.bos_token, &self.eos_token];
        Some(json!([parts, date]).to_string())
    }
}

/// Defines `strftime_now`.
fn tell(environment: &mut Environment<'static>, now: DateTime) {
    environment.add_function("strftime_now", move |format: &str| {
        jiff::fmt::strtime::format(format, now)
            .map_err(|error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()))
    });
}

/// A text, or a list of named ones.
fn in_settings(settings: &Value) -> Option<String> {
    let template = &settings["chat_template"];
    let default = template.as_array().and_then(|templates| {
        let named = |name| templates.iter().find(|t| t["name"] == name);
        named("default").or(templates.first())
    });
    let text = template
        .as_str()
        .or(default.and_then(|t| t["template"].as_str()));
    text.map(str::to_string)
}

fn refused(error: &minijinja::Error) -> Error {
    Error::Tokenize {
        message: said(error),
    }
}

fn said(error: &minijinja::Error) -> String {
    let detail = error.detail().map(str::to_string);
    let line = error.line().map(|line| format!(" (line {line})"));
    format!(
        "the chat template says: {}{}",
        detail.unwrap_or_else(|| error.kind().to_string()),
        line.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_markup_is_rendered_as_transformers_does() {
        let source = "{% for m in messages %}\n    {{- '<|im_start|>' + m['role'] + '\\n' + m.content.strip() + '<|im_end|>' + '\\n' -}}\n{% endfor %}\n{% if add_generation_prompt %}\n{{ '<|im_start|>assistant\\n' }}\n{%- endif %}";
        let template = JinjaTemplate::new(source, "", "").unwrap();
        let messages = [Message::new("user", " hi ")];
        let text = template.render(&messages, true).unwrap();
        assert_eq!(
            text,
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        );
        let text = template.render(&messages, false).unwrap();
        assert_eq!(text, "<|im_start|>user\nhi<|im_end|>\n");
    }

    #[test]
    fn json_and_absent_tools_are_as_in_python() {
        let source = "{{ messages[0] | tojson }}{{ '<é>\"' | tojson }}{{ [1, none] | tojson }}{% if tools is not none %}tools{% endif %}";
        let template = JinjaTemplate::new(source, "", "").unwrap();
        let text = template.render(&[Message::new("user", "a'b&")], false);
        assert_eq!(
            text.unwrap(),
            r#"{"role": "user", "content": "a'b&"}"<é>\""[1, null]"#
        );
    }

    #[test]
    fn a_folder_brings_its_template_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(JinjaTemplate::from_folder(path).unwrap().is_none());
        let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
        let render = || {
            let template = JinjaTemplate::from_folder(path).unwrap().unwrap();
            template.render(&[], false).unwrap()
        };
        write(
            "tokenizer_config.json",
            r#"{"bos_token": {"content": "<s>"}, "chat_template": [{"name": "tool_use", "template": "no"},
                {"name": "default", "template": "{{ bos_token }}"}]}"#,
        );
        assert_eq!(render(), "<s>");
        write("chat_template.jinja", "own file");
        assert_eq!(render(), "own file");
        write("chat_template.jinja", "{% if %}");
        let error = JinjaTemplate::from_folder(path).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(!error.contains('\n'), "{error}");
        let error = || JinjaTemplate::from_folder(path).unwrap_err().to_string();
        write(
            "chat_template.jinja",
            "version https://git-lfs.github.com/spec/v1\n",
        );
        assert!(error().ends_with(
            "chat_template.jinja: is a Git LFS pointer, not the chat template: run `git lfs pull`"
        ));
        write("chat_template.jinja", "");
        assert!(error().ends_with("chat_template.jinja: is empty"));
    }

    #[test]
    fn a_text_is_never_taken_for_a_mark() {
        let source = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{{ tools }}{% endfor %}";
        let template = JinjaTemplate::new(source, "\u{FDD6}", "").unwrap();
        let mut message = Message::new("user", "\u{FDD3}a\u{FDD2}");
        let tools = json!([{"name": "\u{FDD4}", "\u{FDD5}": 1}]);
        message.extra.insert(TOOLS.into(), tools);
        let messages = [message];
        let (text, said) = template.render_marked(&messages).unwrap().unwrap();
        assert_eq!(text, template.render(&messages, false).unwrap());
        assert_eq!(&text[said[0].clone()], "\u{FDD3}a\u{FDD2}");
        assert_eq!(said.len(), 1);
        let all: String = marks::CHARS.skip(1).collect();
        let error = template.render_marked(&[Message::new("user", all)]);
        assert!(error.unwrap_err().to_string().contains("U+FDD2 to U+FDEF"));
    }

    #[test]
    fn endless_loops_end_with_an_error() {
        let source = "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}";
        let template = JinjaTemplate::new(source, "", "").unwrap();
        let error = template.render(&[], false).unwrap_err().to_string();
        assert!(error.contains("out of fuel"), "{error}");
    }

    #[test]
    fn dates_are_given_or_the_templates_own() {
        let own = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024{% endif %}";
        let render = |template: &JinjaTemplate| template.render(&[], false).unwrap();
        let template = JinjaTemplate::new(own, "", "").unwrap();
        assert_eq!(render(&template), "26 Jul 2024");
        let template = template.with_date("2026-11-03").unwrap();
        assert_eq!(render(&template), "03 Nov 2026");
        let today = JinjaTemplate::new("{{ strftime_now('%Y') }}", "", "").unwrap();
        assert!(render(&today).parse::<u32>().unwrap() >= 2026);
        assert!(today.with_date("yesterday").is_err());
    }

    #[test]
    fn a_template_may_refuse() {
        let template = JinjaTemplate::new("{{ raise_exception('no system turn') }}", "", "");
        let error = template
            .unwrap()
            .render(&[], false)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "cannot tokenize: the chat template says: no system turn (line 1)"
        );
        assert!(JinjaTemplate::new("{% if %}", "", "").is_err());
    }
}
