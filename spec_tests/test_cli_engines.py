"""`saffu fit` with other engines: the same model, and what does not go together.   (SPEC 1)"""

from __future__ import annotations

from pathlib import Path

import pytest

from saffu.cli import main
from saffu.models.transformer import SaffuTransformer
from saffu.parameters import flatten
from spec_tests.support.texts import sentences

FIT = ("fit", "text.txt", "--preset", "tiny", "--explicit-only", "--no-progress")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "text.txt").write_text("\n\n".join(sentences(7, 90)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAFFU_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_a_pool_fits_the_same_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, "-o", "one", "--engine", "serial"]) == 0
    assert main([*FIT, "-o", "two", "--engine", "pool", "--workers", "2"]) == 0
    one, two = (SaffuTransformer.load(folder / name).parameters for name in ("one", "two"))
    pairs = zip(flatten(one), flatten(two), strict=True)  # type: ignore[arg-type]
    assert all(a.tobytes() == b.tobytes() for a, b in pairs)
    assert capsys.readouterr().out.count("explicit solution") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--engine", "serial", "--workers", "2"), "workers must be 1 with engine='serial', got 2"),
        (
            ("--engine", "pool", "--scheduler", "tcp://a:1"),
            "scheduler must be None with engine='pool'",
        ),
        (("--scheduler", "tcp://a:1", "--workers", "2"), "workers must be None with a scheduler"),
        (("--engine", "spark"), "invalid choice: 'spark'"),
        (("--workers", "0"), "expected a whole number >= 1"),
    ],
    ids=["serial", "pool", "both", "name", "number"],
)
def test_options_that_do_not_go_together_are_refused(
    folder: Path,
    options: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        status = main([*FIT, "-o", "model", *options])
    except SystemExit as ended:  # argparse
        status = int(ended.code or 0)
    assert status == 2
    assert message in capsys.readouterr().err
    assert not (folder / "model").exists()
