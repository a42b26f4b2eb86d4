"""The pages on porting and conformance say what is so: commands are run, tables are held."""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from saffu.conformance.command.options import STATUS
from saffu.conformance.judging.levels import LEVELS, level_of
from saffu.conformance.operations import OPERATIONS
from saffu.conformance.ports import schemas

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str]]:
    found = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    assert found
    return found


def run(command: str, folder: Path) -> str:
    """A command of the page; the programs that it calls are those of this environment."""
    words = shlex.split(command)
    programs = {
        "saffu": [sys.executable, "-m", "saffu.conformance"],
        "python": [sys.executable],
        "sed": ["sed"],
    }
    words = [part for word in words for part in programs.get(word, [word])]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_page_on_porting_can_be_followed_word_by_word(tmp_path: Path) -> None:
    checker, shown = doctest.OutputChecker(), 0
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for language, text in blocks("porting.md"):
        if language == "python":
            (tmp_path / text.split()[1]).write_text(text, encoding="utf-8")
        for part in (
            re.split(r"^\$ ", text, flags=re.MULTILINE)[1:] if language == "console" else ()
        ):
            command, _, want = part.partition("\n")
            if command.startswith("pip "):
                continue
            got = run(command, tmp_path)
            assert checker.check_output(want, got, flags), f"$ {command}\n{got}"
            shown += 1
    assert shown >= 7


def test_the_first_port_is_thirty_lines() -> None:
    (port,) = (text for _, text in blocks("porting.md") if text.startswith("# my_port.py"))
    assert len([line for line in port.splitlines()[1:] if line.strip()]) <= 30


def definition(message: dict[str, object]) -> str:
    if "cmd" in message:
        return "request"
    return "started" if "name" in message else "answer"


def test_the_messages_on_the_page_are_messages() -> None:
    messages = [
        json.loads(text) for language, text in blocks("conformance.md") if language == "json"
    ]
    for message in messages:
        assert schemas.problem("protocol", definition(message), message) is None
    kinds = {key for message in messages for key in message}
    assert {"cmd", "outputs", "rejected", "skipped", "errored", "protocol"} <= kinds
    assert {m["cmd"] for m in messages if "cmd" in m} == {"start", "run", "stop"}


@pytest.mark.parametrize("level", LEVELS)
def test_the_table_of_levels_is_that_of_the_kit(level: str) -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {level} \| (.*) \|$", page, re.MULTILINE)
    sections, also = set(re.findall(r"\d", row)), set(re.findall(r"`(\w+)`", row))
    mine = {op: OPERATIONS[op].spec[-1] for op in OPERATIONS if level_of(op) == level}
    assert {op for op, section in mine.items() if section not in sections} == also
    assert sections == {section for op, section in mine.items() if op not in also}


def test_the_exit_statuses_are_those_of_the_help() -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8").split("## Exit status")[1]
    listed = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)
    assert listed == re.findall(r"(?<!\d)(\d{1,3}) (?=[a-z])", STATUS)


def test_every_kind_of_failure_is_on_the_page() -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    kinds = schemas.load("report")["$defs"]["case"]["properties"]["kind"]["enum"]
    of_the_conversation = {"form", "time-out", "crash", "garbage", "flood", "order", "given-up"}
    assert of_the_conversation <= set(kinds)
    assert all(f"`{kind}`" in page for kind in of_the_conversation)
