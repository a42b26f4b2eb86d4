"""`pytest --saffu-port mypackage.port`: one test for each golden case.   (SPEC 9)

The tests are called after the cases, so `-k softmax` chooses; they carry the marker `saffu`.
Without the option the plugin does nothing, and imports nothing but itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from saffu.conformance.case import Case
    from saffu.conformance.runner import Runner


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("saffu", "conformance to SAFFU")
    group.addoption(
        "--saffu-port",
        metavar="PORT",
        help="judge package.module or package.module:object by the golden cases, a test each",
    )
    group.addoption(
        "--saffu-level",
        metavar="LEVEL",
        default="full",
        choices=("core", "layer", "train", "full"),
        help="only the cases of this level and of those before it (default: full)",
    )
    group.addoption(
        "--saffu-precision",
        metavar="CLASS",
        choices=("float64", "float32", "loose"),
        help="the class of arithmetic to judge by (default: what the port declares)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "saffu: a golden case of SAFFU, asked of a port")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add a test for each case."""
    port = config.getoption("--saffu-port")
    if port is None:
        return
    golden = GoldenCases.from_parent(session, name="saffu", nodeid="saffu")
    items.extend(golden.collect())


class GoldenCases(pytest.Collector):
    """All cases, and the port that they are asked of."""

    def collect(self) -> Iterator[pytest.Item]:
        """Start the port; a test for each case that it can be asked."""
        from saffu.conformance.golden import read_suite
        from saffu.conformance.ports import load
        from saffu.conformance.runner import Runner
        from saffu.errors import SaffuError

        try:
            self.runner: Runner = Runner(
                load(self.config.getoption("--saffu-port")),
                precision=self.config.getoption("--saffu-precision"),
                wanted=self.config.getoption("--saffu-level"),
            )
            self.runner.begin()
            cases = read_suite()
        except SaffuError as wrong:
            raise pytest.UsageError(f"--saffu-port: {wrong}") from wrong
        for case in cases:
            if self.runner.wants(case):
                item = GoldenCase.from_parent(self, name=case.id)
                item.case = case
                yield item


class GoldenCase(pytest.Item):
    """One case."""

    case: Case

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.add_marker("saffu")

    def runtest(self) -> None:
        """Ask it, and fail with the reason."""
        from saffu.conformance.verdict import Verdict

        result = cast(GoldenCases, self.parent).runner.ask(self.case)
        ruling = result.ruling
        if ruling.verdict is Verdict.SKIPPED:
            pytest.skip(ruling.reason + (f" ({ruling.url})" if ruling.url else ""))
        if not result.good:
            raise NotKept(f"{ruling.verdict}: {ruling.reason}\n{self.case.about}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The reason alone: where the kit noticed it is of no interest."""
        if isinstance(excinfo.value, NotKept):
            return f"{excinfo.value}\nsee: saffu golden explain {self.case.id}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Where the test comes from."""
        return "saffu", None, self.case.id


class NotKept(Exception):
    """A case that did not pass."""
