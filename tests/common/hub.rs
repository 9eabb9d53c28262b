//! A Hugging Face Hub that is a thread of this process, on the loopback interface.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// The commit that everything on it has.
pub(crate) const COMMIT: &str = "0123456789012345678901234567890123456789";

/// Answers each path with the body that `answer` has for it, or with status 404; its address, and
/// the requests that came.
pub(crate) fn serve(
    answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            while reader.read_line(&mut request).is_ok_and(|n| n > 2) {}
            let mut words = request.split(' ');
            let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let (status, body) = match answer(path) {
                Some(body) => ("200 OK", body),
                None => {
                    let body = br#"{"error": "Repository not found"}"#;
                    ("404 Not Found", body.to_vec())
                }
            };
            let etag = path.rsplit('/').next().unwrap_or_default();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 etag: \"{etag}\"\r\nx-repo-commit: {COMMIT}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let with_body = method != "HEAD";
            // Before the answer: who has it may look at the log.
            log.lock().unwrap().push(request.clone());
            let _ = stream.write_all(head.as_bytes());
            if with_body {
                let _ = stream.write_all(&body);
            }
        }
    });
    (url, seen)
}

/// What a listing says of a file.
pub(crate) fn entry(path: &str, size: usize) -> serde_json::Value {
    serde_json::json!({"type": "file", "oid": "e", "size": size, "path": path})
}

/// JSON as a body.
pub(crate) fn json(value: serde_json::Value) -> Option<Vec<u8>> {
    Some(value.to_string().into_bytes())
}
