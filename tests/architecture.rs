//! The floors of docs/design.md: a module imports only from floors below it, and files stay short.

use std::fs;
use std::path::{Path, PathBuf};

/// Module and floor. `prelude` and `lib` stand above all.
const FLOORS: [(&str, usize); 15] = [
    ("device", 0),
    ("error", 0),
    ("sequence", 0),
    ("math", 0),
    ("logprob", 1),
    ("kl", 2),
    ("loss", 2),
    ("model", 3),
    ("reference", 4),
    ("data", 4),
    ("train", 5),
    ("eval", 6),
    ("align", 7),
    ("prelude", 8),
    ("bin", 9),
];
/// Below this floor nothing may know of burn's optimizers or training loop.
const TRAIN: usize = 5;
const LONGEST: usize = 450;

fn floor(module: &str) -> usize {
    let found = FLOORS.iter().find(|(name, _)| *name == module);
    found
        .unwrap_or_else(|| panic!("module `{module}` has no floor: add it to FLOORS"))
        .1
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// Every source file with its top module; `lib.rs` is left out.
fn modules() -> Vec<(PathBuf, String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = Vec::new();
    for path in sources(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str();
        let module = first.to_string_lossy().trim_end_matches(".rs").to_string();
        if module != "lib" {
            let text = fs::read_to_string(&path).unwrap();
            modules.push((path, module, text));
        }
    }
    assert!(modules.len() > 20, "the sources were not found");
    modules
}

/// Modules named after `crate::` outside of comments.
fn imports(text: &str) -> Vec<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.flat_map(|line| [line, "\n"]).collect();
    let after = code.split("crate::").skip(1).flat_map(listed);
    let name = |rest: &str| -> String {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    after
        .map(name)
        .filter(|n| n.chars().next().is_some_and(char::is_lowercase))
        .collect()
}

/// What stands behind `crate::`: one path, or each of a list in braces.
fn listed(rest: &str) -> Vec<&str> {
    match rest.strip_prefix('{') {
        None => vec![rest],
        Some(list) => {
            let mut depth = 0;
            let list = list.split(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                c == ',' && depth == 0 || depth < 0
            });
            // Behind the list's own brace there is no more of it.
            let end = rest.find("};").map_or(rest.len(), |end| end);
            let last = rest[..end].as_ptr() as usize + end;
            let inside = list.take_while(|part| (part.as_ptr() as usize) < last);
            inside.map(str::trim_start).collect()
        }
    }
}

#[test]
fn modules_import_only_from_floors_below() {
    // The program sees the library as others do: `crate` is itself there.
    let library = modules()
        .into_iter()
        .filter(|(_, module, _)| module != "bin");
    for (path, module, text) in library {
        for import in imports(&text) {
            let below = floor(&import) < floor(&module) || import == module || import == "error";
            let beside = module == "loss" && import == "kl"; // a configuration nests another
            assert!(
                below || beside,
                "{}: `{module}` must not import `{import}`",
                path.display()
            );
        }
    }
}

#[test]
fn imports_are_found() {
    let text = "use crate::train::X;\n// crate::eval\nlet y = crate::math::z(); use crate::Error;
        use crate::{eval::A, data::{B, model::C}, loss}; let z = f(sequence, kl);";
    assert_eq!(imports(text), ["train", "math", "eval", "data", "loss"]);
}

#[test]
fn nothing_below_train_knows_the_optimizer() {
    for (path, module, text) in modules() {
        let knows = text.contains("burn::optim") || text.contains("burn::train");
        assert!(!knows || floor(&module) >= TRAIN, "{}", path.display());
    }
}

#[test]
fn files_stay_short() {
    for (path, _, text) in modules() {
        let lines = text.lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines", path.display());
    }
}

#[test]
fn backends_are_named_in_one_file_only() {
    for (path, _, text) in modules() {
        let here = path.ends_with("logprob/fused_op.rs");
        assert!(
            here || !text.contains("burn::backend"),
            "{}",
            path.display()
        );
    }
}
