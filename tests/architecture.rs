//! The house of docs/design.md: a module imports only from floors below it, no files import each
//! other in a loop, files stay short and lines narrow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module and floor. `prelude` and `lib` stand above all.
const FLOORS: [(&str, usize); 16] = [
    ("device", 0),
    ("disk", 0),
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
/// Lines of a file, its tests included.
const LONGEST: usize = 400;
/// Columns of comments and of Markdown.
const WIDEST: usize = 100;

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

/// A file on one line, without comments and without the tests at its end.
fn code(text: &str) -> String {
    let tests = ["#[cfg(test)]\nmod ", "#[cfg(test)]\n#[path"];
    let end = tests.iter().filter_map(|tests| text.find(tests)).min();
    text[..end.unwrap_or(text.len())]
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .flat_map(|line| [line, " "])
        .collect()
}

/// Paths of what a face shows of other files: `pub use`, also to a part of the crate only.
fn shown(text: &str) -> Vec<Vec<String>> {
    let code = code(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("pub") {
        let rest = &code[at + "pub".len()..];
        let rest = match rest.strip_prefix('(') {
            Some(part) => part.split_once(')').map_or("", |(_, rest)| rest),
            None => rest,
        };
        if let Some(tree) = rest.strip_prefix(" use ") {
            let end = tree.find(';').unwrap_or(tree.len());
            expand(&tree[..end], &[], &mut found);
        }
    }
    found
}

/// Paths that a file imports, outside of its tests: what stands behind `use` (each of a list in
/// braces), and paths that are written out. Re-exports are no imports: a face uses nothing of them.
fn paths(text: &str) -> Vec<Vec<String>> {
    let code = code(text);
    let mut found = Vec::new();
    for statement in code.split([';', '}']) {
        let words = statement.trim_start().trim_start_matches(['{', ' ']);
        if let Some(tree) = words.strip_prefix("use ") {
            // The statement may have been cut at a brace of its list.
            let start = tree.as_ptr() as usize - code.as_ptr() as usize;
            let end = code[start..]
                .find(';')
                .map_or(code.len(), |end| start + end);
            expand(&code[start..end], &[], &mut found);
        }
    }
    for prefix in ["crate::", "super::"] {
        for (at, _) in code.match_indices(prefix) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = code[at..].chars();
            let path: String = rest
                .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
                .collect();
            found.push(path.split("::").map(str::to_string).collect());
        }
    }
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`, behind what stood before.
fn expand(tree: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    let (head, list) = match tree.split_once('{') {
        Some((head, rest)) => (head, rest.rsplit_once('}').map(|(list, _)| list)),
        None => (tree.split(" as ").next().unwrap_or(tree), None),
    };
    let words = head.split("::").map(str::trim).filter(|w| !w.is_empty());
    let path: Vec<String> = before
        .iter()
        .cloned()
        .chain(words.map(str::to_string))
        .collect();
    let Some(list) = list else {
        found.push(path);
        return;
    };
    let mut depth = 0;
    for part in list.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    }) {
        expand(part, &path, found);
    }
}

/// A file's place in the crate: `src/a/b.rs` and `src/a/b/mod.rs` are `a::b`.
fn place(file: &Path) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = file.strip_prefix(&src).unwrap().with_extension("");
    let mut words: Vec<String> = inside
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if words
        .last()
        .is_some_and(|word| word == "mod" || word == "main")
    {
        words.pop();
    }
    words
}

type Place = Vec<String>;

/// The files, and what each of them shows of others.
struct Files {
    places: BTreeSet<Place>,
    shown: BTreeMap<Place, Vec<Vec<String>>>,
}

impl Files {
    /// The file behind a path that stands in the file `from`; through faces, to where a name is
    /// defined. `None` of another crate.
    fn behind(&self, from: &[String], path: &[String], faces: usize) -> Option<Place> {
        let mut words = path.iter().peekable();
        let mut to: Place = match words.peek().map(|word| word.as_str()) {
            Some("crate") => Vec::new(),
            Some("super" | "self") => from.to_vec(),
            // A child of this file; anything else is another crate.
            Some(word) if self.places.contains(&[from, &[word.to_string()]].concat()) => {
                from.to_vec()
            }
            _ => return None,
        };
        while let Some(word) = words.next_if(|w| matches!(w.as_str(), "crate" | "super" | "self")) {
            if word == "super" {
                to.pop();
            }
        }
        for word in words {
            to.push(word.clone());
            if !self.places.iter().any(|place| place.starts_with(&to)) {
                to.pop();
                let named = |path: &&Vec<String>| path.last() == Some(word);
                let shown = self.shown.get(&to).and_then(|all| all.iter().find(named));
                return match shown.filter(|_| faces > 0) {
                    Some(path) => self.behind(&to, path, faces - 1).or(Some(to)),
                    None => Some(to),
                };
            }
        }
        Some(to)
    }
}

/// Each file with the files that it imports.
fn graph() -> BTreeMap<Place, BTreeSet<Place>> {
    let modules = modules();
    let shown = |(path, _, text): &(PathBuf, String, String)| (place(path), shown(text));
    let files = Files {
        places: modules.iter().map(|(path, ..)| place(path)).collect(),
        shown: modules.iter().map(shown).collect(),
    };
    let of = |(path, _, text): &(PathBuf, String, String)| {
        let from = place(path);
        let to = paths(text)
            .iter()
            .filter_map(|p| files.behind(&from, p, 4))
            .collect::<BTreeSet<_>>();
        let to = to
            .into_iter()
            .filter(|to| *to != from && files.places.contains(to));
        (from.clone(), to.collect())
    };
    modules.iter().map(of).collect()
}

/// The first loop that is found, as the files on it.
fn circle(graph: &BTreeMap<Place, BTreeSet<Place>>) -> Option<Vec<String>> {
    // Files that import nothing that is left are taken away until all are gone, or a loop is left.
    let mut left: BTreeMap<_, BTreeSet<_>> = graph.clone();
    loop {
        let free: Vec<_> = left
            .iter()
            .filter(|(_, to)| to.iter().all(|to| !left.contains_key(to)))
            .map(|(from, _)| from.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|from| _ = left.remove(from));
    }
    let mut at = left.keys().next()?.clone();
    let mut walked = Vec::new();
    while !walked.contains(&at) {
        walked.push(at.clone());
        at = left[&at].iter().find(|to| left.contains_key(*to))?.clone();
    }
    let start = walked.iter().position(|place| *place == at)?;
    Some(
        walked[start..]
            .iter()
            .map(|place| place.join("::"))
            .collect(),
    )
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    let graph = graph();
    let arrows: usize = graph.values().map(BTreeSet::len).sum();
    assert!(arrows > 200, "only {arrows} imports were found");
    let circle = circle(&graph);
    assert!(circle.is_none(), "imported in a loop: {circle:?}");
}

#[test]
fn loops_are_found() {
    let words = |text: &str| -> Vec<String> { text.split("::").map(str::to_string).collect() };
    let tree =
        "use crate::{a::B, c::{d, e::F}}; pub use g::H; let x = super::i::j(); use super::k;";
    let found: Vec<String> = paths(tree).iter().map(|path| path.join("::")).collect();
    for path in [
        "crate::a::B",
        "crate::c::d",
        "crate::c::e::F",
        "super::i::j",
        "super::k",
    ] {
        assert!(found.contains(&path.to_string()), "{path}: {found:?}");
    }
    assert!(!found.iter().any(|path| path.contains("g::H")), "{found:?}");
    assert_eq!(shown(tree), [words("g::H")]);
    let files = Files {
        places: ["", "a", "a::b", "c"].map(words).into_iter().collect(),
        shown: BTreeMap::from([(words("a"), vec![words("b::B")])]),
    };
    let behind = |path| files.behind(&words("c"), &words(path), 4);
    assert_eq!(
        behind("crate::a::B"),
        Some(words("a::b")),
        "through the face"
    );
    assert_eq!(behind("crate::a::other"), Some(words("a")));
    assert_eq!(behind("std::fs"), None);
    let arrows = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")];
    let mut graph = BTreeMap::new();
    for (from, to) in arrows {
        graph.insert(words(from), BTreeSet::from([words(to)]));
    }
    assert_eq!(circle(&graph), Some(vec!["b".to_string(), "c".to_string()]));
    graph.insert(words("c"), BTreeSet::new());
    assert_eq!(circle(&graph), None);
}

/// Lines of comments and Markdown that are too long and could have been wrapped: no tables, and
/// something to wrap at.
fn long_lines(text: &str, marks: &[&str]) -> Vec<usize> {
    let long = |line: &str| {
        let Some(words) = marks
            .iter()
            .find_map(|mark| line.trim_start().strip_prefix(mark))
        else {
            return false;
        };
        let words = words.trim_start_matches(['/', '!', ' ']);
        line.chars().count() > WIDEST && !words.starts_with('|') && words.contains(' ')
    };
    let numbered = text.lines().enumerate();
    numbered
        .filter(|(_, line)| long(line))
        .map(|(i, _)| i + 1)
        .collect()
}

#[test]
fn comments_and_manuals_wrap() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut long = Vec::new();
    let mut look = |path: PathBuf, marks: &[&str]| {
        let text = fs::read_to_string(&path).unwrap();
        let lines = long_lines(&text, marks);
        long.extend(
            lines
                .iter()
                .map(|line| format!("{}:{line}", path.display())),
        );
    };
    for folder in ["src", "tests", "benches", "examples"] {
        sources(&root.join(folder))
            .into_iter()
            .for_each(|path| look(path, &["//"]));
    }
    let pages = fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let pages = pages.chain(["README.md", "CHANGELOG.md"].map(|name| root.join(name)));
    let pages = pages.filter(|path| path.extension().is_some_and(|e| e == "md"));
    pages.for_each(|path| look(path, &[""]));
    assert!(long.is_empty(), "wider than {WIDEST} columns: {long:#?}");
}
