"""Supervisor of a port's processes, on Linux: none of them outlives it.   (SPEC 9)

    python -I -S supervisor.py PIPE KIT COMMAND [argument ...]

Runs the command in a session of its own, and ends as the command ends.  A process that the command
has started becomes a child of the supervisor when its own parent ends (PR_SET_CHILD_SUBREAPER),
whatever its session, so all of them can be found and killed.  That happens when the command has
ended, at SIGTERM, and after the end of the kit (the process KIT).  PIPE is a file descriptor for
the number of the error, if the command cannot be run.

This is a program of its own, on the standard library alone, so that it starts in little time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PERIOD = 1.0
"""Seconds between two looks at whether the kit is still there."""
_KILLING = 5.0
"""Seconds for which new processes of a command that goes on starting some are killed."""
_AWAITED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def supervise(pipe: int, kit: int, command: list[str]) -> int:
    """Run the command; returns its exit status, negative for a signal."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    os.set_inheritable(pipe, False)
    leader = os.fork()
    if leader == 0:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        try:
            os.execvp(command[0], command)
        except OSError as wrong:
            os.write(pipe, str(wrong.errno).encode())
        os._exit(127)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)  # the pipes end with the command, not with the supervisor
    os.close(pipe)
    status = _wait(leader, kit)
    kill_descendants()
    return -signal.SIGKILL if status is None else status


def _wait(leader: int, kit: int) -> int | None:
    """The exit status of the command; None if it has to be killed."""
    while True:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == leader:
                    return os.waitstatus_to_exitcode(ended[1])
        got = signal.sigtimedwait(_AWAITED, _PERIOD)
        if (got is not None and got.si_signo != signal.SIGCHLD) or os.getppid() != kit:
            return None


def kill_descendants() -> None:
    """Kill all children, and theirs, and so on until there is none."""
    until = time.monotonic() + _KILLING
    while time.monotonic() < until:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for process in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.001)


def descendants(root: int) -> list[int]:
    """Children of a process, and theirs, as far as they are not yet waited for."""
    children: dict[int, list[int]] = {}
    with os.scandir("/proc") as entries:
        processes = [int(entry.name) for entry in entries if entry.name.isdigit()]
    for process in processes:
        with contextlib.suppress(OSError), open(f"/proc/{process}/stat", "rb") as status:  # noqa: PTH123
            parent = int(status.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(process)
    below = list(children.get(root, ()))
    for process in below:
        below.extend(children.get(process, ()))
    return below


def main(arguments: list[str]) -> int:
    """Supervise, and end as the command ended."""
    status = supervise(int(arguments[0]), int(arguments[1]), arguments[2:])
    if status >= 0:
        return status
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has left its own
    with contextlib.suppress(OSError, ValueError):
        signal.signal(-status, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    os.kill(os.getpid(), -status)
    return 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
