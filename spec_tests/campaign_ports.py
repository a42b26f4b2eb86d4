"""A campaign of hostile ports: `python -m spec_tests.campaign_ports FOLDER [--ports 200]`.

Each port is drawn from a seed: a module or a program that speaks JSON lines, with some harm at
import or in `perplexity`.  None may pass, none may keep the kit beyond its limits or make it take
more than 1 GiB, none may leave a process, and each gets a verdict and a complete report.  The seeds
of those that do not are printed.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from saffu.conformance.report.lines import read
from saffu.errors import BadFile
from spec_tests.support.planted.cases import write_suite

TIMEOUT: Final = 2.0
LIMIT: Final = 240.0
"""Seconds for a whole run of five cases with two restarts, on a busy machine."""
MEMORY: Final = 1024
"""MiB."""

HARMS: Final = (
    "os._exit(0)", "sys.exit(0)", "os.abort()", "os.execv('/bin/true', ['true'])",
    "ctypes.CDLL(None)._exit(0)", "ctypes.string_at(0)", "os.kill(os.getpid(), 9)",
    "os.kill(os.getppid(), 9)", "os.kill(os.getppid(), 15)", "os.killpg(0, 9)",
    "raise KeyboardInterrupt", "raise GeneratorExit",
    "raise type('P', (BaseException,), {'__str__': lambda s: 1 / 0})()",
    "raise type('P', (ValueError,), {'reason': property(lambda s: 1 / 0)})()",
    "raise ValueError('\\x1b[2J' * 10**6)", "raise NotImplementedError('later', 'file:///etc')",
    "raise MemoryError", "raise RecursionError", "f = lambda: f(); f()",
    "time.sleep(600)", "swallow()", "[0 for _ in iter(int, 1)]",
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); time.sleep(600)",
    "os.kill(os.getpid(), signal.SIGSTOP)",
    "[os.close(i) for i in range(3, 64) if is_open(i)]", "os.closerange(0, 3)",
    "spray(b'\\0' * 2**20, 64)", "spray(b'{}\\n', 10**5)", "spray(b'[' * 10**6 + b'\\n', 1)",
    "spray(b'{\"seq\": 1, \"outputs\": {}}\\n', 1000)", "spray(b'\\xff\\x1b[31m\\n', 3)",
    "spray(b'{\"seq\": 1, \"errored\": {\"message\": \"\"}}\\n', 15)",
    "zeros(2**21)", "zeros(2**22 - 100)", "shape(400_000)", "shape(9)", "shape(1, 2**80)",
    "escape()", "escape(); os._exit(0)", "thread(); os._exit(0)", "thread()", "fork_bomb(20)",
    "setattr(np, 'exp', lambda x: x)", "sys.modules.clear()",
    "sys.stdout.close(); sys.stderr.close()", "sys.setrecursionlimit(10)",
    "gc.disable(); [x.clear() for x in gc.get_objects() if type(x) is dict and len(x) == 2]",
)  # fmt: skip
"""What is done, in Python; what it does to standard output is the harm of programs mostly."""

_COMMON: Final = """\
import ctypes, gc, json, os, signal, subprocess, sys, threading, time

def swallow():
    while True:
        try:
            time.sleep(600)
        except:
            pass

def is_open(descriptor):
    try:
        return os.fstat(descriptor) is not None
    except OSError:
        return False

def spray(data, times):
    for stream in (1, 3, 4, 5):
        for _ in range(times if is_open(stream) else 0):
            try:
                os.write(stream, data)
            except OSError:
                break

def line(record):
    spray((json.dumps({"seq": SEQ, "outputs": {"perplexity": record}}) + "\\n").encode(), 1)

def zeros(entries):
    line({"dtype": "int64", "shape": [entries], "data": [0] * entries})

def shape(dimensions, size=10):
    line({"dtype": "int64", "shape": [size] * dimensions, "data": [0]})

def escape():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", "599"], MARK)
        os._exit(0)

def thread():
    threading.Thread(target=time.sleep, args=(600,)).start()

def fork_bomb(times):
    for _ in range(times):
        if os.fork() == 0:
            os.setsid()
            os.execve("/bin/sleep", ["sleep", "599"], MARK)

SEQ, CALLS, MARK = 1, 0, {"SAFFU_CAMPAIGN": os.environ["SAFFU_CAMPAIGN"]}

def harm():
    global CALLS
    CALLS += 1
    if CALLS in WHEN:
        HARM
"""

_MODULE: Final = """
import numpy as np
if 0 in WHEN:
    WHEN += (1,)
    harm()

def priming_number(features):
    if (features < 0).any():
        raise ValueError("negative")
    return features.sum() / len(features)

def perplexity(nats):
    harm()
    return ANSWER
"""

_PROGRAM: Final = """
if 0 in WHEN:
    WHEN += (1,)
    harm()
