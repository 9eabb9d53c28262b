//! What an answer says: the rules of papers and harnesses, by name.
//!
//! Each rule is what its source does, its oddities included, because scores are compared with those
//! of the source.

use fancy_regex::Regex;
use std::sync::LazyLock;

/// A pattern that is fixed in this file; that it compiles is tested.
struct Pattern(LazyLock<Option<Regex>>);

impl Pattern {
    const fn new(make: fn() -> Option<Regex>) -> Self {
        Self(LazyLock::new(make))
    }

    /// What every match holds in its first group that took part, else the whole match.
    fn all(&self, text: &str) -> Vec<String> {
        let Some(regex) = &*self.0 else {
            return Vec::new();
        };
        let matches = regex.captures_iter(text).flatten();
        matches
            .map(|captures| {
                let groups = (1..captures.len()).filter_map(|i| captures.get(i));
                let first = groups.map(|m| m.as_str()).find(|text| !text.is_empty());
                let whole = if captures.len() > 1 { "" } else { &captures[0] };
                first.unwrap_or(whole).trim().to_string()
            })
            .collect()
    }
}

macro_rules! pattern {
    ($name:ident, $pattern:literal) => {
        static $name: Pattern = Pattern::new(|| Regex::new($pattern).ok());
    };
}

pattern!(HASHES, r"#### (\-?[0-9\.\,]+)");
pattern!(ANSWER_IS, r"The answer is (\-?[0-9\.\,]+).");
pattern!(NUMBERS, r"(-?[$0-9.,]{2,})|(-?[0-9]+)");
pattern!(BBH, r"(?<=the answer is )(.*)(?=.)");
pattern!(RESPONSE, r"(?i)response (.).*");

/// GSM8K as published: the number after the first `#### `, commas kept.
pub fn gsm8k_hashes(text: &str) -> Option<String> {
    HASHES.all(text).into_iter().next()
}

/// GSM8K with a chain of thought, the harness's strict rule: the number of the first
/// `The answer is 18.`. One more character of the line has to follow: where a text ends with
/// `The answer is 18`, the rule reads 1.
pub fn gsm8k_answer_is(text: &str) -> Option<String> {
    ANSWER_IS.all(text).into_iter().next()
}

/// The harness's flexible rule: the last thing that looks like a number, `$`, points and commas
/// included.
pub fn last_number(text: &str) -> Option<String> {
    NUMBERS.all(text).into_iter().next_back()
}

/// What the harness compares of a number: without commas, dollars, all up to the last `#### `, and
/// a final point; in lower case.
///
/// ```
/// # use burn_kto::eval::extract::normalized_number;
/// assert_eq!(normalized_number("$1,234."), "1234");
/// assert_eq!(normalized_number("so 3\n#### 70,000"), "70000");
/// ```
pub fn normalized_number(text: &str) -> String {
    let text = text.replace([',', '$'], "");
    let text = text.rsplit("#### ").next().unwrap_or_default();
    // `$` of the source's pattern also stands before a final line break.
    let (body, end) = match text.strip_suffix('\n') {
        Some(body) => (body, "\n"),
        None => (text, ""),
    };
    let body = body.strip_suffix('.').unwrap_or(body);
    format!("{body}{end}").to_lowercase()
}

/// BBH, the harness's filter: what follows the first `the answer is ` on its line, without its last
/// character whatever that is. A line that ends without a point loses a letter:
/// `the answer is False` reads `Fals`.
pub fn bbh_harness(text: &str) -> Option<String> {
    BBH.all(text).into_iter().next()
}

/// BBH, the paper's rule: what follows the last `the answer is ` up to the end of its line, without
/// one final point.
///
/// ```
/// # use burn_kto::eval::extract::{bbh_harness, bbh_paper};
/// let text = "the answer is (A). Wait, so the answer is (B)";
/// assert_eq!(bbh_paper(text).as_deref(), Some("(B)"));
/// assert_eq!(bbh_harness(text).as_deref(), Some("(A). Wait, so the answer is (B"));
/// ```
pub fn bbh_paper(text: &str) -> Option<String> {
    let (_, after) = text.rsplit_once("the answer is ")?;
    let line = after.split('\n').next().unwrap_or_default().trim();
    Some(
        line.strip_suffix('.')
            .unwrap_or(line)
            .trim_end()
            .to_string(),
    )
}

/// For answers in words: lower case, without ASCII punctuation and space around.
pub fn plain_words(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_ascii_punctuation());
    kept.collect::<String>().trim().to_lowercase()
}

/// The KTO paper's judge: the character after the first `response `, in any case of letters.
pub fn response_label(text: &str) -> Option<char> {
    RESPONSE.all(text).into_iter().next()?.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for pattern in [&HASHES, &ANSWER_IS, &NUMBERS, &BBH, &RESPONSE] {
            assert!(pattern.0.is_some());
        }
    }

    /// Expected values are what Python's `re` gives for the sources' patterns.
    #[test]
    fn numbers() {
        let gold = "16 - 3 = <<16-3=13>>13\n#### 1,018";
        assert_eq!(gsm8k_hashes(gold).as_deref(), Some("1,018"));
        assert_eq!(gsm8k_hashes("#### -5\n#### 6").as_deref(), Some("-5"));
        assert_eq!(gsm8k_hashes("#### $5"), None);
        assert_eq!(gsm8k_answer_is("The answer is 18.").as_deref(), Some("18"));
        assert_eq!(gsm8k_answer_is("The answer is 18").as_deref(), Some("1"));
        assert_eq!(gsm8k_answer_is("The answer is $18.\n"), None);
        assert_eq!(
            gsm8k_answer_is("The answer is 18.5.\n").as_deref(),
            Some("18.5")
        );
        assert_eq!(
            last_number("she has 5 + $1,200.").as_deref(),
            Some("$1,200.")
        );
        assert_eq!(last_number("5 eggs").as_deref(), Some("5"));
        assert_eq!(last_number("none... at all").as_deref(), Some("..."));
        assert_eq!(last_number("none"), None);
        assert_eq!(normalized_number("1.0."), "1.0");
        assert_eq!(normalized_number(".\n"), "\n");
    }

    #[test]
    fn phrases() {
        assert_eq!(
            bbh_harness("So the answer is False.").as_deref(),
            Some("False")
        );
        assert_eq!(bbh_harness("the answer is False").as_deref(), Some("Fals"));
        assert_eq!(bbh_harness("the answer is "), None);
        assert_eq!(bbh_harness("The answer is no"), None);
        assert_eq!(
            bbh_paper("the answer is } ] >.\n\nQ:").as_deref(),
            Some("} ] >")
        );
        assert_eq!(bbh_paper("no such phrase"), None);
        assert_eq!(plain_words(" (B)."), "b");
        assert_eq!(response_label("I pick Response 2 because"), Some('2'));
        assert_eq!(response_label("RESPONSE: 1"), None);
        assert_eq!(response_label("the response is 1"), Some('i'));
    }
}
