"""How the spec tests run: what is drawn, what is checked, and what may not be missing.

Under pytest every shape and type in a signature of `saffu` is checked at every call (jaxtyping and
beartype, switched on in pyproject.toml).  Property tests draw examples by profile:

- `dev` (default): few examples, newly drawn, so that work in progress is quick to check;
- `ci`: more, the same on every machine and every day; nox uses it;
- `brief`: few of those, for laws that are held to elsewhere, on other libraries' arrays;
- `thorough`: twenty times as many, newly drawn.

Another is chosen with `--hypothesis-profile=NAME`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import jaxtyping
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:  # at run time only after the checks of shapes are in place
    from spec_tests.support.array_libraries import Library

SLOW_MACHINES = [HealthCheck.too_slow]
settings.register_profile(
    "dev", max_examples=25, deadline=None, suppress_health_check=SLOW_MACHINES
)
settings.register_profile(
    "ci", max_examples=50, deadline=None, derandomize=True, suppress_health_check=SLOW_MACHINES
)
settings.register_profile("brief", settings.get_profile("ci"), max_examples=8)
settings.register_profile(
    "thorough", max_examples=1000, deadline=None, suppress_health_check=SLOW_MACHINES
)
settings.load_profile("dev")

WITNESSES = ("torch", "sklearn")
"""The packages that tests marked `torch` compare with."""


def pytest_configure() -> None:
    """Programs that tests start hear Ctrl-C; a witness that is required may not be missing."""
    # a run that was started in the background ignores Ctrl-C, and so would every program it starts
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get("SAFFU_REQUIRE_WITNESS") != "1":
        return
    for witness in WITNESSES:
        try:
            import_module(witness)
        except ImportError as missing:
            raise pytest.UsageError(
                f"SAFFU_REQUIRE_WITNESS=1, but {witness} cannot be imported ({missing}); "
                "run nox -s witness, which installs it"
            ) from missing


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Other array libraries: the one asked for (`-p spec_tests.arrays`), or all but a GPU's."""
    if "library_name" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--arrays", None)
        every = ["strict", pytest.param("torch", marks=pytest.mark.torch)]
        metafunc.parametrize("library_name", [asked] if asked else every)


@pytest.fixture
def library(library_name: str) -> Library:
    """An array library other than NumPy."""
    from spec_tests.support.array_libraries import LIBRARIES

    pytest.importorskip({"strict": "array_api_strict"}.get(library_name, library_name))
    return LIBRARIES[library_name]()


@contextmanager
def shapes_unchecked() -> Iterator[None]:
    """Call `saffu` as its users do, without the checks of shapes and types."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture
def as_users_call() -> Iterator[None]:
    """The whole test without shape checks: for refusals, and for arrays that are not NumPy's.

    A wrong shape stops at the check of the signature, so without this fixture a test would never
    meet the refusal that a user meets.
    """
    with shapes_unchecked():
        yield
