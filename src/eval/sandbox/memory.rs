//! What a program and all that it started hold in memory together.

use std::fs;

/// Whether a process and its descendants hold more than `most` bytes. What they share counts once
/// where the system tells.
pub(super) fn is_over(process: u32, most: u64) -> bool {
    let family = family(process);
    let of = |one: fn(u32) -> Option<u64>| family.iter().filter_map(|id| one(*id)).sum::<u64>();
    // Pages that are shared by a fork are resident in each: asking for shares is slow, so only
    // where that may matter.
    of(resident) > most && of(|id| share(id).or_else(|| resident(id))) > most
}

/// Whether a process is among those that count with one of which it is a child. Systems need not
/// tell of children, nor of memory.
pub(super) fn is_counted(process: u32, with: u32) -> bool {
    family(with).contains(&process) && resident(process).is_some()
}

/// The process and its descendants; those that are left by their parent belong to the first one of
/// their namespace, and so are among them.
fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut next = 0;
    while let Some(&id) = family.get(next) {
        next += 1;
        let threads = fs::read_dir(format!("/proc/{id}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children"));
            let children = children.unwrap_or_default();
            let ids = children
                .split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok());
            family.extend(ids);
        }
    }
    family
}

/// Bytes of a process that are in memory.
fn resident(process: u32) -> Option<u64> {
    field(process, "status", "VmRSS:")
}

/// The same, each page divided by the processes that have it.
fn share(process: u32) -> Option<u64> {
    field(process, "smaps_rollup", "Pss:")
}

/// A field that the system gives in kB.
fn field(process: u32, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_children() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let me = std::process::id();
        let sleep = std::process::Command::new("sleep").arg("5").spawn();
        let mut sleep = sleep.unwrap();
        assert!(family(me).contains(&sleep.id()));
        assert!(is_counted(sleep.id(), me));
        assert!(!is_counted(me, sleep.id()), "a parent is no child");
        assert!(!is_counted(u32::MAX, me), "there is no such process");
        assert!(is_over(me, 1 << 10) && !is_over(me, 1 << 50));
        assert!(share(me).unwrap() <= resident(me).unwrap() + (64 << 20));
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert!(!is_over(u32::MAX, 0), "there is no such process");
    }
}
