"""A plugin for pytest that runs the spec tests on another library's arrays.

    pytest -p spec_tests.arrays --arrays strict

The tests stay as they are.  Every public function of the modules in MODULES is wrapped from
outside (`support/through_library.py`): what a test gives it becomes the library's, what it returns
comes home.  `strict` and `cupy` take everything over; with `torch` whole numbers and truth values
stay on the host, which the functions have to take as well.

The last test of a run fails unless foreign numbers went into every wrapped function.  Tests marked
`torch` compare the reference with other implementations, and are left to `nox -s witness`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:  # at run time only after pytest has put its checks in place
    from spec_tests.support.through_library import ThroughLibrary

MODULES: Final = (
    "arrays.namespace", "cipher", "embedding", "contexts",
    "numerics", "loss", "attention", "layer", "counts",
    "explicit.smoothing", "explicit.solution", "explicit.temper", "explicit.choice",
    "explicit.refinement", "explicit.hidden", "warm.layer", "warm.start",
    "model", "optim",
)  # fmt: skip
"""The modules of `saffu` whose functions take arrays of any library."""

TESTS: Final = (
    *(f"test_{module.replace('.', '_')}.py" for module in MODULES),
    "test_checks.py",
    "test_arrays_kernels.py",
    "test_array_libraries.py",
    "test_golden_array_libraries.py",
)
"""The files that are run; the others are about text, files and programs."""

LEFT_ALONE: Final = frozenset(
    {"arrays.namespace.namespace", "arrays.namespace.on_host", "arrays.namespace.beside"}
)
"""Functions that tell libraries apart, and are called with those of their test's choice."""

OF_TEXT: Final = frozenset({
    "attention.gains", "cipher.bit_cipher", "cipher.cipher_embedding", "contexts.earlier_samples",
    "contexts.has_slots", "contexts.is_bag", "contexts.parse_contexts", "embedding.annulus",
    "embedding.check_radii", "warm.start.check_slots", "warm.start.check_slot_tempers",
    "warm.start.embed", "warm.start.label_embedding", "loss.bits_per_byte",
})  # fmt: skip
"""Functions that no array of fractions goes into."""

WITHIN: Final = frozenset({
    "embedding.normalise_or_fall_back", "explicit.smoothing.refuse_fractions",
    "explicit.smoothing.smooth_computed",
    "explicit.temper.largest_spread", "layer.check_context", "layer.check_inputs",
    "layer.check_weights", "numerics.check_logits", "warm.start.solve_tower", "optim.check_adam",
})  # fmt: skip
"""Functions that no test calls: others call them, and then with what those were given."""

THROUGH_LIBRARY: pytest.StashKey[ThroughLibrary] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which library."""
    parser.addoption("--arrays", choices=("strict", "torch", "cupy"), required=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Wrap the functions before any test module imports them."""
    from spec_tests.support.array_libraries import LIBRARIES
    from spec_tests.support.through_library import ThroughLibrary

    name = session.config.getoption("--arrays")
    try:
        library = LIBRARIES[name]()
    except Exception as wrong:
        raise pytest.UsageError(f"--arrays {name}: {type(wrong).__name__}: {wrong}") from wrong
    session.config.stash[THROUGH_LIBRARY] = through = ThroughLibrary(library, LEFT_ALONE)
    for module in MODULES:
        through.wrap(import_module(f"saffu.{module}"))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Only the files in TESTS."""
    name = collection_path.name
    return True if name.startswith("test_") and name not in TESTS else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Put the last test behind the others."""
    whole = {item.path.name for item in items} == set(TESTS)
    items.append(Reached.from_parent(session, name="foreign_numbers_reached", whole=whole))


class Reached(pytest.Item):
    """The last test of a run."""

    def __init__(self, *, whole: bool, **given: Any) -> None:
        super().__init__(**given)
        self.whole = whole

    def runtest(self) -> None:
        """Fail unless foreign numbers went into every wrapped function that takes any.

        With part of the tests, unless they went into one.
        """
        through = self.config.stash[THROUGH_LIBRARY]
        reached = {name for name, calls in through.calls.items() if calls}
        assert reached, f"no function was called with arrays of {through.library.name}"
        if self.whole:
            missed = {*through.functions} - reached
            assert missed == OF_TEXT | WITHIN, (
                f"never reached: {sorted(missed - OF_TEXT - WITHIN)}; "
                f"reached after all: {sorted((OF_TEXT | WITHIN) - missed)}"
            )

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it stands."""
        return Path(__file__), None, self.name


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """How many calls it was about."""
    through = config.stash[THROUGH_LIBRARY]
    reached = sum(calls > 0 for calls in through.calls.values())
    terminalreporter.write_line(
        f"{through.calls.total()} calls of {reached} functions ran on arrays of "
        f"{through.library.name}"
    )
