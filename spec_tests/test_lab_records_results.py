"""Results are whole lines that outlive the run.   (SPEC 7)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.errors import BadFile
from saffu_lab.records.results import Results, circumstances, table
from saffu_lab.records.whole import keep

values = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
some_lines = st.lists(st.dictionaries(st.text(), values, min_size=1), min_size=1, max_size=5)


@given(lines=some_lines)
def test_what_was_added_is_read_back(
    lines: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("results") / "new" / "results.jsonl"
    results = Results(path)
    for line in lines:
        results.add(line)
    assert results.lines == lines
    assert Results(path).lines == lines


def test_lines_are_found_by_all_of_their_fields(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    results.add({"row": "cold", "settings": {"rate": 0.01}, "nats": 5.0})
    results.add({"row": "cold", "settings": {"rate": 0.03}, "nats": 4.0})
    found = results.find(row="cold", settings={"rate": 0.03})
    assert found is not None
    assert found["nats"] == 4.0
    assert results.find(row="cold", settings={"rate": 0.1}) is None
    assert results.find(row="cold", seed=None) is None
    assert len(results.all(row="cold")) == 2


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_line_that_was_cut_short_is_dropped(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    whole = '{"row": "one"}\n{"row": "two"}\n'
    path.write_text(whole[:-cut], encoding="utf-8")
    results = Results(path)
    assert len(results.lines) == (1 if cut < 16 else 0)
    results.add({"row": "three"})
    assert [json.loads(text)["row"] for text in path.read_text().splitlines()] == [
        *(["one"] if cut < 16 else []),
        "three",
    ]


def test_a_line_may_be_cut_within_a_character(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes('{"row": "α"}\n{"row": "ω'.encode()[:-1])
    results = Results(path)
    assert results.lines == [{"row": "α"}]
    results.add({"row": "ω"})
    assert Results(path).lines == [{"row": "α"}, {"row": "ω"}]


def test_who_only_reads_lines_does_not_touch_those_that_are_being_written(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"row": "one"}\n{"row": "t', encoding="utf-8")
    assert Results(path).lines == [{"row": "one"}]
    with path.open("a", encoding="utf-8") as file:
        file.write('wo"}\n')
    assert Results(path).lines == [{"row": "one"}, {"row": "two"}]


@pytest.mark.parametrize("content", ["# New\n", b"PNG"])
def test_a_page_or_picture_is_the_old_one_until_the_new_one_is_complete(
    content: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report" / "page"
    keep(path, "# Old\n")

    def stopped(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", stopped)
        with pytest.raises(KeyboardInterrupt):
            keep(path, content)
    assert path.read_text(encoding="utf-8") == "# Old\n"
    keep(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("text", ["no JSON\n", "[1]\n", '{"a": 1}\n{"b"\n{"c": 1}\n'])
def test_a_file_of_something_else_is_refused_and_kept(text: str, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile, match=r"results\.jsonl"):
        Results(path)
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\n", b"[" * 100_000 + b"\n", b'{"a": 1}\n\n', b"7" * 5000 + b"\n", b"\0\n"],
    ids=["bytes", "deep", "blank", "long", "NUL"],
)
def test_damaged_lines_are_refused_and_kept(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"results\.jsonl"):
        Results(path)
    assert path.read_bytes() == content


def test_numbers_that_json_does_not_have_are_not_written(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        results.add({"nats": float("nan")})
    assert Results(results.path).lines == []


def test_circumstances_name_versions_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = circumstances("no-such-package")
    assert found["threads"]["OMP_NUM_THREADS"] == "7"
    assert found["versions"]["no-such-package"] == "not installed"
    assert found["versions"]["numpy"][0].isdigit()


@given(rows=st.lists(st.tuples(*[st.from_regex(r"[a-z0-9]{0,12}", fullmatch=True)] * 3)))
def test_all_lines_of_a_table_are_of_one_width(rows: list[tuple[str, str, str]]) -> None:
    lines = table(["name", "x", "y"], rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == 2 + len(rows)
    for row, line in zip(rows, lines[2:], strict=True):
        assert [cell.strip() for cell in line.strip("|").split("|")] == list(row)
