//! Where an endpoint is, and how it is asked.

use crate::error::Error;
use burn::config::Config;

/// Which route of the endpoint.
#[derive(Config, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `chat/completions`: every prompt is a user's message.
    Chat,
    /// `completions`: prompts are continued as they stand.
    Completions,
}

/// Where, who, and how patiently.
#[derive(Config, Debug)]
pub struct EndpointConfig {
    /// Up to the version: `https://host/v1`.
    pub url: String,
    /// The model's name, as the endpoint has it.
    pub model: String,
    /// Environment variable that holds the key; without, none is sent. The key itself is nowhere in
    /// a configuration, a record or a message.
    #[config(default = "None")]
    pub key_variable: Option<String>,
    /// Which route.
    #[config(default = "Route::Chat")]
    pub route: Route,
    /// Seconds that one request may take.
    #[config(default = 120.0)]
    pub timeout: f64,
    /// How often a request is repeated that found nobody, took too long, came too fast (429) or met
    /// a fault of the server (5xx, 408).
    #[config(default = 6)]
    pub retries: usize,
    /// Seconds before the first repetition; doubled each time, up to a minute, a part of it at
    /// random. A `Retry-After` that is longer counts, up to the same minute.
    #[config(default = 1.0)]
    pub backoff: f64,
    /// At most so many requests a minute; 0 for as many as it takes.
    #[config(default = 0)]
    pub per_minute: usize,
}

impl EndpointConfig {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), Error> {
        let http = self.url.starts_with("http://") || self.url.starts_with("https://");
        Error::check(
            http,
            "url",
            "must begin with http:// or https://",
            &self.url,
        )?;
        Error::check(
            !self.model.is_empty(),
            "model",
            "must name a model",
            "an empty name",
        )?;
        let ok = self.timeout > 0.0 && self.timeout <= 86_400.0;
        Error::check(ok, "timeout", "must be in (0, 86400] seconds", self.timeout)?;
        let ok = (0.0..=3600.0).contains(&self.backoff);
        Error::check(ok, "backoff", "must be in [0, 3600] seconds", self.backoff)
    }
}
