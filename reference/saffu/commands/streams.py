"""Wrappers of standard output and error: printing to them never fails.

A command computes for minutes and then prints; a character that the terminal cannot show, a reader
that went away, a full disk or a closed stream must not cost the result.  A character outside of the
encoding is written as its escape (`\\u03b1`); after an error of the system nothing more is written
to that stream, and the error is reported at the end.  A stream that was closed from the start is
replaced by the null device, also at its descriptor, so that no file opened later can take its place
and receive what is printed.   [D]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Outlet:
    """A text stream that takes whatever is written to it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.lost: OSError | None = None
        """The error after which nothing more was written."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text, with escapes for what the encoding lacks."""
        if self.lost is None:
            try:
                try:
                    self.stream.write(text)
                except UnicodeEncodeError:
                    encoding = self.stream.encoding
                    self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            except OSError as problem:
                self._lose(problem)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand over to the system what was written."""
        if self.lost is None:
            try:
                self.stream.flush()
            except OSError as problem:
                self._lose(problem)

    def _lose(self, problem: OSError) -> None:
        """Write nothing more; without the null device, Python would fail once again at its end."""
        self.lost = problem
        with suppress(OSError, ValueError):  # a stream without a descriptor
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.stream.fileno())
            os.close(null)


@contextmanager
def standard_streams() -> Iterator[Outlet]:
    """`sys.stdout` and `sys.stderr` as outlets for a while; gives the former."""
    before: tuple[TextIO | None, TextIO | None] = sys.stdout, sys.stderr
    if None in (sys.stdin, *before):
        _occupy_descriptors()
    null = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 (closed below)
    out, err = (Outlet(null if stream is None else stream) for stream in before)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before
        null.close()


def _occupy_descriptors() -> None:
    """Open the null device at each of the descriptors 0, 1 and 2 that is closed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
