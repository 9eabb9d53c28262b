//! Python programs that nobody has read, run so that they can do no harm.
//!
//! Isolation is the kernel's: namespaces made by util-linux's `unshare`, limits set by `prlimit`,
//! no library and no privilege needed.
//!
//! | the program | gets |
//! |---|---|
//! | files | a root of its own, read-only: `/usr`, the libraries, Python; a small folder in memory to write in; nothing else exists |
//! | network | a namespace without interfaces; Linux has no such thing for `AF_VSOCK`, by which a virtual machine speaks with its host |
//! | processes | a namespace of its own, whose first process is ours: when that ends, all end, however they detached themselves |
//! | user | no privilege, and none to be had; under root a user id that owns nothing |
//! | memory | a limit for each process, and for all together; no shared memory that belongs to none of them |
//! | CPU, processes, file size, open files | limits |
//! | environment, standard input | empty |
//! | open files of whoever runs it | none |
//! | output | its end is kept, the rest thrown away |
//! | time | a clock outside, which kills the process group |

mod calls;
mod memory;
pub(super) mod process;

pub use crate::eval::sandbox::process::Outcome;

use crate::error::Error;
use crate::eval::sandbox::process::{Ended, run_limited};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From start to kill.
    pub wall: Duration,
    /// Bytes of address space a process, and of memory all of them together.
    pub memory: u64,
    /// Processes and threads at a time.
    pub processes: u32,
    /// Bytes of a file, and of all files together.
    pub files: u64,
    /// Bytes kept of each output.
    pub output: usize,
}

impl Default for Limits {
    /// 5 s, 1 GiB, 16 processes, 16 MiB of files, 16 KiB of output.
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(5),
            memory: 1 << 30,
            processes: 16,
            files: 16 << 20,
            output: 16 << 10,
        }
    }
}

/// Where programs run.
#[derive(Clone, Debug)]
pub struct Sandbox {
    python: Python,
    tools: Option<Tools>,
    limits: Limits,
}

#[derive(Clone, Debug)]
struct Python {
    executable: PathBuf,
    /// Folders that it needs, outside `/usr`.
    folders: Vec<PathBuf>,
}

/// Programs of util-linux and coreutils, and who we are.
#[derive(Clone, Debug)]
struct Tools {
    unshare: PathBuf,
    sh: PathBuf,
    root: bool,
}

/// Exit code by which the script says that it did not come as far as the program.
const SETUP_FAILED: i32 = 97;

/// Runs as process 1 of the namespaces. Arguments: root, program, bytes for files, user id or `-`,
/// folders…, `--`, the command.
///
/// It stays as parent of the program instead of becoming it: a program cannot kill process 1 of its
/// namespace, and everything in there dies with it.
const SCRIPT: &str = r#"
fail() { echo "sandbox: $1" >&2; exit 97; }
root=$1 program=$2 size=$3 user=$4; shift 4
# Flags that an ordinary user's namespace inherits cannot be taken away, only repeated.
lock() { mount -o remount,bind,ro,nosuid,nodev "$1" 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev,noatime "$1"; }
mount -t tmpfs -o "mode=755,size=8m" tmpfs "$root" || fail "cannot mount a root"
while [ "$1" != "--" ]; do
  mkdir -p "$root$1" && mount --bind "$1" "$root$1" && lock "$root$1" || fail "cannot bind $1"
  shift
done
shift
mkdir -p "$root/box" "$root/dev" || fail "cannot make folders"
mount -t tmpfs -o "mode=1777,nosuid,nodev,size=$size" tmpfs "$root/box" || fail "cannot mount a folder to write in"
for device in null zero urandom; do
  : > "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device" || fail "cannot bind /dev/$device"
done
cat "$program" > "$root/program.py" || fail "cannot copy the program"
lock "$root" || fail "cannot make the root read-only"
drop="--no-new-privs --bounding-set=-all --inh-caps=-all"
[ "$user" = "-" ] || drop="$drop --reuid=$user --regid=$user --clear-groups"
chroot "$root" /usr/bin/setpriv $drop "$@"
code=$?
[ $code -ne 97 ] || code=1
exit $code
"#;

