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

/// Fuel for each pair of messages, since templates look back and ahead from each to all others; and
/// the most of it, so that no conversation takes minutes.
const PAIR: u64 = 10;
const PAIRS: u64 = 40_000_000;

/// Bytes of a conversation from which on each is worth one more.
const LONG: usize = 1 << 20;

/// Messages of a conversation from which on it may be at fault, and not the template.
const MANY: usize = 100;

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

/// Messages and bytes of a conversation.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Size {
    /// What its rendering may take.
    fn fuel(self) -> u64 {
        let pairs = (self.messages as u64)
            .saturating_pow(2)
            .saturating_mul(PAIR);
        let bytes = if self.bytes > LONG {
            self.bytes as u64
        } else {
            0
        };
        (FUEL + pairs.min(PAIRS)).saturating_add(bytes)
    }

    fn is_long(self) -> bool {
        self.messages >= MANY || self.bytes > LONG
    }
}

/// Renders a template of a conversation of that size.
///
/// # Errors
///
/// [`Error::Template`] where a short one takes more than it may: the next would, too.
/// [`Error::Tokenize`] where a long one does, and where the template refuses this one.
pub(super) fn render(
    environment: &Arc<Environment<'static>>,
    name: &'static str,
    context: Value,
    size: Size,
) -> Result<String, Error> {
    let mut environment = environment.clone();
    // Cloned only where it matters: a handful of messages have fuel enough.
    if size.is_long() {
        Arc::make_mut(&mut environment).set_fuel(Some(size.fuel()));
    }
    // What the template made may be nested deep, and is dropped in there.
    let rendered = aside(move || {
        let template = environment.get_template(name);
        let rendered = template.and_then(|template| template.render(context));
        rendered.map_err(|error| (error.kind() == ErrorKind::OutOfFuel, said(&error)))
    });
    rendered.map_err(|(endless, message)| match endless {
        true if size.is_long() => Error::Tokenize {
            message: format!(
                "the chat template takes more time or memory than it may for a conversation of {} \
                 messages",
                size.messages
            ),
        },
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
