//! Which program this is.

use burn::store::SafetensorsStore;
use burn_kto::prelude::DeviceChoice;
use std::sync::LazyLock;

/// The crate, the burn it was built with, and the backends in it, a line each.
pub(crate) static LONG: LazyLock<String> = LazyLock::new(|| {
    // What burn writes into the weights that it saves; its crates have one version.
    let burn = SafetensorsStore::default_metadata().remove("version");
    let backends = DeviceChoice::compiled();
    let backends: Vec<String> = backends.iter().map(ToString::to_string).collect();
    format!(
        "{}\nburn {}\nbackends: {}",
        env!("CARGO_PKG_VERSION"),
        burn.as_deref().unwrap_or("of an unknown version"),
        match backends.is_empty() {
            true => "none".into(),
            false => backends.join(", "),
        }
    )
});
