//! Against a server of this process on the loopback interface.

use burn_kto::eval::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A request as it came: headers in lower case, body.
struct Seen {
    path: String,
    headers: String,
    body: serde_json::Value,
}

/// Gives these answers (status, further headers, body), one a connection, and then closes. An empty
/// status answers nothing and waits.
fn server(answers: Vec<(&'static str, &'static str, String)>) -> (String, mpsc::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for (status, further, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let path = line.split(' ').nth(1).unwrap().to_string();
            let mut headers = String::new();
            loop {
                let start = headers.len();
                reader.read_line(&mut headers).unwrap();
                if headers[start..].trim().is_empty() {
                    break;
                }
            }
            let headers = headers.to_lowercase();
            let length = headers.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
            let mut bytes = vec![0; length];
            reader.read_exact(&mut bytes).unwrap();
            let body_seen = serde_json::from_slice(&bytes).unwrap();
            let _ = sender.send(Seen {
                path,
                headers,
                body: body_seen,
            });
            if status.is_empty() {
                std::thread::sleep(Duration::from_secs(2));
                continue;
            }
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n{further}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, receiver)
}

fn said(text: &str) -> (&'static str, &'static str, String) {
    let body = serde_json::json!({"choices": [{"message": {"role": "assistant", "content": text}, "text": text}]});
    ("200 OK", "", body.to_string())
}

fn config(url: &str) -> EndpointConfig {
    EndpointConfig::new(url.into(), "tiny".into()).with_backoff(0.01)
}

#[test]
fn completions_are_asked_and_cut_at_their_stops() {
    let (url, seen) = server(vec![said("18.\n\nQ: more"), said("a"), said("b")]);
    let endpoint = Endpoint::new(config(&url)).unwrap();
    let greedy = Completion::greedy("Q: 9 + 9?\nA:", &["Q:", "1", "2", "3", "\n\n"], 7);
    let texts = endpoint
        .answer(&[Completion {
            stop: vec!["Q:".into()],
            ..greedy.clone()
        }])
        .unwrap();
    assert_eq!(texts[0].texts, ["18.\n\n"]);
    let request = seen.recv().unwrap();
    assert_eq!(request.path, "/v1/chat/completions");
    assert!(!request.headers.contains("authorization"));
    assert_eq!(request.body["messages"][0]["content"], "Q: 9 + 9?\nA:");
    assert_eq!(
        (&request.body["max_tokens"], &request.body["temperature"]),
        (&7.into(), &0.0.into())
    );
    let drawn = Completion {
        samples: 2,
        temperature: 0.8,
        top_p: 0.95,
        ..greedy
    };
    let endpoint = Endpoint::new(config(&url).with_route(Route::Completions)).unwrap();
    assert_eq!(endpoint.answer(&[drawn]).unwrap()[0].texts, ["a", "b"]);
    let request = seen.recv().unwrap();
    assert_eq!(request.path, "/v1/completions");
    assert_eq!(request.body["prompt"], "Q: 9 + 9?\nA:");
    assert_eq!(request.body["stop"].as_array().unwrap().len(), 4);
    assert_eq!(request.body["top_p"], 0.95);
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
    let (url, seen) = server(vec![
        ("500 Internal Server Error", "", "oops".into()),
        ("429 Too Many Requests", "retry-after: 1\r\n", "{}".into()),
        ("200 OK", "", "not json".into()),
        said("yes"),
    ]);
    let endpoint = Endpoint::new(config(&url)).unwrap();
    let start = Instant::now();
    let hello = Completion::greedy("Hello", &[], 5);
    assert_eq!(
        endpoint.answer(std::slice::from_ref(&hello)).unwrap()[0].texts,
        ["yes"]
    );
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "Retry-After counts"
    );
    assert_eq!(seen.try_iter().count(), 4);

    let (url, seen) = server(vec![
        (
            "400 Bad Request",
            "",
            r#"{"error": {"message": "no such\nmodel"}}"#.into(),
        ),
        said("never"),
    ]);
    let endpoint = Endpoint::new(config(&url)).unwrap();
    let error = endpoint
        .answer(std::slice::from_ref(&hello))
        .unwrap_err()
        .to_string();
    assert_eq!(error, format!("{url}: status 400: no such model"));
    assert_eq!(seen.try_iter().count(), 1);

    let (url, _seen) = server(vec![
        ("503 Busy", "", "busy".into()),
        ("503 Busy", "", "busy".into()),
    ]);
    let endpoint = Endpoint::new(config(&url).with_retries(1)).unwrap();
    let error = endpoint.answer(&[hello]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{url}: status 503: busy; given up after 2 tries")
    );
}

#[test]
fn a_silent_server_is_left() {
    let (url, _seen) = server(vec![("", "", String::new())]);
    let endpoint = Endpoint::new(config(&url).with_timeout(0.2).with_retries(0)).unwrap();
    let start = Instant::now();
    let error = endpoint
        .answer(&[Completion::greedy("Hello", &[], 5)])
        .unwrap_err();
    assert!(start.elapsed() < Duration::from_millis(1500));
    assert!(error.to_string().contains("timeout"), "{error}");
}

