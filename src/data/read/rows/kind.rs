//! Kinds of files that are not read, told by their first bytes or their endings.

use std::path::Path;

/// How a kind of file begins.
const STARTS: [(&[u8], &str); 21] = [
    (b"ARROW1", "an Arrow file"),
    (b"\xff\xff\xff\xff", "an Arrow stream"),
    (b"FEA1", "a Feather file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"%PDF", "a PDF"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"\x80\x02", "a pickle of Python"),
    (b"\x80\x03", "a pickle of Python"),
    (b"\x80\x04", "a pickle of Python"),
    (b"\x80\x05", "a pickle of Python"),
    (b"\xff\xfe", "a text in UTF-16"),
    (b"\xfe\xff", "a text in UTF-16"),
];

/// The kind of a file that is not read, if it is known.
pub(super) fn unread(path: &Path, start: &[u8]) -> Option<&'static str> {
    if start.starts_with(b"PK\x03\x04") {
        let has = |name: &[u8]| start.windows(name.len()).any(|part| part == name);
        return Some(match () {
            () if has(b"xl/") || has(b"[Content_Types].xml") => "an Excel workbook (.xlsx)",
            () if has(b"data.pkl") => "a file of PyTorch",
            () => "a zip archive",
        });
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some("a tar archive");
    }
    if let Some((_, kind)) = STARTS.iter().find(|(begin, _)| start.starts_with(begin)) {
        return Some(kind);
    }
    let text = String::from_utf8_lossy(start).trim_start().to_lowercase();
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match (text.as_str(), ending.as_deref()) {
        (text, _) if text.starts_with("<!doctype html") || text.starts_with("<html") => {
            Some("a web page")
        }
        (text, _) if text.starts_with('<') => Some("XML"),
        (text, Some("yaml" | "yml")) if !text.starts_with(['{', '[']) => Some("YAML"),
        (text, _) if text.starts_with("---\n") || text.starts_with("---\r") => Some("YAML"),
        (text, Some("toml")) if !text.starts_with('{') => Some("TOML"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_content_before_endings() {
        let kind = |name: &str, start: &[u8]| unread(Path::new(name), start);
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(kind("x.jsonl", &tar), Some("a tar archive"));
        assert_eq!(
            kind("x.csv", b"PK\x03\x04..xl/workbook"),
            Some("an Excel workbook (.xlsx)")
        );
        assert_eq!(kind("x", b"PK\x03\x04..a.jsonl"), Some("a zip archive"));
        assert_eq!(kind("x.yaml", b"- prompt: a\n"), Some("YAML"));
        assert_eq!(kind("x.yaml", b"[{\"prompt\": 1}]"), None);
        assert_eq!(kind("x", b"<?xml version='1.0'?>"), Some("XML"));
        assert_eq!(kind("x.json", b"\xff\xfe{\0"), Some("a text in UTF-16"));
        assert_eq!(kind("x", b"prompt,completion\n"), None);
    }
}
