"""The port to PyTorch is judged as any port is, in this process; its page's example is run."""

from __future__ import annotations

import ast
import re
import runpy
import secrets
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import read_suite
from saffu.conformance.judging.challenge import challenge
from saffu.conformance.judging.runner import Run, Runner
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.ports.module import load
from spec_tests.support.patience import PATIENCE

pytestmark = pytest.mark.torch

FOLDER = Path(__file__).parent.parent / "docs" / "ports" / "torch"
CASES = read_suite()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that names the operations."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(FOLDER)
    return import_module("saffu_torch.port")


@pytest.fixture
def torch(port: Any) -> Any:
    """PyTorch, with the port's folder on the path."""
    return import_module("torch")


def judged(cases: tuple[Case, ...]) -> Run:
    return Runner(load("saffu_torch.port", timeout=PATIENCE)).run(cases)


def reaches_the_top(run: Run, cases: int) -> None:
    wrong = {result.case.id: str(result.ruling) for result in run.results if not result.good}
    assert not wrong
    assert (len(run.results), run.level) == (cases, "full")


def test_it_reaches_the_highest_level(
    port: Any, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        monkeypatch.setattr(port, "DEVICE", device)
        run = judged(CASES)
        assert run.port is not None
        assert (run.port.device, run.port.operations) == (device, tuple(OPERATIONS))
        reaches_the_top(run, len(CASES))


@pytest.mark.usefixtures("as_users_call")  # inputs that have to be refused are drawn too
def test_it_answers_what_nobody_has_seen(port: Any) -> None:
    fresh = challenge(CASES, secrets.token_hex(4))
    sys.stdout.write(f"saffu check --challenge {fresh.nonce} saffu_torch.port\n")  # if it fails
    assert len(fresh.cases) > 0.95 * len(CASES)
    reaches_the_top(judged(fresh.cases), len(fresh.cases))


def test_in_single_precision_too(port: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "PRECISION", "float32")
    asked = [case for case in CASES if case.reject or "float32" in case.tolerance]
    run = judged(CASES)
    assert run.precision == "float32"
    reaches_the_top(run, len(asked))


def test_the_gradients_it_returns_are_those_of_the_cases(port: Any) -> None:
    """To the last digit of their scale; the bounds of the cases allow ninety times as much."""
    asked = [case for case in CASES if case.gradients]
    assert {case.op for case in asked} == {"softmax", "log_softmax", "compare"}
    for case in asked:
        answer = getattr(port, case.op)(**case.inputs, cotangents=dict(case.cotangents))
        for name, expected in case.gradients.items():
            gap = np.abs(answer[f"gradient.{name}"] - expected.value).max()
            assert gap <= np.finfo(float).eps * expected.scale, case.id


def test_it_stands_on_its_own() -> None:
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert not any(name.split(".")[0] == "saffu" for name in names), path


def test_the_example_of_its_page(
    port: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    runpy.run_path(str(script))
    (said,) = re.findall(r"It prints `(.*?)`", page)
    assert capsys.readouterr().out.strip() == said


@pytest.mark.parametrize("attention", ["softmax", "surprisal", "uniform"])
def test_a_model_that_starts_at_random_learns(torch: Any, attention: str) -> None:
    model_of = import_module("saffu_torch.model")
    torch.manual_seed(0)
    shape = model_of.Configuration(
        vocabulary=7,
        contexts=(model_of.ContextModel("Block", 3), model_of.ContextModel("Document")),
        bits=5,
        label_bits=3,
        layer=model_of.LayerOptions("sum", attention),
        depth=2,
    )
    model = model_of.SaffuLanguageModel(shape)
    text = [torch.tensor([0, 2, 3, 4, 5, 6, 1]), torch.tensor([0, 6, 5, 4, 1])]
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    before = model.loss(text)
    for _ in range(30):
        optimiser.zero_grad()
        model.loss(text).backward()
        optimiser.step()
    assert before.dtype == torch.float32
    assert model.loss(text) < 0.5 * before
    assert all(parameter.isfinite().all() for parameter in model.parameters())
