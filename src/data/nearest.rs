//! The name that was meant.

/// `; did you mean beta?`, if a known name is near: a slip or two, or the beginning of it.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let slips = |known: &str| strsim::osa_distance(name, known);
    let likeness = |known: &str| strsim::jaro_winkler(name, known);
    let near = known.into_iter().min_by(|a, b| {
        let order = slips(a).cmp(&slips(b));
        order.then(likeness(b).total_cmp(&likeness(a)))
    });
    match near {
        Some(near) if 3 * slips(near) <= name.len() + 1 || likeness(near) > 0.85 => {
            format!("; did you mean {near}?")
        }
        _ => String::new(),
    }
}
