//! Tests of chat templates.

use super::*;

#[test]
fn chat_markup_is_rendered_as_transformers_does() {
    let source = "{% for m in messages %}\n    {{- '<|im_start|>' + m['role'] + '\\n' + m.content.strip() + '<|im_end|>' + '\\n' -}}\n{% endfor %}\n{% if add_generation_prompt %}\n{{ '<|im_start|>assistant\\n' }}\n{%- endif %}";
    let template = JinjaTemplate::new(source, "", "").unwrap();
    let messages = [Message::new("user", " hi ")];
    let text = template.render(&messages, true).unwrap();
    assert_eq!(
        text,
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    );
    let text = template.render(&messages, false).unwrap();
    assert_eq!(text, "<|im_start|>user\nhi<|im_end|>\n");
}

#[test]
fn json_and_absent_tools_are_as_in_python() {
    let source = "{{ messages[0] | tojson }}{{ '<é>\"' | tojson }}{{ [1, none] | tojson }}{% if tools is not none %}tools{% endif %}";
    let template = JinjaTemplate::new(source, "", "").unwrap();
    let text = template.render(&[Message::new("user", "a'b&")], false);
    assert_eq!(
        text.unwrap(),
        r#"{"role": "user", "content": "a'b&"}"<é>\""[1, null]"#
    );
}

#[test]
fn a_folder_brings_its_template_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(JinjaTemplate::from_folder(path).unwrap().is_none());
    let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
    let render = || {
        let template = JinjaTemplate::from_folder(path).unwrap().unwrap();
        template.render(&[], false).unwrap()
    };
    write(
        "tokenizer_config.json",
        r#"{"bos_token": {"content": "<s>"}, "chat_template": [{"name": "tool_use", "template": "no"},
            {"name": "default", "template": "{{ bos_token }}"}]}"#,
    );
    assert_eq!(render(), "<s>");
    write("chat_template.jinja", "own file");
    assert_eq!(render(), "own file");
    write("chat_template.jinja", "{% if %}");
    let error = JinjaTemplate::from_folder(path).unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert!(!error.contains('\n'), "{error}");
    let error = || JinjaTemplate::from_folder(path).unwrap_err().to_string();
    write(
        "chat_template.jinja",
        "version https://git-lfs.github.com/spec/v1\n",
    );
    assert!(error().ends_with(
        "chat_template.jinja: is a Git LFS pointer, not the chat template: run `git lfs pull`"
    ));
    write("chat_template.jinja", "");
    assert!(error().ends_with("chat_template.jinja: is empty"));
}

#[test]
fn a_text_is_never_taken_for_a_mark() {
    let source = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{{ tools }}{% endfor %}";
    let template = JinjaTemplate::new(source, "\u{FDD6}", "").unwrap();
    let mut message = Message::new("user", "\u{FDD3}a\u{FDD2}");
    let tools = json!([{"name": "\u{FDD4}", "\u{FDD5}": 1}]);
    message.extra.insert(TOOLS.into(), tools);
    let messages = [message];
    let (text, said) = template.render_marked(&messages).unwrap().unwrap();
    assert_eq!(text, template.render(&messages, false).unwrap());
    assert_eq!(&text[said[0].clone()], "\u{FDD3}a\u{FDD2}");
    assert_eq!(said.len(), 1);
    let all: String = MARKS.skip(1).collect();
    let error = template.render_marked(&[Message::new("user", all)]);
    assert!(error.unwrap_err().to_string().contains("U+FDD2 to U+FDEF"));
}

#[test]
fn dates_are_given_or_the_templates_own() {
    let own = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024{% endif %}";
    let render = |template: &JinjaTemplate| template.render(&[], false).unwrap();
    let template = JinjaTemplate::new(own, "", "").unwrap();
    assert_eq!(render(&template), "26 Jul 2024");
    let template = template.with_date("2026-11-03").unwrap();
    assert_eq!(render(&template), "03 Nov 2026");
    let today = JinjaTemplate::new("{{ strftime_now('%Y') }}", "", "").unwrap();
    assert!(render(&today).parse::<u32>().unwrap() >= 2026);
    assert!(today.with_date("yesterday").is_err());
}

#[test]
fn a_template_may_refuse() {
    let template = JinjaTemplate::new("{{ raise_exception('no system turn') }}", "", "");
    let error = template
        .unwrap()
        .render(&[], false)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "cannot tokenize: the chat template says: no system turn (line 1)"
    );
    assert!(JinjaTemplate::new("{% if %}", "", "").is_err());
}
