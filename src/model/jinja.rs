//! The chat template that a model folder brings.

use super::chat::{ChatTemplate, Message};
use super::hf_tokenizer::read_json;
use crate::error::Error;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, context};
use serde_json::{Value, json};
use std::path::Path;

/// A Hugging Face chat template, rendered as Python's transformers does: `trim_blocks`, `lstrip_blocks`, `raise_exception`, Python's
/// string methods and JSON; no `tools` and no `documents`.
///
/// `strftime_now` is left undefined, so that a text does not depend on the day: templates then write a date of their own.
#[derive(Debug)]
pub struct JinjaTemplate {
    environment: Environment<'static>,
    bos_token: String,
    eos_token: String,
}

const NAME: &str = "chat_template";

impl JinjaTemplate {
    /// The template of a model folder: `chat_template.jinja`, else the `chat_template` of `tokenizer_config.json` (the one named
    /// `default` where there are several). `None` if there is none.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read or the template is not valid.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        let folder = folder.as_ref();
        let settings = read_json(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
        let path = folder.join("chat_template.jinja");
        let source = match std::fs::read_to_string(&path) {
            Ok(source) => Some(source),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => in_settings(&settings),
            Err(error) => return Err(Error::io("read", path)(error)),
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
        environment.add_filter("tojson", |value: minijinja::Value| {
            let value = serde_json::to_value(&value);
            value.map(|value| to_json(&value)).map_err(|error| {
                minijinja::Error::new(ErrorKind::BadSerialization, error.to_string())
            })
        });
        environment.add_template_owned(NAME, source)?;
        Ok(Self {
            environment,
            bos_token,
            eos_token,
        })
    }
}

impl ChatTemplate for JinjaTemplate {
    fn render(&self, messages: &[Message], generation_prompt: bool) -> Result<String, Error> {
        let template = self.environment.get_template(NAME);
        let rendered = template.and_then(|template| {
            template.render(context! {
                messages => minijinja::value::Serde(messages),
                add_generation_prompt => generation_prompt,
                // Python passes None, which `is not none` tells from undefined.
                tools => (),
                documents => (),
                bos_token => self.bos_token.as_str(),
                eos_token => self.eos_token.as_str(),
            })
        });
        rendered.map_err(|error| refused(&error))
    }

    fn definition(&self) -> Option<String> {
        let template = self.environment.get_template(NAME).ok()?;
        let parts = [template.source(), &self.bos_token, &self.eos_token];
        Some(json!(parts).to_string())
    }
}

/// As Python's `json.dumps` writes it: a space after each separator, and nothing escaped for HTML. Objects are sorted by key.
fn to_json(value: &Value) -> String {
    let entry = |(key, value): (&String, &Value)| format!("{}: {}", json!(key), to_json(value));
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(to_json).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        plain => plain.to_string(),
    }
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
            r#"{"content": "a'b&", "role": "user"}"<é>\""[1, null]"#
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
