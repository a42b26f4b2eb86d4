"""The readers of golden/README.md do what they say, each in its own language.

Run by name (`nox -s readers`), since each needs its own tools; a language whose tools are not there
fails, and is left out by name: `nox -s readers -- -k "not julia"`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

GOLDEN = Path(__file__).parent.parent / "golden"
CASE = "perplexity/plain.json"
CARGO = """[package]
name = "reader"
version = "0.0.0"
edition = "2021"

[dependencies]
serde_json = { version = "1", features = ["float_roundtrip"] }
"""


class Language(NamedTuple):
    """How a reader is made into a program."""

    tools: Sequence[str]
    """what has to be on the machine, and how Debian names what else is needed"""
    file: str
    build: Sequence[str]
    run: Sequence[str]


LANGUAGES = {
    "js": Language(["node"], "read.js", [], ["node", "read.js"]),
    "c": Language(
        ["cc"], "read.c", ["cc", "-Wall", "-Werror", "read.c", "-o", "read", "-lcjson", "-lm"],
        ["./read"],
    ),
    "rust": Language(
        ["cargo"], "src/main.rs", ["cargo", "build", "--quiet"], ["target/debug/reader"]
    ),
    "julia": Language(["julia"], "read.jl", [], ["julia", "read.jl"]),
}  # fmt: skip


def reader(language: str) -> str:
    """The block of code that the page has for a language."""
    text = (GOLDEN / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(code)


def build(language: str, folder: Path) -> None:
    """Write a reader into a folder, and compile it where that is done."""
    how = LANGUAGES[language]
    for tool in how.tools:
        assert shutil.which(tool), f"{tool} is not there: install it, or leave {language} out by -k"
    (folder / how.file).parent.mkdir(exist_ok=True)
    (folder / how.file).write_text(reader(language), encoding="utf-8")
    if language == "rust":
        (folder / "Cargo.toml").write_text(CARGO, encoding="utf-8")
        here = Path("/usr/share/cargo/registry")  # of Debian's librust-serde-json-dev
        if here.is_dir():
            (folder / ".cargo").mkdir()
            (folder / ".cargo" / "config.toml").write_text(
                "[source.crates-io]\nreplace-with = 'debian'\n"
                f"[source.debian]\ndirectory = '{here}'\n",
                encoding="utf-8",
            )
    if how.build:
        subprocess.run(how.build, cwd=folder, check=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reader_tells_right_from_wrong(language: str, tmp_path: Path) -> None:
    build(language, tmp_path)
    case = json.loads((GOLDEN / CASE).read_text(encoding="utf-8"))
    (tmp_path / CASE).parent.mkdir()
    said = []
    for factor in (1.0, 1.0 + 1e-9):
        value = case["expect"]["outputs"]["perplexity"]["value"]
        value["data"] = [factor * value["data"][0]]
        (tmp_path / CASE).write_text(json.dumps(case), encoding="utf-8")
        run = LANGUAGES[language].run
        said.append(subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True))
    assert [answer.stdout.strip() for answer in said] == ["right", "wrong"]
