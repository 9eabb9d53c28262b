//! Time, memory and stack of a rendering.
//!
//! Fuel pays for steps and for bytes, minijinja's and those of the library, so it bounds both. What
//! recursion is left is bounded by the front (nesting, tags) and the library (nesting of values);
//! it goes on in a thread whose stack holds it, whatever the caller's.

use super::said;
use crate::error::Error;
use minijinja::{Environment, ErrorKind, Value};
use std::thread;

/// Fuel of one rendering: a step of the template, or 64 bytes that it makes, costs one. Hundreds of
/// times what a long conversation takes, spent in a second or two.
const FUEL: u64 = 3_000_000;

/// Bytes of a thread's stack, of which only those that are used take memory.
const STACK: usize = 64 << 20;

/// Frames within each other: loops, `with`, and macros, which count for several.
const FRAMES: usize = 250;

pub(super) fn set(environment: &mut Environment<'static>) {
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(FRAMES);
    environment.add_function("raise_exception", |message: String| {
        Err::<String, _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    });
}

pub(super) fn compile(
    environment: &mut Environment<'static>,
    name: &'static str,
    source: String,
) -> Result<(), minijinja::Error> {
    aside(|| environment.add_template_owned(name, source))
}

/// Renders a template.
///
/// # Errors
///
/// [`Error::Template`] where it takes more than it may: the next conversation would, too.
/// [`Error::Tokenize`] where it refuses this one.
pub(super) fn render(
    environment: &Environment<'static>,
    name: &str,
    context: Value,
) -> Result<String, Error> {
    let rendered = aside(|| {
        let template = environment.get_template(name);
        let rendered = template.and_then(|template| template.render(&context));
        // What the template made may be nested deep, and is dropped here.
        drop(context);
        rendered.map_err(|error| (error.kind() == ErrorKind::OutOfFuel, said(&error)))
    });
    rendered.map_err(|(endless, message)| match endless {
        true => Error::Template {
            message: "takes more time or memory than any conversation needs".into(),
        },
        false => Error::Tokenize { message },
    })
}

/// Does something in a thread that has stack enough.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        // Without a thread there is no memory either, and nothing else to be done.
        let thread = thread.spawn_scoped(scope, work).expect("a thread starts");
        match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
