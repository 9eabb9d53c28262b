//! A model behind an OpenAI-compatible endpoint: answers [`Completion`]s, and judges.

mod config;
mod http;
mod judge;

pub use config::{EndpointConfig, Route};
pub use judge::{EndpointJudge, JudgeForm};

use super::tasks::local::until;
use super::tasks::task::{Completion, Subject, Texts};
use crate::error::Error;
use crate::model::Message;
use http::{Client, words};
use serde_json::{Value, json};

/// An OpenAI-compatible endpoint.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    client: Client,
}

impl Endpoint {
    /// Reads the key, asks nothing yet.
    ///
    /// # Errors
    ///
    /// Where a setting is out of range, or the variable that should hold the key does not.
    pub fn new(config: EndpointConfig) -> Result<Self, Error> {
        config.validate()?;
        let client = Client::new(&config)?;
        Ok(Self { config, client })
    }

    /// The model's name, as the endpoint calls it.
    pub fn model(&self) -> &str {
        &self.config.model
    }

    /// The answer to a conversation.
    ///
    /// # Errors
    ///
    /// Where the endpoint gives none.
    pub fn chat(
        &self,
        messages: &[Message],
        max_tokens: usize,
        temperature: f64,
    ) -> Result<String, Error> {
        let body = json!({
            "model": self.config.model,
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
        });
        self.text(Route::Chat, &body)
    }

    fn complete(&self, request: &Completion, sample: usize) -> Result<String, Error> {
        let mut body = json!({
            "model": self.config.model,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
        });
        match self.config.route {
            Route::Chat => body["messages"] = json!([Message::new("user", &request.prompt)]),
            Route::Completions => body["prompt"] = json!(request.prompt),
        }
        // Endpoints take four stops; all of them are looked for again in what comes back.
        let stops = &request.stop[..request.stop.len().min(4)];
        if !stops.is_empty() {
            body["stop"] = json!(stops);
        }
        if request.temperature > 0.0 {
            body["top_p"] = json!(request.top_p);
            body["seed"] = json!(request.seed.wrapping_add(sample as u64) >> 1);
        }
        let text = self.text(self.config.route, &body)?;
        Ok(until(text, &request.stop))
    }

    fn text(&self, route: Route, body: &Value) -> Result<String, Error> {
        let path = match route {
            Route::Chat => "chat/completions",
            Route::Completions => "completions",
        };
        let answer = self.client.post(path, body)?;
        let choice = &answer["choices"][0];
        let text = match route {
            // A refusal or a call of a tool comes without content: nothing was said.
            Route::Chat if choice["message"]["content"].is_null() => {
                choice["message"].is_object().then_some("")
            }
            Route::Chat => choice["message"]["content"].as_str(),
            Route::Completions => choice["text"].as_str(),
        };
        // Some say in a body of status 200 that they could not.
        text.map(str::to_string).ok_or_else(|| {
            self.client
                .failed(&format!("the answer has no text: {}", words(&answer)))
        })
    }
}

impl Subject<Completion> for Endpoint {
    /// One request after the other. Draws are seeded, as far as the endpoint minds.
    fn answer(&self, requests: &[Completion]) -> Result<Vec<Texts>, Error> {
        let mut answers = Vec::new();
        for request in requests {
            let greedy = request.temperature == 0.0;
            let count = if greedy { 1 } else { request.samples };
            let texts: Result<Vec<String>, Error> =
                (0..count).map(|i| self.complete(request, i)).collect();
            let mut texts = texts?;
            if greedy {
                texts = vec![texts.remove(0); request.samples];
            }
            let truncated = false;
            answers.push(Texts { texts, truncated });
        }
        Ok(answers)
    }
}
