//! Weights that a quantiser has packed, and how they become floats again.

use serde_json::{Map, Value};

/// Keys of `config.json` that speak of quantised weights.
pub(super) const KEYS: [&str; 3] = ["quantization_config", "compression_config", "quantization"];

/// Endings of tensors' names, and whose they are.
const MARKS: [(&str, &str); 13] = [
    (".absmax", "bitsandbytes"),
    (".nested_absmax", "bitsandbytes"),
    (".quant_map", "bitsandbytes"),
    (".SCB", "bitsandbytes"),
    (".g_idx", "gptq"),
    (".qweight", "gptq or awq"),
    (".qzeros", "gptq or awq"),
    (".weight_packed", "compressed-tensors"),
    (".weight_scale_inv", "fp8"),
    (".weight_scale", "fp8 or compressed-tensors"),
    (".input_scale", "fp8 or compressed-tensors"),
    (".biases", "mlx"),
    (".scales", "mlx"),
];

/// Says that weights are quantised, by whom, and what helps; `None` where they are floats, whatever
/// `settings`, those of the configuration, say. `tensors` are names and types.
pub(super) fn message<'a>(
    settings: &Map<String, Value>,
    tensors: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    let (mut mark, mut packed) = (None, None);
    for (name, dtype) in tensors {
        let found = MARKS.iter().find(|(mark, _)| name.ends_with(mark));
        mark = mark.or(found.map(|(_, method)| *method));
        // Whole numbers, and floats of a byte or less.
        let small = ["U", "I", "F8_", "F6_", "F4"];
        let small = small.iter().any(|start| dtype.starts_with(start));
        packed = packed.or(small.then_some((name, dtype)));
    }
    if mark.is_none() && packed.is_none() {
        return None;
    }
    let said = KEYS.iter().find_map(|key| {
        let settings = settings.get(*key)?.as_object()?;
        let method = settings.get("quant_method");
        Some(method.and_then(|method| method.as_str()).unwrap_or("mlx"))
    });
    let float = packed.filter(|(_, dtype)| dtype.starts_with('F'));
    // A type that nobody answers for is damage.
    let method = said.or(mark).or(float.map(|_| "fp8"))?;
    let example = packed.map_or_else(String::new, |(name, dtype)| format!(" ({name} is {dtype})"));
    Some(format!(
        "the weights are quantised ({method}){example}: take the model that they were made of, or \
         load them in transformers and write them with dequantize() and save_pretrained()"
    ))
}
