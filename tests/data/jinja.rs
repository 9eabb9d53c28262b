//! Templates and expressions against what jinja2 3.1.6 made of them once (`tests/jinja/record.py`),
//! and templates as folders have them.

use burn_kto::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What jinja2 renders and this crate refuses, by why.
#[rustfmt::skip]
const REFUSED: [(&str, &[&str]); 8] = [
    ("words of the language as names, and a raw block that does not end", &[
        "{% set loop = 1 %}{{ loop }}",
        "{{ if }}",
        "{% raw %}",
    ]),
    ("filters, methods and functions that no chat template was seen to use", &[
        "{{ 'hello world foo bar' | wordwrap(10) }}",
        "{{ 'hello world' | wordwrap(3) }}",
        "{{ 'hello world' | wordwrap(3, false) }}",
        "{{ 'a-b-c-d-e' | wordwrap(3) }}",
        "{{ '<b>x</b>  y <!-- c --> &lt;z&gt;' | striptags }}",
        "{{ {'a': 1, 'b': none} | xmlattr }}",
        "{{ 'abc'.encode() }}",
        "{{ 'abc'.encode('utf-8').decode('utf-8') }}",
        "{{ 'abc'.translate({97: 'x'}) }}",
        "{{ 'abc'.maketrans('a', 'b') }}",
        "{{ 'HELLO ß'.casefold() }}",
        "{{ cycler('a', 'b').next() }}",
        "{{ true | round }}",
        "{{ [[1,2],[3]]|sum(start=[]) }}",
        "{{ 'http://a.b'|urlize }}",
    ]),
    ("chance: a text would be another one each time", &[
        "{{ [1, 2, 3] | random in [1, 2, 3] }}",
        "{{ lipsum(n=1) | length > 10 }}",
    ]),
    ("formats that minijinja does not know", &[
        "{{ '%r' % 'a' }}",
        "{{ '%d' | format(3.7) }}",
        "{{ '{!r}'.format('a') }}",
        "{{ '{:%}'.format(0.5) }}",
        "{{ '{:>{w}}'.format('a', w=3) }}",
        "{{ '{:.3}|{:10.2f}|{:e}|{:g}|{:%}|{!s}'.format('abcdef', 3.14159, 1234.5, 0.0001, 0.25, 'x') }}",
    ]),
    ("what cannot be sliced, of which jinja2 makes an undefined value", &[
        "{{ none[1:] }}",
        "{{ 5[1:] }}",
        "{{ {'a': 1}[1:] }}",
        "{{ 'abc'['a':] }}",
        "{{ 'abc'[1.0:] }}",
    ]),
    ("a text that is taken apart as a pair", &[
        "{% for a, b in ['xy'] %}{{ a }}{{ b }}{% endfor %}",
    ]),
    ("blocks by name", &[
        "{{ self }}",
        "{% block a %}x{% endblock %}{{ self.a() }}",
    ]),
    ("arguments of macros that have no name, and values made of those beside them", &[
        "{% with a = 1, b = a %}{{ b }}{% endwith %}",
        "{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, b=3) }}",
        "{% macro f() %}{{ varargs | join(',') }}{% endmacro %}{{ f(1, 2) }}",
        "{% macro f() %}{{ kwargs }}{% endmacro %}{{ f(a=1) }}",
        "{% macro f(a, b=a) %}{{ b }}{% endmacro %}{{ f(3) }}",
    ]),
];

