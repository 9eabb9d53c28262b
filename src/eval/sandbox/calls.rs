//! Calls of the system that a program has to do without.

/// Python that forbids calls to itself and becomes the command behind it.
///
/// Memory that these calls give belongs to no process, so that no limit of a process counts it:
/// System V's shared memory and messages, files in memory, rings. They fail with `EPERM`, and so
/// does whatever is called in another architecture's way. The filter is a program of four-field
/// instructions that the kernel runs at each call; it stays on, in children too.
pub(super) const WITHOUT: &str = r#"
import os, sys
try:
    import ctypes, struct
    architecture, numbers = {
        "x86_64": (0xC000003E, [29, 68, 319, 323, 425, 447]),
        "aarch64": (0xC00000B7, [194, 186, 279, 282, 425, 447]),
    }[os.uname().machine]
    LOAD, EQUAL, ABOVE, END = 0x20, 0x15, 0x35, 0x06
    ALLOW, REFUSE = 0x7FFF0000, 0x00050001
    last = 5 + len(numbers)
    to_refuse = lambda at: last - at - 1
    filter = [(LOAD, 0, 0, 4), (EQUAL, 0, to_refuse(1), architecture)]
    filter += [(LOAD, 0, 0, 0), (ABOVE, to_refuse(3), 0, 0x40000000)]
    filter += [(EQUAL, to_refuse(at), 0, number) for at, number in enumerate(numbers, 4)]
    filter += [(END, 0, 0, ALLOW), (END, 0, 0, REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in filter))
    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
    program = Filter(len(filter), ctypes.addressof(code))
    SECCOMP, BY_FILTER = 22, 2
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(SECCOMP, BY_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")
except Exception as error:
    print("sandbox: cannot forbid calls:", repr(error), file=sys.stderr)
    sys.exit(97)
os.execv(sys.argv[1], sys.argv[1:])
"#;
