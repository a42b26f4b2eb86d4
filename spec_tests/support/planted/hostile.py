"""Modules that harm the kit, or try to: the source text of each by the name of its way.

All have `priming_number` and `perplexity`; the harm is done in the latter, or where the name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_RIGHT: Final = """\
import ctypes, os, subprocess, sys, threading, time
import numpy as np

def priming_number(features):
    if (features < 0).any():
        raise ValueError("negative")
    return features.sum() / len(features)
"""

_FUNCTIONS: Final[Mapping[str, str]] = {
    "right": "return np.exp(nats.mean())",
    "_exit": "os._exit(0)",
    "execv": "os.execv('/bin/true', ['true'])",
    "native-exit": "ctypes.CDLL(None)._exit(0)",
    "sys-exit": "sys.exit(0)",
    "panic": "raise type('Panic', (BaseException,), {})('a cancelled task')",
    "silent-error": """\
def silent(self):
        raise RuntimeError
    raise type('Silent', (Exception,), {'__str__': silent, '__repr__': silent})()""",
    "keyboard": "raise KeyboardInterrupt",
    "late": """\
try:
        time.sleep(600)
    except:
        pass
    return np.exp(nats.mean())""",
    "never": """\
while True:
        try:
            time.sleep(600)
        except:
            pass""",
    "thread": """\
threading.Thread(target=time.sleep, args=(600,)).start()
    return np.exp(nats.mean())""",
    "prints": """\
print('\\x1b[2J' * 1000)
    os.write(1, b'{"seq": 1, "outputs": {}}\\n' * 100)
    return np.exp(nats.mean())""",
    "reads": "return np.exp(nats.mean() + len(sys.stdin.read()))",
    "endless-array": "return np.broadcast_to(0.0, (10**9, 10**9))",
    "long-error": "raise ValueError('\\x1b[31m' * 10**7)",
}
"""The body of `perplexity`."""

_IMPORTS: Final[Mapping[str, str]] = {
    "sys-exit-at-import": "sys.exit(0)",
    "_exit-at-import": "os._exit(0)",
    "native-exit-at-import": "ctypes.CDLL(None)._exit(0)",
    "panic-at-import": "raise type('Panic', (BaseException,), {})('at import')",
    "coloured": "__version__ = DEVICE = '\\x1b[31mred\\x1b]0;title\\x07\\u202e'",
    "silent-version": "__version__ = type('V', (), {'__str__': lambda self: 1 / 0})()",
    "patches-the-kit": """\
from saffu.conformance.judging import runner, tolerance, verdict
right = tolerance.Judgement(True, {}, (), None)
verdict.judge = tolerance.judge = lambda *_: right""",
}
"""What is done at import; `perplexity` is wrong."""

_FRAMES: Final = """\
def perplexity(nats):
    frame = sys._getframe()
    while frame is not None:
        case = frame.f_locals.get('case') or frame.f_locals.get('judged')
        if hasattr(case, 'outputs'):
            if case.reject:
                raise ValueError(case.reject)
            return case.outputs['perplexity'].value
        frame = frame.f_back
    return 0.0
"""

WAYS: Final[Mapping[str, str]] = {
    **{way: f"{_RIGHT}\ndef perplexity(nats):\n    {body}\n" for way, body in _FUNCTIONS.items()},
    **{
        way: f"{_RIGHT}\ndef perplexity(nats):\n    return 0.0\n\n{code}\n"
        for way, code in _IMPORTS.items()
    },
    "reads-frames": f"{_RIGHT}\n{_FRAMES}",
}
"""The source text of a module by its way."""


def plant(folder: Path, way: str) -> str:
    """Write the module; returns its name."""
    name = f"hostile_{way.replace('-', '_')}"
    (folder / f"{name}.py").write_text(WAYS[way], encoding="utf-8")
    return name