/// What this crate renders otherwise, by why: what it renders.
#[rustfmt::skip]
const OTHER: [(&str, &[(&str, &str)]); 3] = [
    ("what a message has besides role and content is sorted by name", &[
        ("{{ messages[0].keys() | list }}", "['role', 'content', 'big', 'empty', 'huge',"),
    ]),
    ("whole numbers beyond 64 bits are read from a data file as others", &[
        ("{{ messages[0].huge }}", "1.2345678901234568e+29"),
        ("{{ messages[0].huge | tojson }}", "1.2345678901234568e+29"),
        ("{{ messages[0].huge is integer }}", "False"),
        ("{{ messages | tojson }}", "1.2345678901234568e+29"),
        ("{{ messages[0] | tojson(indent=2) }}", "1.2345678901234568e+29"),
        ("{{ messages | groupby('role') }}", "1.2345678901234568e+29"),
    ]),
    ("of no use in a chat template", &[
        ("{% for i in [1,2] %}{{ loop }}{% endfor %}", "{'index0': 0, 'index': 1,"),
        ("{{ messages[1.0].role }}", "assistant"),
        ("{{ range(10)[2:5] }}", "[2, 3, 4]"),
        ("{{ 'a' | attr('upper') }}", ""),
        ("{% macro f() %}a{% endmacro %}{{ f }}", "{'name': 'f', 'arguments': [], 'caller': False}"),
        ("{% macro f(a, b) %}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.catch_kwargs }}{{ f.catch_varargs }}{{ f.caller }}", "f['a', 'b']False"),
    ]),
];

