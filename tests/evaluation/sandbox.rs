//! Programs that try to do harm, and all canonical solutions.

use crate::common::shared;
use burn_kto::eval::*;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// `None`, with a line that says so, where the system does not allow isolation.
fn sandbox(limits: Limits) -> Option<Sandbox> {
    match Sandbox::isolated(limits) {
        Ok(sandbox) => Some(sandbox),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn short() -> Limits {
    Limits {
        wall: Duration::from_secs(2),
        ..Limits::default()
    }
}

fn run(program: &str) -> Option<Outcome> {
    Some(sandbox(short())?.run(program).unwrap())
}

/// Processes of this machine whose command line has `mark`.
fn running(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|p| std::fs::read_to_string(p.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(mark)).count()
}

#[test]
fn an_ordinary_program_runs() {
    let Some(outcome) = run("import math, sys\nprint(math.sqrt(16))\nsys.exit(3)") else {
        return;
    };
    assert_eq!(outcome.ended, Ended::Exited(3));
    assert_eq!(outcome.stdout, "4.0\n");
}

#[test]
fn it_knows_nothing_of_who_runs_it() {
    let program = "import os, sys\nprint(sorted(os.environ), sys.stdin.read(), os.getcwd(), sys.flags.isolated, sorted(os.listdir('/')))";
    let Some(outcome) = run(program) else { return };
    let words = outcome.stdout;
    // Python itself sets LC_CTYPE where there is no locale.
    assert!(
        words.starts_with("['LC_CTYPE']  /box 1") || words.starts_with("[]  /box 1"),
        "{words}"
    );
    for hidden in ["'home'", "'etc'", "'tmp'", "'proc'", "'var'"] {
        assert!(!words.contains(hidden), "{words}");
    }
}

#[test]
fn an_endless_loop_ends() {
    let start = Instant::now();
    let Some(outcome) = run("while True: pass") else {
        return;
    };
    assert_eq!(outcome.ended, Ended::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_sleeper_that_left_its_group_ends() {
    let program = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.execv(__import__('sys').executable, ['python3', '-c', 'import time; time.sleep(600) # mark-8461'])\n    time.sleep(600)\ntime.sleep(600)";
    let Some(outcome) = run(program) else { return };
    assert_eq!(outcome.ended, Ended::TimedOut);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(running("mark-8461"), 0);
    // The same where the first process ends by itself.
    let program = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.execv(__import__('sys').executable, ['python3', '-c', 'import time; time.sleep(600) # mark-8462'])\ntime.sleep(0.5)";
    let outcome = run(program).unwrap();
    assert_eq!(outcome.ended, Ended::Exited(0));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(running("mark-8462"), 0);
}

#[test]
fn a_fork_bomb_is_stopped() {
    let program = "import os\nn = 0\ntry:\n    while True:\n        if os.fork() == 0:\n            import time; time.sleep(600)\n        n += 1\nexcept OSError:\n    print('stopped after', n)";
    let Some(outcome) = run(program) else { return };
    assert_eq!(outcome.ended, Ended::Exited(0), "{outcome:?}");
    let n: usize = outcome
        .stdout
        .trim()
        .rsplit(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(n < 16, "{n}");
    // All of its children bombing too.
    let outcome =
        run("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass").unwrap();
    assert_eq!(outcome.ended, Ended::TimedOut);
}

#[test]
fn an_allocation_of_100_gb_fails() {
    let Some(outcome) = run("x = bytearray(100 * 10**9)\nprint('got it')") else {
        return;
    };
    assert_eq!(outcome.ended, Ended::Exited(1));
    assert!(outcome.stderr.contains("MemoryError"), "{outcome:?}");
}

#[test]
fn writing_outside_the_folder_fails() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "untouched").unwrap();
    let program = format!(
        "import os\nwritten = []\nfor path in ['/usr/x', '/x', '/bin/x', '/program.py', '/dev/x', '/tmp/x', '/var/tmp/x', '/dev/shm/x', '/etc/passwd', {victim:?}, os.path.expanduser('~/x')]:\n    try:\n        open(path, 'a').write('x'); written.append(path)\n    except OSError: pass\ntry:\n    os.remove({victim:?})\nexcept OSError: pass\nprint(written)\nopen('inside', 'w').write('x')"
    );
    let Some(outcome) = run(&program) else { return };
    assert_eq!(outcome.ended, Ended::Exited(0), "{outcome:?}");
    assert_eq!(outcome.stdout, "[]\n");
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    // And not too much inside.
    let program = "for i in range(40):\n    open(f'f{i}', 'wb').write(b'x' * 2**20)";
    let outcome = run(program).unwrap();
    assert!(outcome.stderr.contains("No space left"), "{outcome:?}");
    let outcome = run("open('f', 'wb').write(b'x' * 2**25)").unwrap();
    assert_ne!(outcome.ended, Ended::Exited(0));
}

#[test]
fn a_socket_reaches_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let program = format!(
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)\nprint('connected')"
    );
    let Some(outcome) = run(&program) else { return };
    assert_eq!(outcome.ended, Ended::Exited(1));
    assert!(
        outcome.stderr.contains("OSError") || outcome.stderr.contains("unreachable"),
        "{outcome:?}"
    );
    assert!(listener.accept().is_err());
    // Without isolation it would have been reached: the test can fail.
    let open = Sandbox::without_isolation(short())
        .unwrap()
        .run(&program)
        .unwrap();
    assert_eq!(open.stdout, "connected\n");
}

#[test]
fn killing_the_parent_kills_nobody_else() {
    let own = std::process::id();
    let program = format!(
        "import os, signal\nfor victim in [os.getppid(), {own}, 1, -1]:\n    try: os.kill(victim, signal.SIGKILL)\n    except OSError as error: print(victim, type(error).__name__)\nprint('alive')"
    );
    let Some(outcome) = run(&program) else { return };
    // We are still here, and the program's own end is an ordinary outcome.
    assert!(matches!(outcome.ended, Ended::Exited(_)), "{outcome:?}");
}

#[test]
fn output_has_an_end() {
    let limits = Limits {
        output: 1000,
        ..short()
    };
    let Some(sandbox) = sandbox(limits) else {
        return;
    };
    let outcome = sandbox.run("print('x' * 10**7)\nprint('end')").unwrap();
    assert_eq!(outcome.ended, Ended::Exited(0));
    assert_eq!(outcome.stdout.len(), 1000);
    assert!(outcome.stdout.ends_with("xend\n") || outcome.stdout.ends_with("x\nend\n"));
}

#[test]
fn privileges_cannot_be_had() {
    let program = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.mount(b'none', b'/box', b'tmpfs', 0, None), libc.setuid(0) if os.getuid() else -1, libc.unshare(0x00020000), libc.chroot(b'/box'), libc.unshare(0x10000000))";
    let Some(outcome) = run(program) else { return };
    assert_eq!(outcome.stdout.trim(), "-1 -1 -1 -1 -1", "{outcome:?}");
}

