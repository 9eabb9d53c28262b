//! A panic of a driver as text.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;

/// The result, or the text of a panic, which is not printed.
pub(super) fn quietly<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    // The hook belongs to the process: one at a time, lest one takes another's silence for the
    // original.
    static HOOK: Mutex<()> = Mutex::new(());
    let _one = HOOK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    panic::set_hook(hook);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let line = text.and_then(|text| text.lines().next()).unwrap_or("");
        // What went wrong panicked on the device's own thread; this one only saw that it was gone.
        if line.is_empty() || line.contains("RecvError") {
            return "its driver gave up without a word".into();
        }
        line.to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_text_and_the_hook_comes_back() {
        assert_eq!(quietly(|| 7), Ok(7));
        let text = quietly(|| panic!("first line\nsecond")).unwrap_err();
        assert_eq!(text, "first line");
    }
}
