//! What is wrong with a text that is not JSON.

/// What serde says, less its own count of lines, which begins where the text does; with a name for
/// what Python writes and JSON does not have.
pub(super) fn not_json(error: &serde_json::Error, text: Option<&str>) -> String {
    let (line, column, said) = (error.line(), error.column(), error.to_string());
    let what = said.strip_suffix(&format!(" at line {line} column {column}"));
    let what = what.unwrap_or(&said);
    if what.contains("surrogate") || what.contains("hex escape") {
        return format!(
            "is not valid JSON: half of a surrogate pair (\\ud800 to \\udfff) at column {column}: a \
             character was cut in two: {what}"
        );
    }
    let at = text.and_then(|text| text.get(column.saturating_sub(2)..));
    let python = ["NaN", "Infinity", "-Infinity", "None", "True", "False"];
    let found = at.and_then(|at| {
        let found = |name: &&&str| {
            at.starts_with(**name) || at.get(1..).is_some_and(|at| at.starts_with(**name))
        };
        python.iter().find(found)
    });
    match found {
        Some(name) => format!(
            "is not valid JSON: {name} at column {column}: Python's JSON has it, others do not: \
             write null, or leave the row out"
        ),
        None if text.is_some_and(|text| text.starts_with("{'")) => format!(
            "is not valid JSON: {what} at column {column}: it is as Python prints it: write it \
             with json.dumps"
        ),
        None => format!("is not valid JSON: {what} at column {column}"),
    }
}