#[test]
fn every_canonical_solution_passes() {
    let Some(path) = shared("HumanEval.jsonl.gz") else {
        return;
    };
    let Some(sandbox) = sandbox(Limits::default()) else {
        return;
    };
    let task = HumanEval::load(path, Samples::default(), sandbox).unwrap();
    assert_eq!(task.items().len(), 164);
    for (index, item) in task.items().iter().enumerate() {
        let failure = task.failure(index, task.canonical_solution(index)).unwrap();
        assert_eq!(failure, None, "{}", item.id);
    }
    // What is wrong does not pass, leaving early included.
    assert!(
        task.failure(0, "    return None\n")
            .unwrap()
            .unwrap()
            .contains("AssertionError")
    );
    let left = task
        .failure(0, "    return None\nimport os; os._exit(0)\n")
        .unwrap();
    assert_eq!(left.as_deref(), Some("ended before the tests"));
}

#[test]
fn the_published_example_gives_one_half() {
    let (Some(problems), Some(samples)) = (
        shared("humaneval_example_problem.jsonl"),
        shared("humaneval_example_samples.jsonl"),
    ) else {
        return;
    };
    let Some(sandbox) = sandbox(short()) else {
        return;
    };
    let task = HumanEval::load(problems, Samples::default(), sandbox).unwrap();
    let text = std::fs::read_to_string(samples).unwrap();
    let completion = |line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["completion"].as_str().unwrap().to_string()
    };
    let texts: Vec<String> = text.lines().map(completion).collect();
    assert_eq!(texts.len(), 6);
    let grade = task
        .grade(
            0,
            &Texts {
                texts,
                truncated: false,
            },
        )
        .unwrap();
    assert_eq!(grade.metrics["pass@1"], 0.5, "{grade:?}");
    assert_eq!(grade.extracted["sample 1"].as_deref(), Some("timed out"));
}

#[test]
fn files_that_were_left_open_are_not_passed_on() {
    use rustix::io::{FdFlags, fcntl_setfd};
    let folder = std::fs::File::open("/").unwrap();
    fcntl_setfd(&folder, FdFlags::empty()).unwrap();
    let program = "import os\nfor fd in range(3, 1024):\n    try: print(fd, os.listdir(fd))\n    except OSError: pass\nprint('end')";
    let Some(outcome) = run(program) else { return };
    assert_eq!(outcome.stdout, "end\n", "{outcome:?}");
}

#[test]
fn memory_that_belongs_to_no_process_cannot_be_had() {
    let program = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\ndef denied(result): return (result, ctypes.get_errno())\nprint(denied(libc.shmget(0, 1 << 20, 0o1600)), denied(libc.msgget(0, 0o1600)), denied(libc.memfd_create(b'a', 0)), flush=True)\nif os.fork() == 0: print(denied(libc.memfd_create(b'a', 0)))\nelse: os.wait()";
    let Some(outcome) = run(program) else { return };
    assert_eq!(
        outcome.stdout, "(-1, 1) (-1, 1) (-1, 1)\n(-1, 1)\n",
        "{outcome:?}"
    );
}

#[test]
fn processes_share_one_limit_of_memory() {
    let limits = Limits {
        memory: 512 << 20,
        ..Limits::default()
    };
    let Some(sandbox) = sandbox(limits) else {
        return;
    };
    // Each by itself holds a quarter of what all may have.
    let holders = |many: usize| {
        format!(
            "import os, time\nfor _ in range({many}):\n    if os.fork() == 0:\n        held = bytearray(os.urandom(1 << 10)) * (128 << 10)\n        time.sleep(2)\n        os._exit(0)\nfor _ in range({many}): os.wait()\nprint('done')"
        )
    };
    let outcome = sandbox.run(&holders(8)).unwrap();
    assert_eq!(outcome.ended, Ended::Exited(137), "{outcome:?}");
    assert!(outcome.stderr.contains("more than 536870912 bytes"));
    let outcome = sandbox.run(&holders(2)).unwrap();
    assert_eq!(outcome.ended, Ended::Exited(0), "{outcome:?}");
    // Pages that a fork shares count once.
    let program = "import os, time\nheld = bytearray(os.urandom(1 << 10)) * (150 << 10)\nfor _ in range(5):\n    if os.fork() == 0:\n        time.sleep(1)\n        os._exit(0)\nfor _ in range(5): os.wait()\nprint('done')";
    let outcome = sandbox.run(program).unwrap();
    assert_eq!(outcome.stdout, "done\n", "{outcome:?}");
}