/// Closes what whoever started us left open, and becomes the command behind it. An open folder
/// would be a way out of any root.
const CLOSE: &str = "import os, sys; os.closerange(3, 65536); os.execv(sys.argv[1], sys.argv[1:])";

impl Sandbox {
    /// Isolated as the module says, or not at all.
    ///
    /// # Errors
    ///
    /// Where this system has no Python, or does not allow the isolation: a trial program has to
    /// run, in a namespace that has no network and a file system that it cannot write to.
    pub fn isolated(limits: Limits) -> Result<Self, Error> {
        let sandbox = Self {
            python: Python::find()?,
            tools: Some(Tools::find()?),
            limits,
        };
        if !sandbox.sees_children()? {
            return Err(refused(
                "the system does not tell of a process's children, so no limit counts their memory",
            ));
        }
        let trial = sandbox.run(TRIAL)?;
        if trial.ended == Ended::Exited(0) && trial.stdout.trim() == "isolated" {
            return Ok(sandbox);
        }
        let reason = trial.stderr.lines().last().unwrap_or("the trial failed");
        Err(refused(reason))
    }

    /// Whether memory of a child is found: of one that waits for an input.
    fn sees_children(&self) -> Result<bool, Error> {
        let mut command = Command::new(&self.python.executable);
        command.args(["-I", "-S", "-c", "input()"]);
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(Error::io("run", &self.python.executable))?;
        let counted = memory::is_counted(child.id(), std::process::id());
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        Ok(counted)
    }

    /// Not isolated: a fresh `python3 -I` with an empty environment in a temporary folder, a clock,
    /// and limits where `prlimit` is there. A program can read and write what you can, and use the
    /// network. For code that you trust, or inside a container of your own.
    ///
    /// # Errors
    ///
    /// Where this system has no Python.
    pub fn without_isolation(limits: Limits) -> Result<Self, Error> {
        Ok(Self {
            python: Python::find()?,
            tools: None,
            limits,
        })
    }

    /// Whether programs are isolated.
    pub fn is_isolated(&self) -> bool {
        self.tools.is_some()
    }

    /// Runs a Python program to its end, or to the limit of time.
    ///
    /// # Errors
    ///
    /// Where it could not be started; whatever the program does is an [`Outcome`].
    pub fn run(&self, program: &str) -> Result<Outcome, Error> {
        let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
        let path = folder.path().join("program.py");
        std::fs::write(&path, program).map_err(Error::io("write", &path))?;
        let mut command = match &self.tools {
            Some(tools) => self.isolated_command(tools, folder.path(), &path)?,
            None => self.plain_command(folder.path(), &path),
        };
        command.env_clear().env("PATH", PATH);
        let outcome = run_limited(
            command,
            self.limits.wall,
            Some(self.limits.memory),
            self.limits.output,
        )?;
        if self.is_isolated() && outcome.ended == Ended::Exited(SETUP_FAILED) {
            let reason = outcome.stderr.lines().last().unwrap_or("it failed");
            return Err(refused(reason));
        }
        Ok(outcome)
    }

