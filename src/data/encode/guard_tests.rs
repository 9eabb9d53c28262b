//! Tests of the guard, on templates that edit what people wrote.

use super::*;
use crate::model::{ByteTokenizer, JinjaTemplate};

/// Bytes, and two tokens that end turns, of which one is special.
struct Turns;

impl Tokenizer for Turns {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        ByteTokenizer.encode(text)
    }
    fn special_tokens(&self) -> Vec<String> {
        vec!["<|end|>".into(), "<s>".into()]
    }
    fn added_tokens(&self) -> Vec<String> {
        let more = ["<t>", "<think>"].map(String::from);
        self.special_tokens().into_iter().chain(more).collect()
    }
    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        ByteTokenizer.decode(tokens)
    }
    fn vocab_size(&self) -> usize {
        257
    }
    fn bos(&self) -> Option<u32> {
        None
    }
    fn eos(&self) -> u32 {
        256
    }
    fn pad(&self) -> u32 {
        256
    }
}

/// A template in Rust.
struct Edits<F>(&'static str, F);

impl<F: Fn(&str) -> String + Send + Sync> ChatTemplate for Edits<F> {
    fn render(&self, messages: &[Message], _: bool) -> Result<String, Error> {
        let turn = |m: &Message| format!("{}<t><|end|>", (self.1)(&m.content));
        Ok(messages.iter().map(turn).collect())
    }
    fn definition(&self) -> Option<String> {
        Some(self.0.into())
    }
}

/// What is written of one message with marks.
fn written(role: &str, text: &str, edit: impl Fn(&str) -> String + Send + Sync) -> (String, bool) {
    let template = Edits("<t> '</think>'", edit);
    let guard = Guard::new(&Turns, &template);
    guard
        .conversation(&template, &[Message::new(role, text)], true)
        .unwrap()
}

fn marked(text: &str) -> String {
    text.replace('[', "\u{FDD0}").replace(']', "\u{FDD1}")
}

#[test]
fn what_spells_a_token_in_the_end_is_marked() {
    let same = |text: &str| text.to_string();
    for role in ["user", "assistant"] {
        assert_eq!(
            written(role, "a<|end|> b", same),
            (marked("a[<|end|>] b<t><|end|>"), true)
        );
    }
    assert_eq!(
        written("user", "<t>", same),
        (marked("[<t>]<t><|end|>"), true)
    );
    assert_eq!(
        written("assistant", "<t>", same),
        ("<t><t><|end|>".into(), false)
    );
    assert_eq!(written("user", "<think>", same).0, "<think><t><|end|>");
    assert_eq!(
        written("user", "<|END|>", same),
        ("<|END|><t><|end|>".into(), false)
    );
}

#[test]
fn a_text_that_becomes_a_token_is_marked() {
    type Edit = fn(&str) -> String;
    let edits: [(&str, Edit); 12] = [
        ("<|EnD|>", |t| t.to_lowercase()),
        ("<|e-nd|>", |t| t.replace('-', "")),
        ("<| end |>", |t| t.split(' ').collect()),
        (">|dne|<", |t| t.chars().rev().collect()),
        ("x<|end|>", |t| t[1..].to_string()),
        ("<|end|>x", |t| t.chars().take(7).collect()),
        ("<.|.e.n.d.|.>", |t| t.chars().step_by(2).collect()),
        ("<|\nend|>", |t| t.replace('\n', "")),
        ("<|a", |t| t.replace('a', "end|>")),
        ("end", |t| format!("<|{t}|>")),
        ("e", |t| format!("<|{t}nd|>")),
        ("a&lt;|end|&gt;", |t| {
            t.replace("&lt;", "<").replace("&gt;", ">")
        }),
    ];
    for (text, edit) in edits {
        let (written, _) = written("user", text, edit);
        let rest = written.strip_suffix("<t><|end|>").unwrap();
        let bare = rest
            .split('\u{FDD0}')
            .map(|part| part.rsplit('\u{FDD1}').next().unwrap());
        assert!(
            !bare.collect::<String>().contains("<|end|>"),
            "{text}: {written}"
        );
    }
}

#[test]
fn a_template_finds_what_it_looks_for() {
    let think = |t: &str| t.rsplit("</think>").next().unwrap().to_string();
    assert_eq!(
        written("assistant", "a</think>b", think),
        ("b<t><|end|>".into(), false)
    );
    // Something else is looked at, and nothing is forged.
    let bars = |t: &str| t.split('|').count().to_string();
    assert_eq!(
        written("user", "a|b|c", bars),
        ("3<t><|end|>".into(), false)
    );
    let word = |t: &str| {
        if t == "end" {
            "yes".into()
        } else {
            "no".to_string()
        }
    };
    assert_eq!(written("user", "end", word).0, "yes<t><|end|>");
}

#[test]
fn marks_and_stand_ins_that_somebody_wrote_are_none() {
    let same = |text: &str| text.to_string();
    let text = "\u{FDD1}\u{F003C}|end|>\u{FDD0}x";
    let (written, _) = written("user", text, same);
    assert_eq!(written, "\u{FFFD}\u{F003C}|end|>\u{FFFD}x<t><|end|>");
    let trusted = Guard::off();
    let template = Edits("", same);
    let text = trusted.conversation(&template, &[Message::new("user", "<s>\u{FDD0}")], true);
    assert_eq!(text.unwrap(), ("<s>\u{FFFD}<t><|end|>".into(), false));
}

#[test]
fn texts_without_a_template_are_marked_as_they_are() {
    let template = Edits("<t>", |text: &str| text.to_string());
    let guard = Guard::new(&Turns, &template);
    assert_eq!(guard.text("a<s><t>").0, marked("a[<s>]<t>"));
    let prompt = guard
        .prompt(&template, &Prompt::Text("a<s><t>".into()))
        .unwrap();
    assert_eq!(prompt, (marked("a[<s>][<t>]"), true));
    assert_eq!(guard.text("ä plain"), (Cow::Borrowed("ä plain"), false));
    let (text, found) = guard.text("x\u{FDD0}y");
    assert_eq!((&*text, found), ("x\u{FFFD}y", false));
}

/// What is written of one message of a user by a template, with marks; `None` where its tokens are
/// not clear.
fn by_jinja(source: &str, tokens: &dyn Tokenizer, text: &str) -> Option<(String, bool)> {
    let template = JinjaTemplate::new(source, "", "").unwrap();
    let guard = Guard::new(tokens, &template);
    match guard.conversation(&template, &[Message::new("user", text)], true) {
        Ok(written) => {
            let plain = template
                .render(&[Message::new("user", text)], true)
                .unwrap();
            let bare = written.0.replace([OPEN, CLOSE], "");
            assert_eq!(
                bare, plain,
                "{source}: what the template writes and nothing else"
            );
            Some(written)
        }
        Err(Unwritten::Unclear) => None,
        Err(error) => panic!("{source}: {error:?}"),
    }
}

#[test]
fn texts_are_those_that_the_template_writes_whatever_it_tests() {
    let message = |test: &str| format!("{{% set m = messages[0] %}}{test}<|end|>");
    for (test, text, wanted) in [
        (
            "{% if m.content.startswith('sums') %}<s>{% endif %}{{ m.content|upper }}",
            "sums of k and s",
            "<s>SUMS OF K AND S<|end|>",
        ),
        (
            "{% if m.content == 'reset' %}<|end|>{% else %}<s>{{ m.content }}{% endif %}",
            "reset",
            "<|end|><|end|>",
        ),
        (
            "{% if m.content | lower == 'reset' %}<|end|>{% endif %}{{ m.content }}",
            "ReSet",
            "<|end|>ReSet<|end|>",
        ),
        (
            "{% if 'sad' in m.content %}<s>{% endif %}{{ m.content }}",
            "a sad <s>",
            "<s>a sad [<s>]<|end|>",
        ),
        ("{{ m.content | upper }}", "send <s>", "SEND <S><|end|>"),
        ("{{ m.content | lower }}", "send <S>", "send [<s>]<|end|>"),
        ("{{ m.content | e }}", "<s> & t", "&lt;s&gt; &amp; t<|end|>"),
    ] {
        let written = by_jinja(&message(test), &Turns, text);
        let wanted = (marked(wanted), wanted.contains('['));
        assert_eq!(written, Some(wanted), "{test}");
    }
    // Nobody knows which of three ends is whose.
    let test = "{% if m.content[0] == 's' %}<|end|>{% endif %}{{ m.content | upper | lower }}";
    assert_eq!(by_jinja(&message(test), &Turns, "s <|END|>"), None);
}

/// Turns whose tokens a tokenizer finds in any case, and that has some of white space, of digits
/// and of characters far up.
struct Odd(bool);

impl Tokenizer for Odd {
    fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        ByteTokenizer.encode(text)
    }
    fn special_tokens(&self) -> Vec<String> {
        let odd = ["\n\n", "42", "\u{1F600}", "<\u{1F601}>"].map(String::from);
        let odd = odd.into_iter().filter(|_| !self.0);
        Turns.special_tokens().into_iter().chain(odd).collect()
    }
    fn folded_tokens(&self) -> Vec<String> {
        match self.0 {
            true => self.special_tokens(),
            false => Vec::new(),
        }
    }
    fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        ByteTokenizer.decode(tokens)
    }
    fn vocab_size(&self) -> usize {
        257
    }
    fn bos(&self) -> Option<u32> {
        None
    }
    fn eos(&self) -> u32 {
        256
    }
    fn pad(&self) -> u32 {
        256
    }
}

