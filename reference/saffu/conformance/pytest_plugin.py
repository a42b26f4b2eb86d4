"""`pytest --saffu-port mypackage.port`: one test per golden case.   (SPEC 9)

Tests have the names of the cases, so that `-k softmax` selects; they carry the marker `saffu`.
Without the option the plugin does nothing, and imports nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Add the options."""
    group = parser.getgroup("saffu", "conformance to SAFFU")
    group.addoption(
        "--saffu-port",
        metavar="PORT",
        help="package.module or package.module:object, judged by one test per golden case",
    )
    group.addoption(
        "--saffu-level",
        metavar="LEVEL",
        default="full",
        choices=("core", "layer", "train", "full"),
        help="highest level to test (default: full)",
    )
    group.addoption(
        "--saffu-precision",
        metavar="CLASS",
        choices=("float64", "float32", "loose"),
        help="class of arithmetic (default: declared by the port)",
    )


def pytest_configure(config: Any) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "saffu: a golden case of SAFFU, asked of a port")


def pytest_collection_modifyitems(session: Any, config: Any, items: list[Any]) -> None:
    """Add one test per case, reported as collected; selection among the tests comes later."""
    if config.getoption("--saffu-port") is not None:
        import pytest

        cases = list(golden_items(session, config))
        items.extend(cases)
        report = pytest.CollectReport("saffu", "passed", longrepr=None, result=cases)
        config.hook.pytest_collectreport(report=report)


def golden_items(session: Any, config: Any) -> Iterator[Any]:
    """Start the port, and make one test per case of its level and precision."""
    import pytest

    from saffu.conformance.contract.golden import read_suite
    from saffu.conformance.judging.runner import Result, Runner
    from saffu.conformance.judging.verdict import Verdict
    from saffu.conformance.ports.module import load
    from saffu.errors import SaffuError

    class GoldenCase(pytest.Item):
        """One case, asked of the port."""

        def __init__(self, *, case: Any, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.case = case
            self.add_marker("saffu")

        def runtest(self) -> None:
            result: Result = runner.ask(self.case)
            ruling = result.ruling
            if ruling.verdict is Verdict.SKIPPED:
                pytest.skip(ruling.reason + (f" ({ruling.url})" if ruling.url else ""))
            if not result.good:
                raise NotKept(f"{ruling.verdict}: {ruling.reason}\n{self.case.about}")

        def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
            if isinstance(excinfo.value, NotKept):
                return f"{excinfo.value}\nsee: saffu golden explain {self.case.id}"
            return super().repr_failure(excinfo, style)

        def reportinfo(self) -> tuple[str, None, str]:
            return "saffu", None, self.case.id

    try:
        runner = Runner(
            load(config.getoption("--saffu-port")),
            precision=config.getoption("--saffu-precision"),
            wanted=config.getoption("--saffu-level"),
        )
        runner.begin()
        cases = [case for case in read_suite() if runner.wants(case)]
    except SaffuError as wrong:
        raise pytest.UsageError(f"--saffu-port: {wrong}") from wrong
    for case in cases:
        yield GoldenCase.from_parent(session, name=case.id, nodeid=f"saffu::{case.id}", case=case)


class NotKept(Exception):
    """A case that did not pass."""
