//! A program with a clock and an end to its output.

use crate::error::Error;
use crate::eval::sandbox::memory::is_over;
use std::collections::VecDeque;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The exit code of a program that was killed.
const KILLED: i32 = 128 + 9;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code; 128 + n where signal n ended it.
    Exited(i32),
    /// It was killed, because its time was over.
    TimedOut,
}

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    /// The end of what it wrote to standard output.
    pub stdout: String,
    /// The end of what it wrote to standard error.
    pub stderr: String,
}

/// Runs `command` in a process group of its own without input; after `wall` the group is killed,
/// and where it and all its children together hold more than `memory` bytes.
pub(in crate::eval) fn run_limited(
    mut command: Command,
    wall: Duration,
    memory: Option<u64>,
    output: usize,
) -> Result<Outcome, Error> {
    let program = command.get_program().to_os_string();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(Error::io("run", program))?;
    let start = Instant::now();
    let stdout = tail_of(child.stdout.take(), output);
    let stderr = tail_of(child.stderr.take(), output);
    let mut greedy = None;
    let mut rounds = 0_u32..;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if start.elapsed() < wall => thread::sleep(Duration::from_millis(2)),
            _ => break None,
        }
        let look = rounds.next().is_some_and(|round| round.is_multiple_of(4));
        greedy = memory.filter(|most| look && is_over(child.id(), *most));
        if greedy.is_some() {
            break None;
        }
    };
    // What the program left behind in its group ends with it.
    kill_group(&mut child);
    // A child that left the group may hold a pipe open; it is not waited for.
    let grace = Duration::from_millis(500);
    let text = |receiver: mpsc::Receiver<Vec<u8>>| {
        let mut last = Vec::new();
        let end = Instant::now() + grace;
        while let Ok(bytes) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            last = bytes;
        }
        String::from_utf8_lossy(&last).into_owned()
    };
    let (stdout, mut stderr) = (text(stdout), text(stderr));
    let ended = match (status, greedy) {
        (Some(status), _) => Ended::Exited(code(status)),
        (None, None) => Ended::TimedOut,
        (None, Some(most)) => {
            stderr += &format!("\nkilled: its processes held more than {most} bytes of memory\n");
            Ended::Exited(KILLED)
        }
    };
    Ok(Outcome {
        ended,
        stdout,
        stderr,
    })
}

#[cfg(unix)]
fn kill_group(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Nobody is left in the group: that is what was wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(not(unix))]
fn kill_group(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(-1)
}

/// Reads to the end and sends the last `keep` bytes, whatever there was.
fn tail_of<R: Read + Send + 'static>(pipe: Option<R>, keep: usize) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let Some(mut pipe) = pipe else {
        return receiver;
    };
    thread::spawn(move || {
        let mut tail: VecDeque<u8> = VecDeque::new();
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            tail.extend(&buffer[..count]);
            let excess = tail.len().saturating_sub(keep);
            tail.drain(..excess);
        }
        // Nobody may be listening any more.
        let _ = sender.send(tail.into());
    });
    receiver
}