#[test]
fn requests_keep_their_distance() {
    let (url, _seen) = server(vec![said("1"), said("2"), said("3")]);
    let endpoint = Endpoint::new(config(&url).with_per_minute(300)).unwrap();
    let start = Instant::now();
    let requests = vec![Completion::greedy("Hello", &[], 5); 3];
    assert_eq!(endpoint.answer(&requests).unwrap().len(), 3);
    assert!(start.elapsed() >= Duration::from_millis(400));
}

/// The only variable that holds a secret in every environment that runs this: its value is sent,
/// and shown nowhere.
#[test]
fn the_key_is_sent_and_never_shown() {
    let key = std::env::var("PATH").unwrap().trim().to_string();
    let echo = serde_json::json!({"error": {"message": format!("wrong key {key}")}}).to_string();
    let (url, seen) = server(vec![("401 Unauthorized", "", echo)]);
    let endpoint = Endpoint::new(config(&url).with_key_variable(Some("PATH".into()))).unwrap();
    let error = endpoint
        .answer(&[Completion::greedy("Hello", &[], 5)])
        .unwrap_err();
    let sent = seen.recv().unwrap().headers;
    assert!(sent.contains(&format!("authorization: bearer {}", key.to_lowercase())));
    assert_eq!(error.to_string(), format!("{url}: status 401: wrong key …"));
    for shown in [
        format!("{error:?}"),
        format!("{endpoint:?}"),
        format!("{endpoint:#?}"),
    ] {
        assert!(!shown.contains(&key), "{shown}");
    }
    let missing = config(&url).with_key_variable(Some("BURN_KTO_NO_SUCH_KEY".into()));
    let error = Endpoint::new(missing).unwrap_err().to_string();
    assert!(
        error.contains("BURN_KTO_NO_SUCH_KEY, which is not set"),
        "{error}"
    );
}

#[test]
fn settings_are_checked() {
    let error = |config: EndpointConfig| Endpoint::new(config).unwrap_err().to_string();
    assert!(error(EndpointConfig::new("host/v1".into(), "m".into())).starts_with("url must begin"));
    assert!(error(config("http://h").with_timeout(0.0)).starts_with("timeout must be"));
    assert!(error(EndpointConfig::new("http://h".into(), String::new())).starts_with("model must"));
}

#[test]
fn the_papers_judge_asks_in_two_messages_and_reads_the_number() {
    let answers = ["Response 2.", "RESPONSE 1 is better", "Both", "Response A"];
    let (url, seen) = server(answers.iter().map(|text| said(text)).collect());
    let judge = EndpointJudge::new(Endpoint::new(config(&url)).unwrap(), JudgeForm::KtoPaper);
    let verdicts: Vec<Verdict> = answers
        .iter()
        .map(|_| judge.judge(&"Hi".into(), "Hello.", "Go away.").unwrap())
        .collect();
    use Verdict::*;
    assert_eq!(verdicts, [Second, First, Unparsed, Unparsed]);
    let body = seen.recv().unwrap().body;
    assert_eq!(
        (&body["max_tokens"], &body["temperature"]),
        (&10.into(), &0.0.into())
    );
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(
        messages[0]["content"],
        "Here is a conversation between <|user|> and <|assistant|>.\n\n<|user|>\nHi\n"
    );
    let second = messages[1]["content"].as_str().unwrap();
    assert!(second.contains(
        "Response 1: Hello.\nEND OF RESPONSE 1\n\nResponse 2: Go away.\nEND OF RESPONSE 2"
    ));
}

#[test]
fn a_template_is_filled_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("form.txt");
    std::fs::write(&path, "<|im_start|>user\n{output_1}").unwrap();
    assert!(
        JudgeForm::from_file(&path)
            .unwrap_err()
            .to_string()
            .contains("has no {instruction}")
    );
    std::fs::write(
        &path,
        "<|im_start|>system\nYou rank.\n<|im_end|>\n<|im_start|>user\nTo {instruction}: {output_1} or {output_2}?\n<|im_end|>",
    )
    .unwrap();
    let form = JudgeForm::from_file(&path).unwrap();
    let (url, seen) = server(vec![said(" M"), said("m"), said("?")]);
    let judge = EndpointJudge::new(Endpoint::new(config(&url)).unwrap(), form);
    let ask = || {
        judge
            .judge(&"Hi".into(), "{output_2} <|im_end|>", "B")
            .unwrap()
    };
    assert_eq!(
        [ask(), ask(), ask()],
        [Verdict::Second, Verdict::First, Verdict::Unparsed]
    );
    let messages = seen.recv().unwrap().body["messages"].clone();
    assert_eq!(messages[0]["role"], "system");
    assert_eq!(messages[1]["content"], "To Hi: {output_2} <|im_end|> or B?");
    if let Some(path) = crate::common::shared("judge/alpaca_eval_clf.txt") {
        JudgeForm::from_file(path).unwrap();
    }
}
