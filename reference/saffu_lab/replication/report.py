"""The report: verdicts first, then a chapter for each study; and its pictures.   (SPEC 7)

It is made of the lines in the folder and of nothing else, so that it can be made again at any time,
also while a run is under way.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from saffu.errors import BadOption, Missing
from saffu_lab.records.pictures import save
from saffu_lab.records.results import Line, Results, table
from saffu_lab.replication.chapters import Chapter, Claim, Study
from saffu_lab.replication.end_line import UNFINISHED, is_finished

STUDIES: Mapping[str, str] = {
    "single-layer": "single_layer",
    "priming": "priming",
    "images": "images",
    "attention": "attention",
    "stages": "stages",
    "less-data": "less_data",
    "contexts": "contexts",
    "roadmap": "roadmap",
    "precision": "precision",
}
"""The studies in the order of the report: their word, and their folder."""

NEEDS: Mapping[str, str] = {"priming": "sklearn", "images": "sklearn"}
"""The module without which a study cannot be done; for want of others it leaves out rows."""

INSTALL = {"sklearn": ("scikit-learn", "pip install 'saffu[images]'")}

PAGE, FOLDER, WIDTH = "replication.md", "replication", 104

HEAD = """\
# What the papers claim, measured

Made by `saffu replicate` from the lines in [`replication/`]({folder}), one for each thing that
was measured, with its settings, seeds, versions and the digest of its data. Every choice was made
on validation data; test data were read once for each row, after the choice (where again, the
chapter says so). CPU seconds are those of one thread. A verdict is computed by a rule that its
chapter states:

- **holds**: at every size or on every data set, for every seed, beyond its 95 % interval;
- **holds with conditions**: at some of them, which the evidence names;
- **does not hold**: at none of them.

[P1] and [P2] are the papers, [T] is the first author's later lecture (see
[specification](specification.md)), [D] marks questions of our own.
"""

TAIL = """\
## To repeat it, or to do it with other data

    saffu replicate                       # everything; Ctrl-C at any time, the same command goes on
    saffu replicate less-data contexts    # some of the studies
    saffu replicate --report              # measure nothing, make this page again
    saffu replicate --tiny                # every step once, small; the numbers are of no account

The lines of this page took {hours:.1f} CPU hours, one thread each; two cores share them.

The text is the King James Bible (`apt-get install bible-kjv`) and the English prose of CPython's
own documentation. Documents, which are chapters and docstrings, are parted at random, and equal
ones stand there once; equal paragraphs of different docstrings stay: with the first seed 1.0 % of
the words of the validation text and 1.9 % of those of the test text stand in paragraphs that the
training part has too. `--corpus` names any other text, as files and folders. For the corpus of
the BabyLM challenge, unpack its training text from the challenge's site (babylm.github.io) and
name the folder: `saffu replicate --corpus babylm/train_10M --unit line`. MNIST is read from its
four files (`--mnist FOLDER`); without them the chapters on images use scikit-learn's digits
alone. The standard transformer and the trained one-hot slots need PyTorch, the Kneser–Ney models
KenLM's two programs (`--kenlm FOLDER`); rows whose program is missing are left out.
"""


def study_of(name: str) -> Study:
    """The module of a study.

    Refuses: a word that names none.

    >>> study_of("contexts").NAME
    'contexts'
    """
    if name not in STUDIES:
        raise BadOption("STUDY", name, f"one of {', '.join(STUDIES)}", "SPEC 7")
    return cast(Study, import_module(f"saffu_lab.replication.{STUDIES[name]}.tasks"))


def missing_for(name: str) -> Missing | None:
    """What has to be installed before a study can be done, if anything.

    >>> missing_for("contexts") is None
    True
    """
    module = NEEDS.get(name)
    if module is None or find_spec(module) is not None:
        return None
    package, install = INSTALL[module]
    return Missing(f"the study {name}", f"the package {package}", install)


def newest(lines: Sequence[Line]) -> list[Line]:
    """The lines on the data of the last line: those of one run.

    >>> [line["text"] for line in newest([{"text": "a"}, {"text": "b"}, {"text": "b"}])]
    ['b', 'b']
    """
    last = next((line["text"] for line in reversed(lines) if "text" in line), None)
    return [line for line in lines if line.get("text", last) == last]


def lines_of(folder: Path) -> dict[str, list[Line]]:
    """The lines in `folder`, by study."""
    paths = {name: folder / FOLDER / f"{name}.jsonl" for name in STUDIES}
    return {name: newest(Results(path).lines) for name, path in paths.items() if path.exists()}


def chapters(folder: Path) -> dict[str, Chapter]:
    """The chapters of all studies that have lines in `folder`."""
    by_name = {}
    for name, lines in lines_of(folder).items():
        if lines:
            whole = study_of(name).chapter([line for line in lines if line["do"] != "end"])
            notice = "" if is_finished(lines) else f"{UNFINISHED}\n\n"
            by_name[name] = whole._replace(text=notice + whole.text)
    return by_name


def cpu_hours(folder: Path) -> float:
    """What the lines in `folder` took."""
    every = (line for lines in lines_of(folder).values() for line in lines)
    return float(sum(line.get("cpu_seconds", 0.0) for line in every)) / 3600


def page(chapters_by_name: Mapping[str, Chapter], hours: float) -> str:
    """The report in Markdown; `hours`, the CPU time that its lines took."""
    parts = [HEAD.format(folder=FOLDER), "## Verdicts", verdicts(chapters_by_name)]
    for number, (name, chapter) in enumerate(chapters_by_name.items(), 1):
        parts += [f'<a id="{name}"></a>', f"## {number}. {chapter.title}"]
        parts += ["\n".join(evidence(claim) for claim in chapter.claims), chapter.text]
    return "\n\n".join(part.strip() for part in (*parts, TAIL.format(hours=hours))) + "\n"


def verdicts(chapters_by_name: Mapping[str, Chapter]) -> str:
    """One line for each claim."""
    rows = [
        [claim.statement.rstrip("."), claim.source, f"**{claim.verdict}**", f"[{name}](#{name})"]
        for name, chapter in chapters_by_name.items()
        for claim in chapter.claims
    ]
    return table(["claim", "source", "verdict", "chapter"], rows)


def evidence(claim: Claim) -> str:
    """The verdict of a claim, with its numbers, as an item of a list."""
    head = f"- **{claim.verdict}**: *{claim.statement.rstrip('.')}* {claim.source}. "
    end = "" if claim.evidence.endswith(".") else "."
    numbers = claim.evidence[:1].upper() + claim.evidence[1:] + end
    return textwrap.fill(
        head + numbers, WIDTH, subsequent_indent="  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def write_report(
    folder: Path, draw: Callable[[Any, Path], None] = save, *, pictures: bool = True
) -> list[str]:
    """Write the page and its pictures; returns what was written."""
    by_name = chapters(folder)
    if not by_name:
        raise BadOption("--out", str(folder), "a folder with lines of some study", "SPEC 7")
    written = []
    for chapter in by_name.values():
        for name, figure in chapter.pictures.items() if pictures else ():
            draw(figure(), folder / FOLDER / name)
            written.append(f"{folder / FOLDER / name}.png, .svg")
    (folder / PAGE).write_text(page(by_name, cpu_hours(folder)), encoding="utf-8")
    return [str(folder / PAGE), *written]
