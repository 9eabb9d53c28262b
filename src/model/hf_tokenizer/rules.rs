//! How much a tokenizer's rules can make of a text, known from its `tokenizer.json` before the
//! library runs one of them.

use serde_json::Value;

/// How many times longer a text may become. A space becomes three bytes in most tokenizers of
/// sentencepiece, a byte two in those of GPT-2.
const GROWTH: f64 = 64.0;
/// Rules of a tokenizer; those that are known have ten.
const RULES: usize = 256;
/// Bytes of what is put before or after words and texts.
const AFFIX: usize = 64;
/// Characters of a token; the longest that is known is 256 spaces.
const TOKEN: usize = 1000;
/// Characters of a word that is looked up piece by piece, which takes their square.
const WORD: u64 = 256;

/// Refuses a tokenizer that makes texts many times as long, or words take for ever.
pub(super) fn check(tokenizer: &Value) -> Result<(), String> {
    let mut count = 0;
    for part in ["normalizer", "pre_tokenizer", "decoder"] {
        let growth =
            growth(&tokenizer[part], &mut count).map_err(|why| format!("its {part} {why}"))?;
        if growth > GROWTH {
            return Err(format!(
                "its {part} can make a text {growth:.0} times as long, must be at most {GROWTH}"
            ));
        }
    }
    if count > RULES {
        return Err(format!("it has {count} rules, must be at most {RULES}"));
    }
    let added = tokens_around(&tokenizer["post_processor"]);
    if added > AFFIX {
        let message = format!("its post_processor puts {added} tokens around a text");
        return Err(format!("{message}, must be at most {AFFIX}"));
    }
    model(&tokenizer["model"])?;
    let added = tokenizer["added_tokens"].as_array().into_iter().flatten();
    added
        .filter_map(|token| token["content"].as_str())
        .try_for_each(token)
}

/// How many times as long a text can become, and how many rules there are.
fn growth(rule: &Value, count: &mut usize) -> Result<f64, String> {
    *count += usize::from(rule.is_object());
    let text = |key: &str| rule[key].as_str().unwrap_or_default();
    for key in ["normalizers", "pretokenizers", "decoders"] {
        if let Some(rules) = rule[key].as_array() {
            let all = rules.iter().map(|rule| growth(rule, count));
            return all.product();
        }
    }
    for key in ["prepend", "prefix", "suffix"] {
        let length = text(key).len();
        if length > AFFIX {
            return Err(format!(
                "puts {length} bytes to each text, must be at most {AFFIX}"
            ));
        }
    }
    if let Some(map) = rule["precompiled_charsmap"].as_str() {
        charsmap(map)?;
    }
    if rule.get("pattern").is_some() && rule.get("content").is_some() {
        let content = text("content").len() as f64;
        // A match of a regular expression can be a byte, or nothing.
        return Ok(match rule["pattern"]["String"].as_str() {
            Some(pattern) if !pattern.is_empty() => (content / pattern.len() as f64).max(1.0),
            _ => content + 1.0,
        });
    }
    Ok(match text("type") {
        "ByteLevel" => 2.0,
        "Metaspace" => 4.0,
        _ => 1.0,
    })
}

/// A table of sentencepiece's normalization in base 64: the length of an index, the index, and
/// texts with a zero behind each.
fn charsmap(map: &str) -> Result<(), String> {
    let bytes = base64(map).ok_or("has a precompiled_charsmap that is not base 64")?;
    let size = bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let texts = size.and_then(|size| bytes.get(4..)?.get(size as usize..));
    let (Some(size), Some(texts)) = (size, texts) else {
        return Err("has a precompiled_charsmap that is cut off".into());
    };
    if size < 4 || std::str::from_utf8(texts).is_err() {
        return Err("has a precompiled_charsmap that is damaged".into());
    }
    let longest = texts.split(|byte| *byte == 0).map(<[u8]>::len).max();
    match longest {
        Some(longest) if longest > AFFIX => Err(format!(
            "has a precompiled_charsmap that makes {longest} bytes of a character, must be at most {AFFIX}"
        )),
        _ => Ok(()),
    }
}

/// With padding, as the library reads it.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, held) = (bits << 6 | u32::from(digit), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

/// How many tokens a template puts around a text.
fn tokens_around(processor: &Value) -> usize {
    let all = processor["processors"].as_array().into_iter().flatten();
    let inside: usize = all.map(tokens_around).sum();
    let pieces = ["single", "pair"].map(|key| processor[key].as_array().into_iter().flatten());
    let pieces = pieces.into_iter().flatten();
    let tokens = pieces.filter_map(|piece| piece["SpecialToken"]["id"].as_str());
    let ids = tokens.map(|name| &processor["special_tokens"][name]["ids"]);
    inside
        + ids
            .map(|ids| ids.as_array().map_or(0, Vec::len))
            .sum::<usize>()
}

fn model(model: &Value) -> Result<(), String> {
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        let length = model[key].as_str().unwrap_or_default().len();
        if length > AFFIX {
            return Err(format!(
                "its {key} has {length} bytes, must be at most {AFFIX}"
            ));
        }
    }
    let word = model["max_input_chars_per_word"]
        .as_u64()
        .unwrap_or_default();
    if word > WORD {
        let message = format!("its max_input_chars_per_word is {word}, must be at most {WORD}");
        return Err(message);
    }
    match &model["vocab"] {
        Value::Object(tokens) => tokens.keys().try_for_each(|text| token(text)),
        Value::Array(pieces) => {
            let texts = pieces.iter().filter_map(|piece| piece[0].as_str());
            texts.into_iter().try_for_each(token)
        }
        _ => Ok(()),
    }
}

fn token(text: &str) -> Result<(), String> {
    if text.len() <= TOKEN {
        return Ok(());
    }
    let length = text.chars().count();
    match length <= TOKEN {
        true => Ok(()),
        false => Err(format!(
            "it has a token of {length} characters, must be at most {TOKEN}"
        )),
    }
}
