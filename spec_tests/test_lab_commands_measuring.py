"""What a long measurement says while it works: a bar on a terminal, a line a minute in a log."""

from __future__ import annotations

import pytest

from saffu_lab.commands import measuring
from saffu_lab.commands.measuring import Watching
from saffu_lab.study.running import State


def three_pieces(watch: Watching) -> None:
    watch(State(0, 3, 30.0), None)
    for done in (1, 2, 3):
        watch(State(done, 3, 30.0 - 10.0 * done), {"do": "trial"})


def test_a_log_gets_lines_when_it_is_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "EVERY", 0.0)
    with Watching(None) as watch:
        three_pieces(watch)
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "0 of 3 pieces"  # how long the rest takes is not known yet
    assert last == "3 of 3 pieces, about 0.0 min left"


def test_a_log_gets_no_line_before(capsys: pytest.CaptureFixture[str]) -> None:
    with Watching(None) as watch:
        three_pieces(watch)
    assert capsys.readouterr().err == ""


def test_nothing_is_said_where_nothing_is_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "EVERY", 0.0)
    with Watching(shown=False) as watch:
        three_pieces(watch)
    assert capsys.readouterr().err == ""


def test_a_bar_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with Watching(shown=True) as watch:
        three_pieces(watch)
    said = capsys.readouterr().err
    assert "trial 3/3" in said
    assert "min left" in said