    fn isolated_command(
        &self,
        tools: &Tools,
        folder: &Path,
        program: &Path,
    ) -> Result<Command, Error> {
        let root = folder.join("root");
        std::fs::create_dir(&root).map_err(Error::io("create", &root))?;
        let mut command = Command::new(&self.python.executable);
        command.args(["-I", "-S", "-c", CLOSE]).arg(&tools.unshare);
        if !tools.root {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--net", "--pid", "--ipc", "--uts", "--fork"]);
        command.args(["--kill-child", "--"]);
        command.arg(&tools.sh).args(["-c", SCRIPT, "sandbox"]);
        command.arg(&root).arg(program);
        command.arg(self.limits.files.to_string());
        command.arg(if tools.root { own_user() } else { "-".into() });
        for name in ["/usr", "/lib", "/lib64", "/bin"] {
            if Path::new(name).is_dir() {
                command.arg(name);
            }
        }
        command.args(&self.python.folders).arg("--");
        command.arg("/usr/bin/prlimit").args(self.limit_arguments());
        command.args(["/usr/bin/env", "-i", "--chdir=/box"]);
        command.arg(&self.python.executable);
        command.args(["-I", "-S", "-c", calls::WITHOUT]);
        command.arg(&self.python.executable);
        command.args(["-I", "-B", "/program.py"]);
        Ok(command)
    }

    fn plain_command(&self, folder: &Path, program: &Path) -> Command {
        let mut command = match find("prlimit") {
            Some(prlimit) => {
                let mut command = Command::new(prlimit);
                // Not the number of processes: without a namespace it would count all of the
                // user's.
                let limits = self.limit_arguments();
                command.args(limits.into_iter().filter(|l| !l.starts_with("--nproc")));
                command.arg(&self.python.executable);
                command
            }
            None => Command::new(&self.python.executable),
        };
        command.args(["-I", "-B"]).arg(program).current_dir(folder);
        command
    }

    fn limit_arguments(&self) -> Vec<String> {
        let Limits {
            wall,
            memory,
            processes,
            files,
            ..
        } = self.limits;
        vec![
            format!("--as={memory}"),
            format!("--cpu={}", wall.as_secs() + 1),
            format!("--nproc={processes}"),
            format!("--fsize={files}"),
            "--core=0".into(),
            "--nofile=64".into(),
        ]
    }
}

/// Prints "isolated" only if it is.
const TRIAL: &str = r#"
import os, socket
def refused(action):
    try:
        action()
    except OSError:
        return True
    return False
assert refused(lambda: open("/usr/burn-kto-trial", "w")), "can write outside its folder"
assert refused(lambda: socket.create_connection(("192.0.2.1", 9), 0.2)), "has a network"
assert not os.path.exists("/proc/1") and not os.path.exists("/home"), "sees the system's files"
assert os.getppid() == 1, "sees other processes"
assert not hasattr(os, "memfd_create") or refused(lambda: os.memfd_create("trial")), "has memory that no limit counts"
open("file", "w").write("can write in its folder")
print("isolated")
"#;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Python {
    fn find() -> Result<Self, Error> {
        let says =
            "import sys, os; print(os.path.realpath(sys.executable), sys.base_prefix, sep='\\n')";
        let asked = Command::new("python3").args(["-I", "-c", says]).output();
        let asked = asked.map_err(Error::io("run", "python3"))?;
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let [executable, prefix] = lines[..] else {
            let message = format!(
                "python3 does not run: {}",
                String::from_utf8_lossy(&asked.stderr).trim()
            );
            return Err(Error::Sandbox { message });
        };
        let outside =
            |folder: &&str| !folder.starts_with("/usr/") && !["/usr", "/"].contains(folder);
        Ok(Self {
            executable: executable.into(),
            folders: Some(prefix)
                .filter(outside)
                .map(PathBuf::from)
                .into_iter()
                .collect(),
        })
    }
}

impl Tools {
    fn find() -> Result<Self, Error> {
        let tool = |name| find(name).ok_or_else(|| refused(&format!("there is no program {name}")));
        for name in ["mount", "chroot", "setpriv", "prlimit", "env"] {
            tool(name)?;
        }
        Ok(Self {
            unshare: tool("unshare")?,
            sh: tool("sh")?,
            root: is_root(),
        })
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn find(name: &str) -> Option<PathBuf> {
    let folders = PATH.split(':').map(Path::new);
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// A user id that owns nothing, another for every program: the limit of processes counts by user.
fn own_user() -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::hash::RandomState::new().build_hasher().finish();
    (1_000_000_000 + random % 1_000_000_000).to_string()
}

fn refused(reason: &str) -> Error {
    let reason = reason.trim().trim_start_matches("sandbox: ");
    Error::Sandbox {
        message: format!("programs cannot be isolated here, so they are not run: {reason}"),
    }
}
