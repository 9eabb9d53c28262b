//! Requests that are repeated, spaced out, and never show the key.

use super::config::EndpointConfig;
use crate::error::Error;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};
use ureq::Agent;

/// Longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const ANSWER: u64 = 16 << 20;

pub(super) struct Client {
    agent: Agent,
    url: String,
    key: Option<String>,
    retries: usize,
    backoff: Duration,
    /// Between the beginnings of two requests.
    spacing: Duration,
    next: Mutex<Instant>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key.as_ref().map(|_| "…");
        f.debug_struct("Client")
            .field("url", &self.url)
            .field("key", &key)
            .finish_non_exhaustive()
    }
}

/// What a try came to.
enum Try {
    Answered(Value),
    /// Not to be repeated.
    Refused(String),
    /// To be repeated, not before so long.
    Failed(String, Option<Duration>),
}

impl Client {
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, Error> {
        let key = match &config.key_variable {
            None => None,
            Some(name) => match std::env::var(name) {
                Ok(key) if !key.trim().is_empty() => Some(key.trim().to_string()),
                _ => {
                    return Err(Error::Config {
                        field: "key_variable",
                        reason: "must name an environment variable that holds the key",
                        value: format!("{name}, which is not set"),
                    });
                }
            },
        };
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs_f64(config.timeout)))
            .http_status_as_error(false)
            .build();
        let spacing = match config.per_minute {
            0 => Duration::ZERO,
            n => Duration::from_secs(60) / u32::try_from(n).unwrap_or(u32::MAX),
        };
        Ok(Self {
            agent: agent.into(),
            url: config.url.trim_end_matches('/').to_string(),
            key,
            retries: config.retries,
            backoff: Duration::from_secs_f64(config.backoff),
            spacing,
            next: Mutex::new(Instant::now()),
        })
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), path);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut backoff = self.backoff.min(LONGEST);
        for left in (0..=self.retries).rev() {
            self.wait_for_turn();
            match self.send(path, body) {
                Try::Answered(answer) => return Ok(answer),
                Try::Refused(message) => return Err(self.failed(&message)),
                Try::Failed(message, _) if left == 0 => {
                    let tries = self.retries + 1;
                    return Err(self.failed(&format!("{message}; given up after {tries} tries")));
                }
                Try::Failed(_, wanted) => {
                    // Half of it at random, so that many clients do not come back together.
                    let own = backoff.mul_f64(0.5 + 0.5 * rng.random::<f64>());
                    sleep(wanted.unwrap_or_default().max(own).min(LONGEST));
                    backoff = (backoff * 2).min(LONGEST);
                }
            }
        }
        Err(self.failed("no try was made"))
    }

    fn wait_for_turn(&self) {
        let wait = {
            // A poisoned lock holds a time all the same.
            let mut next = self.next.lock().unwrap_or_else(|lock| lock.into_inner());
            let now = Instant::now();
            let start = (*next).max(now);
            *next = start + self.spacing;
            start - now
        };
        sleep(wait);
    }

    fn send(&self, path: &str, body: &Value) -> Try {
        let mut request = self
            .agent
            .post(format!("{}/{path}", self.url))
            .header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = match request.send(body.to_string()) {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                return Try::Refused(error.to_string());
            }
            Err(error) => return Try::Failed(error.to_string(), None),
        };
        let status = response.status().as_u16();
        let wanted = response.headers().get("retry-after");
        let wanted = wanted.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let wanted = wanted.map(Duration::from_secs);
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER)
            .read_to_string();
        let text = match text {
            Ok(text) => text,
            Err(error) => return Try::Failed(format!("the answer broke off: {error}"), wanted),
        };
        match status {
            200..=299 => match serde_json::from_str(&text) {
                Ok(value) => Try::Answered(value),
                Err(error) => Try::Failed(format!("the answer is not JSON: {error}"), wanted),
            },
            408 | 429 | 500..=599 => Try::Failed(said(status, &text), wanted),
            _ => Try::Refused(said(status, &text)),
        }
    }

    /// An error of this endpoint; should a server repeat the key in its message, it is taken out.
    pub(super) fn failed(&self, message: &str) -> Error {
        let message = match &self.key {
            Some(key) => message.replace(key.as_str(), "…"),
            None => message.to_string(),
        };
        Error::Endpoint {
            url: self.url.clone(),
            message,
        }
    }
}

/// Status and the server's own words.
fn said(status: u16, text: &str) -> String {
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    format!("status {status}: {}", words(&value))
}

/// What a server says is wrong, or all of its answer; on one line and not too much.
pub(super) fn words(answer: &Value) -> String {
    let said = [&answer["error"]["message"], &answer["error"], answer];
    let said = said.iter().find_map(|value| value.as_str());
    let said = said.map_or_else(|| answer.to_string(), str::to_string);
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    said.chars().take(300).collect()
}
