//! Flags that were given, as settings.

use burn_kto::align::Layers;

/// Puts a text, if it was given.
pub(crate) fn text(layers: &mut Layers, flag: &str, name: &str, value: &Option<String>) {
    if let Some(value) = value {
        layers.put(flag, name, value.as_str());
    }
}

/// Puts what was given of values of a kind, each under its flag and its name.
pub(crate) fn put<T: Copy + Into<toml::Value>>(
    layers: &mut Layers,
    flags: &[(&str, &str, Option<T>)],
) {
    for (flag, name, value) in flags {
        if let Some(value) = value {
            layers.put(flag, name, *value);
        }
    }
}