#[test]
fn expressions_and_templates_are_rendered_as_jinja2_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jinja");
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let messages: Vec<Message> =
        serde_json::from_value(read("data.json")["messages"].clone()).unwrap();
    let (mut equal, mut alike, mut known, mut wrong) = (0, 0, 0, Vec::new());
    for case in read("cases.json").as_array().unwrap() {
        let source = case["template"].as_str().unwrap();
        let template = JinjaTemplate::new(source, "<s>", "</s>");
        let template = template.and_then(|template| template.with_date("2026-11-03"));
        let rendered = template.and_then(|template| template.render(&messages, true));
        let refused = REFUSED.iter().any(|(_, list)| list.contains(&source));
        let mut others = OTHER.iter().flat_map(|(_, list)| *list);
        let other = others.find(|(template, _)| *template == source);
        match (&rendered, case["text"].as_str(), other) {
            (Ok(text), want, Some((_, part)))
                if Some(text.as_str()) != want && text.contains(part) =>
            {
                known += 1
            }
            (Err(_), Some(_), None) if refused => known += 1,
            (Ok(text), Some(want), None) if text == want && !refused => equal += 1,
            (Err(_), None, None) => alike += 1,
            _ => wrong.push(format!("{source:?}\n want {case}\n  got {rendered:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(
        (equal, alike, known),
        (1347, 295, 52),
        "all cases were looked at"
    );
}

fn rows(tools: Option<Value>) -> Vec<Message> {
    let mut message = Message::new("user", "Hi");
    message
        .extra
        .extend(tools.map(|tools| ("tools".to_string(), tools)));
    vec![message]
}

/// A folder with files, and what its template makes of a conversation without tools and of one with
/// them.
fn folder(files: &[(&str, &str)]) -> Result<[String; 2], Error> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let template = JinjaTemplate::from_folder(folder.path())?.unwrap();
    let [without, with] = [None, Some(json!([{"name": "f"}]))].map(rows);
    assert_eq!(
        template.render(&rows(Some(json!(null))), false)?,
        template.render(&without, false)?
    );
    Ok([
        template.render(&without, false)?,
        template.render(&with, false)?,
    ])
}

#[test]
fn conversations_with_tools_are_written_by_the_template_for_them() {
    let (plain, tools) = ("P{{ messages[0].content }}", "T{{ tools | tojson }}");
    let wanted = ["PHi".to_string(), r#"T[{"name": "f"}]"#.to_string()];
    let list = json!({"chat_template": [{"name": "default", "template": plain}, {"name": "tool_use", "template": tools}]});
    let turned = json!({"chat_template": [{"name": "tool_use", "template": tools}, {"name": "rag", "template": "R"}, {"name": "default", "template": plain}]});
    let map = json!({"chat_template": {"default": plain, "tool_use": tools}});
    for settings in [&list, &turned, &map] {
        let settings = settings.to_string();
        assert_eq!(
            folder(&[("tokenizer_config.json", &settings)]).unwrap(),
            wanted
        );
        assert_eq!(
            folder(&[("chat_template.json", &settings)]).unwrap(),
            wanted
        );
    }
    let beside = [
        ("chat_template.jinja", plain),
        ("additional_chat_templates/tool_use.jinja", tools),
        ("additional_chat_templates/README.md", "{% if %}"),
        ("tokenizer_config.json", r#"{"chat_template": "old"}"#),
    ];
    assert_eq!(folder(&beside).unwrap(), wanted);
    // One template writes all.
    let one = json!({"chat_template": plain}).to_string();
    assert_eq!(
        folder(&[("tokenizer_config.json", &one)]).unwrap(),
        ["PHi", "PHi"]
    );
    assert_eq!(
        folder(&[("chat_template.json", &one)]).unwrap(),
        ["PHi", "PHi"]
    );
}

#[test]
fn folders_without_a_default_and_templates_of_another_kind_are_refused() {
    for (settings, message) in [
        (
            r#"{"chat_template": [{"name": "rag", "template": "R"}, {"name": "tool_use", "template": "T"}]}"#,
            "none is named default: rag, tool_use",
        ),
        (r#"{"chat_template": 5}"#, "chat_template must be a text"),
        (
            r#"{"chat_template": ["a"]}"#,
            "chat_template must be a text",
        ),
        (
            r#"{"chat_template": {"default": 1}}"#,
            "chat_template must be a text",
        ),
        (
            r#"{"chat_template": [{"name": "default", "template": "P"}, {"name": "tool_use", "template": "{% if %}"}]}"#,
            "(line 1)",
        ),
    ] {
        let error = folder(&[("tokenizer_config.json", settings)])
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("tokenizer_config.json"),
        r#"{"chat_template": null}"#,
    )
    .unwrap();
    assert!(JinjaTemplate::from_folder(folder.path()).unwrap().is_none());
}

#[test]
fn templates_know_the_tokens_of_their_folder() {
    let source = "{{ bos_token }}|{{ unk_token is defined }}|{{ pad_token }}|{{ sep_token is defined }}|{{ eos_token }}";
    let settings = r#"{"bos_token": {"content": "<s>"}, "unk_token": "<unk>", "pad_token": null}"#;
    let map = r#"{"eos_token": "</s>", "pad_token": {"content": "<pad>"}}"#;
    let [text, _] = folder(&[
        ("chat_template.jinja", source),
        ("tokenizer_config.json", settings),
        ("special_tokens_map.json", map),
    ])
    .unwrap();
    assert_eq!(text, "<s>|True|<pad>|False|</s>");
}

#[test]
fn ends_of_lines_are_one_character() {
    let source = "{% for m in messages %}\n  {{ m.role }}:\n{{ m.content }}\n{% endfor %}\nend\n";
    let render = |source: &str| {
        JinjaTemplate::new(source, "", "")
            .unwrap()
            .render(&rows(None), false)
    };
    let text = render(source).unwrap();
    assert_eq!(text, "  user:\nHi\nend");
    for ends in ["\r\n", "\r"] {
        assert_eq!(render(&source.replace('\n', ends)).unwrap(), text);
    }
    // Those of a conversation are its own.
    let template = JinjaTemplate::new("{{ messages[0].content }}", "", "").unwrap();
    let text = template
        .render(&[Message::new("user", "a\r\nb")], false)
        .unwrap();
    assert_eq!(text, "a\r\nb");
}

#[test]
fn a_template_that_takes_too_much_ends_the_work_at_the_first_row() {
    let source = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    let template = JinjaTemplate::new(source, "", "").unwrap();
    let encoder = Encoder::new(&ByteTokenizer, &template, 99);
    let examples = vec![SftExample::new(rows(None), "Ho"); 500];
    let start = std::time::Instant::now();
    let error = encoder.encode_sft(&examples).unwrap_err();
    assert!(matches!(error, Error::Template { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "the chat template takes more time or memory than any conversation needs"
    );
    assert!(start.elapsed() < std::time::Duration::from_secs(30));

    // One that refuses conversations is tried with all.
    let template = JinjaTemplate::new("{{ raise_exception('no') }}", "", "").unwrap();
    let encoder = Encoder::new(&ByteTokenizer, &template, 99);
    let encoded = encoder.encode_sft(&examples).unwrap();
    assert_eq!(encoded.report.dropped[&DropReason::TemplateRefuses], 500);
}

#[test]
fn long_conversations_are_no_hostile_ones() {
    let source = "{% for m in messages[0:] %}{% set c = m.content | trim %}{% if '</think>' in c %}{% set c = c.split('</think>')[-1].lstrip('\\n') %}{% endif %}<{{ m.role }}>{{ c | replace('\\r', '') | tojson }}{{ loop.index0 }}{% endfor %}";
    let template = JinjaTemplate::new(source, "", "").unwrap();
    for (count, length) in [(20_000, 10), (2, 8_000_000), (500, 20_000)] {
        let messages = vec![Message::new("user", "a ".repeat(length / 2)); count];
        let text = template.render(&messages, true).unwrap();
        assert!(text.len() > count * length);
    }
}

#[test]
fn a_long_conversation_is_dropped_where_a_short_one_ends_the_work() {
    let turns = |count| vec![Message::new("user", "Hi"); count];
    // Those that look back and ahead from each message to all others are of use.
    let looks = [
        "{% for m in messages %}{% for n in messages[loop.index0:] %}{% if n.role == 'user' %}{% endif %}{% endfor %}{{ m.content }}{% endfor %}",
        "{% set ns = namespace(l=[]) %}{% for m in messages %}{% set ns.l = ns.l + [m] %}{% endfor %}{% for m in ns.l %}{{ m.content }}{% endfor %}",
    ];
    for look in looks {
        let template = JinjaTemplate::new(look, "", "").unwrap();
        for count in [1, 99, 700] {
            let text = template.render(&turns(count), false).unwrap();
            assert_eq!(text, "Hi".repeat(count), "{look}");
        }
    }
    // One that takes their number to the fourth.
    let source = "{% for a in messages %}{% for b in messages %}{% for c in messages %}{% for d in messages %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{{ messages[-1].content }}";
    let template = JinjaTemplate::new(source, "", "").unwrap();
    let encoder = Encoder::new(&ByteTokenizer, &template, 99);
    let rows = [3, 120, 3].map(|count| SftExample::new(turns(count), "Ho"));
    let report = encoder.encode_sft(&rows).unwrap().report;
    assert_eq!(report.kept, 2);
    assert_eq!(report.dropped[&DropReason::TemplateRefuses], 1);
    let (place, why) = report.refusal.unwrap();
    assert_eq!(place, 1);
    assert!(why.contains("of 120 messages"), "{why}");
    let short = encoder.encode_sft(&[SftExample::new(turns(60), "Ho")]);
    assert!(matches!(short, Err(Error::Template { .. })));
}

#[test]
fn marks_on_letters_are_written_as_python_does() {
    let render = |text: &str| {
        let template = JinjaTemplate::new("{{ [messages[0].content] }}", "", "").unwrap();
        template
            .render(&[Message::new("user", text)], false)
            .unwrap()
    };
    // Some that Python's `str.isprintable` has, first in a text and behind others.
    for text in [
        "हिन्दी ❤\u{FE0F}",
        "\u{94D}",
        "\u{301}e\u{301}",
        "\u{E0100}",
        "\u{302A}",
    ] {
        assert_eq!(render(text), format!("['{text}']"));
    }
    let other = "\u{AD}\u{200D}\u{2028}\u{A0}\u{E000}\u{FFFE}\u{E0001}\u{1D173}\u{378}";
    let written = r"['\xad\u200d\u2028\xa0\ue000\ufffe\U000e0001\U0001d173\u0378']";
    assert_eq!(render(other), written);
}
