"""Tests of what needs mutmut, which only the sessions on mutants install."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("mutmut") else ["test_generate.py"]