for text in sys.stdin:
    message = json.loads(text)
    if message["cmd"] == "start":
        reply = {"protocol": 1, "name": "hostile", "version": "1", "language": "Python",
                 "precision": "float64", "operations": ["perplexity"]}
    elif message["cmd"] == "stop":
        break
    else:
        SEQ = message["seq"]
        harm()
        value = {"dtype": "float64", "shape": [], "data": [0.5]}
        reply = {"seq": SEQ, "outputs": {"perplexity": value}}
    print(json.dumps(reply), flush=True)
"""

_KIT: Final = """\
import resource, sys
from saffu.conformance.__main__ import main
try:
    code = main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w") as most:
        most.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
sys.exit(code)
"""


class Outcome(NamedTuple):
    """What came of one port."""

    seed: int
    code: int | None
    seconds: float
    memory: int
    """MiB of the kit"""
    faults: tuple[str, ...]


def source(seed: int) -> tuple[str, bool]:
    """The text of a port, and whether it is a module."""
    draw = random.Random(seed)
    module = draw.random() < 0.6
    when = draw.choice(((1,), (2,), (1, 2), (0,), tuple(range(1, 9))))
    answer = draw.choice(("0.5", "np.zeros(2)", "None", "np.broadcast_to(0.0, (10**9,) * 2)"))
    text = (_COMMON + (_MODULE if module else _PROGRAM)).replace("ANSWER", answer)
    return f"WHEN = {when}\n" + text.replace(
        "        HARM", f"        {draw.choice(HARMS)}"
    ), module


def judge(seed: int, folder: Path) -> Outcome:
    """Run `saffu check` on the port of a seed."""
    text, module = source(seed)
    name, out, most = f"hostile_{seed}", folder / f"report_{seed}", folder / f"memory_{seed}"
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    port = [name] if module else ["--", sys.executable, f"{name}.py"]
    mark = f"campaign-{os.getpid()}-{seed}"
    before = time.monotonic()
    code: int | None
    with (folder / f"{name}.txt").open("wb") as said:
        kit = subprocess.Popen(
            [sys.executable, "-c", _KIT, most, "check", "--golden", folder / "golden",
             "--only", "perplexity", "--timeout", str(TIMEOUT), "--restarts", "2",
             "--start-timeout", "30", "--report", out, *port],
            cwd=folder, stdout=said, stderr=said, stdin=subprocess.DEVNULL,
            env={**os.environ, "SAFFU_CAMPAIGN": mark},
        )  # fmt: skip
        try:
            code = kit.wait(LIMIT)
        except subprocess.TimeoutExpired:
            kit.kill()
            code = kit.wait() and None
    seconds = time.monotonic() - before
    memory = int(most.read_text()) if most.exists() else 0
    return Outcome(seed, code, seconds, memory, tuple(_faults(code, memory, out, mark)))


def _faults(code: int | None, memory: int, out: Path, mark: str) -> Iterator[str]:
    if code is None:
        yield "hangs"
    elif code not in (1, 2, 3):
        yield "passes" if code == 0 else f"status {code}"
    if memory == 0 or memory > MEMORY:
        yield f"memory {memory} MiB"
    try:
        read(out / "results.jsonl")
    except BadFile as incomplete:
        yield f"report: {incomplete}"
    left = list(marked(mark))
    if left:
        yield f"left behind: {left}"


def marked(mark: str) -> Iterator[int]:
    """Processes whose environment holds the mark."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"SAFFU_CAMPAIGN={mark}\0".encode() in environment.read_bytes():
                yield int(environment.parent.name)
        except OSError:  # it has ended, or is somebody else's
            continue


def main() -> int:
    """Run the campaign; returns 1 if a port did harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder for ports and reports")
    parser.add_argument("--ports", type=int, default=200, help="number of ports (default: 200)")
    parser.add_argument("--first", type=int, default=0, help="first seed (default: 0)")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    write_suite(args.folder / "golden")
    outcomes = []
    for seed in range(args.first, args.first + args.ports):
        outcomes.append(judge(seed, args.folder))
        each = outcomes[-1]
        sys.stdout.write(
            f"{seed}: status {each.code}, {each.seconds:.1f} s, {each.memory} MiB"
            f"{'; HARM: ' if each.faults else ''}{'; '.join(each.faults)}\n"
        )
        sys.stdout.flush()
    harmed = [each.seed for each in outcomes if each.faults]
    sys.stdout.write(
        f"{len(outcomes)} ports, {len(harmed)} did harm {harmed}; longest "
        f"{max(each.seconds for each in outcomes):.1f} s, most memory "
        f"{max(each.memory for each in outcomes)} MiB\n"
    )
    return 1 if harmed else 0


if __name__ == "__main__":
    sys.exit(main())