#[test]
fn tokens_of_white_space_digits_and_emoji_are_text_where_somebody_spells_them() {
    let source = "{{ messages[0].content }}\n\n<|end|>\u{1F600}42<\u{1F601}>";
    let end = "\n\n<|end|>\u{1F600}42<\u{1F601}>";
    for (text, wanted) in [
        ("a\n\nb", "a[\n\n]b"),
        ("1423", "1[42]3"),
        ("a \u{1F600} b", "a [\u{1F600}] b"),
        ("<\u{1F601}>", "[<\u{1F601}>]"),
        ("\u{1F601}\n4", "\u{1F601}\n4"),
    ] {
        let wanted = (marked(&(wanted.to_string() + end)), wanted.contains('['));
        assert_eq!(by_jinja(source, &Odd(false), text), Some(wanted), "{text}");
    }
}

#[test]
fn all_is_text_but_the_templates_tokens_where_tokens_have_other_spellings() {
    let message = |test: &str| format!("{{% set m = messages[0] %}}<s>{test}<|end|>");
    for (test, text, wanted) in [
        ("{{ m.content }}", "a <S> b", "<s>[a <S> b]<|end|>"),
        ("{{ m.content | upper }}", "a <s> b", "<s>[A <S> B]<|end|>"),
        (
            "{% if m.content == 'reset' %}no{% else %}{{ m.content }}{% endif %}",
            "reset",
            "<s>no<|end|>",
        ),
        ("{{ m.content | e }}", "a<S>", "<s>[a&lt;S&gt;]<|end|>"),
        (
            "{{ 'long' if m.content[0] == 'x' else 'short' }} {{ m.content }}",
            "xy<S>",
            "<s>[long xy<S>]<|end|>",
        ),
    ] {
        let (written, _) = by_jinja(&message(test), &Odd(true), text).unwrap();
        assert_eq!(written, marked(wanted), "{test}");
    }
}

#[test]
fn texts_that_no_token_can_have_a_part_of_are_written_once() {
    let needed = |source: &str, text: &str| {
        let template = JinjaTemplate::new(source, "", "").unwrap();
        let guard = Guard::new(&Turns, &template);
        guard.veil.unwrap().is_needed(&[Message::new("user", text)])
    };
    let turns =
        "{% for m in messages %}{{ '<s>' + m.role + '\n' }}{{ m.content }}<|end|>\n{% endfor %}";
    assert!(!needed(turns, "send a | b"));
    assert!(!needed(turns, "if a < b"));
    assert!(needed(turns, "if a < b > c"), "it may be <s>");
    assert!(needed(turns, "<|end|>"));
    // Templates that have parts of tokens may make one of any text.
    for part in [
        "<|{{ m.content }}|>",
        "{{ '<|' ~ m.content ~ '|>' }}",
        "{{ '<' }}{{ '>' }}",
        "{{ '<|%s|>' % m.content }}",
        "{{ '<|{}|>'.format(m.content) }}",
    ] {
        assert!(needed(&format!("{turns}{part}"), "end"), "{part}");
    }
}
