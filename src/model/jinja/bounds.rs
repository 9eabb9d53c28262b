//! Time, memory and stack of a rendering.
//!
//! Fuel pays for steps and for bytes, minijinja's and those of the library, so it bounds both. What
//! recursion is left is bounded by the front (nesting, tags) and the library (nesting of values);
//! it goes on in a thread whose stack holds it, whatever the caller's.

use super::said;
use crate::error::Error;
use minijinja::{Environment, ErrorKind, Value};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Fuel of one rendering: a step of the template, or 64 bytes that it makes, costs one. Hundreds of
/// times what a long conversation takes, spent in a second or two.
const FUEL: u64 = 3_000_000;

/// Bytes of a conversation from which on each is worth one more.
const LONG: usize = 1 << 20;

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

/// An environment with one more template.
pub(super) fn compile(
    mut environment: Environment<'static>,
    name: &'static str,
    source: String,
) -> Result<Environment<'static>, minijinja::Error> {
    aside(move || {
        environment.add_template_owned(name, source)?;
        Ok(environment)
    })
}

/// Renders a template of a conversation that has so many bytes.
///
/// # Errors
///
/// [`Error::Template`] where it takes more than it may: the next conversation would, too.
/// [`Error::Tokenize`] where it refuses this one.
pub(super) fn render(
    environment: &Arc<Environment<'static>>,
    name: &'static str,
    context: Value,
    size: usize,
) -> Result<String, Error> {
    let mut environment = environment.clone();
    if size > LONG {
        let fuel = FUEL.saturating_add(size as u64);
        Arc::make_mut(&mut environment).set_fuel(Some(fuel));
    }
    // What the template made may be nested deep, and is dropped in there.
    let rendered = aside(move || {
        let template = environment.get_template(name);
        let rendered = template.and_then(|template| template.render(context));
        rendered.map_err(|error| (error.kind() == ErrorKind::OutOfFuel, said(&error)))
    });
    rendered.map_err(|(endless, message)| match endless {
        true => Error::Template {
            message: "takes more time or memory than any conversation needs".into(),
        },
        false => Error::Tokenize { message },
    })
}

type Work = Box<dyn FnOnce() + Send>;

thread_local! {
    /// To the thread that works for this one. It ends with it. One for each work would cost more
    /// than most renderings.
    static ASIDE: RefCell<Option<Sender<Work>>> = const { RefCell::new(None) };
}

/// Does something in a thread that has stack enough.
pub(super) fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (answer, answered) = channel();
    let work: Work = Box::new(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        // Nobody stops waiting before.
        let _ = answer.send(done);
    });
    ASIDE.with_borrow_mut(|aside| {
        let sender = aside.get_or_insert_with(start);
        if let Err(unsent) = sender.send(work) {
            // That thread was ended from outside.
            *sender = start();
            let _ = sender.send(unsent.0);
        }
    });
    match answered.recv() {
        Ok(Ok(done)) => done,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => unreachable!("a thread that panics answers, too"),
    }
}

fn start() -> Sender<Work> {
    let (sender, works) = channel::<Work>();
    let thread = thread::Builder::new().stack_size(STACK);
    let thread = thread.name("chat template".into());
    // Without a thread there is no memory either, and nothing else to be done.
    let thread = thread.spawn(move || works.into_iter().for_each(|work| work()));
    drop(thread.expect("a thread starts"));
    sender
}
