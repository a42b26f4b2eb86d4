"""Replication report: verdicts, one chapter per study, provenance, pictures.   (SPEC 7)

It is made from the lines in the folder alone, so that it can be made again at any time, also while
a run is under way.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from saffu.errors import BadOption, Missing
from saffu_lab.records.evidence import discovery_threshold
from saffu_lab.records.pictures import save
from saffu_lab.records.results import Line, Results, table
from saffu_lab.records.whole import keep
from saffu_lab.replication.chapters import Chapter, Claim, Study
from saffu_lab.replication.end_line import UNFINISHED, is_finished
from saffu_lab.replication.provenance import machines_table, readings_table
from saffu_lab.replication.repeat import TOLERANCE

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

Made by `saffu replicate` from the lines in [`replication/`]({folder}): one line per measurement,
with its settings, seed, versions and the digest of its data. No number that the papers publish was
measured again; their claims are tried on other data.

All choices were made on validation data, and test data were read after the choice; how often they
were read is [below](#provenance). CPU seconds are those of one thread. [P1] and [P2] are the
papers, [T] is the first author's later lecture (see [specification](specification.md)), [D] marks
questions of our own.
"""

RULES = """\
A claim is about several sizes, data sets or pairs of rows. Each of them is decided by the interval
that is shown beside it: Student's 95 % interval over seeds where there are several, that of the
resampled test documents or images where there is one. Where a claim has a threshold instead, its
evidence begins with the rule.

- **holds**: the interval favours the claim everywhere;
- **holds with conditions**: it favours the claim somewhere, which the evidence names;
- **does not hold**: it favours the claim nowhere, and speaks against it somewhere;
- **undecided**: no interval excludes zero. Nothing is decided, either, by a training that was still
  improving when its limit of epochs ended it, if the claim is about where trainings end.

One seed says nothing about other seeds; the table says how many there are.

**Many comparisons.** {deciding} intervals decide the claims of this page. {significant} of them
exclude zero at 95 %; if none of the differences were real, about {expected:.0f} would. The column
*stricter* gives the verdict where an interval counts only if its p-value is at most
{threshold:.2g}, so that among all that count 5 % are expected to be chance (Benjamini & Hochberg
1995): {discovered} do. P-values are Student's over seeds; with one seed they are read off the
width of the interval. Claims with a threshold have none, and the same verdict twice.
"""

TAIL = """\
<a id="provenance"></a>

## Data, test sets and machines

The text is the King James Bible (`apt-get install bible-kjv`) and the English prose of CPython's
own documentation. Documents, which are chapters and docstrings, are split at random by the seed:
92 % to train on, 4 % for validation, 4 % to test on; smaller training sets are whole documents
drawn from the training part. Equal documents stand there once; equal paragraphs of different
docstrings stay: with the first seed 1.0 % of the words of the validation text and 1.9 % of those
of the test text stand in paragraphs that the training part has too. MNIST has its own 10,000 test
images; of scikit-learn's digits a fifth is held out; a tenth of the training images is for
validation.

How many models were tested on each test set, all lines counted, also those that a later choice
replaced:

{readings}

A test set that many models were tested on is no fresh one: small differences between those models
are less sure than their intervals say.

{machines}

## To repeat it, or to do it with other data

    saffu replicate                       # everything; Ctrl-C at any time, the same command goes on
    saffu replicate less-data contexts    # some of the studies
    saffu replicate --report              # measure nothing, make this page again
    saffu replicate --tiny                # every step once, small; the numbers mean nothing
    saffu replicate less-data --row warm --targets 30000 --seed 2 --out docs    # one cell again

The last command repeats one cell of the kept lines, writes nothing, and says whether it agrees
with them within {tolerance:g} nats per target. The lines of this page took {hours:.1f} CPU hours,
one thread each; two cores share them.

`--corpus` names any other text, as files and folders. For the corpus of the BabyLM challenge,
unpack its training text from the challenge's site (babylm.github.io) and name the folder: `saffu
replicate --corpus babylm/train_10M --unit line`. MNIST is read from its four files (`--mnist
FOLDER`); without them the chapters on images use scikit-learn's digits alone. The standard
transformer and the trained one-hot slots need PyTorch, the Kneser–Ney models KenLM's two programs
(`--kenlm FOLDER`); rows whose program is missing are left out.
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
    every = lines_of(folder)
    by_name = {}
    for name, lines in every.items():
        if lines:
            study = study_of(name)
            also = [
                line for other in getattr(study, "READS_ALSO", ()) for line in every.get(other, ())
            ]
            whole = study.chapter([line for line in [*also, *lines] if line["do"] != "end"])
            notice = "" if is_finished(lines) else f"{UNFINISHED}\n\n"
            by_name[name] = whole._replace(text=notice + whole.text)
    return by_name


def cpu_hours(lines: Mapping[str, Sequence[Line]]) -> float:
    """What all lines took."""
    every = (line for of_study in lines.values() for line in of_study)
    return float(sum(line.get("cpu_seconds", 0.0) for line in every)) / 3600


def page(chapters_by_name: Mapping[str, Chapter], lines: Mapping[str, Sequence[Line]]) -> str:
    """The report in Markdown, of its chapters and of the lines that they are made of."""
    parts = [HEAD.format(folder=FOLDER), "## Verdicts", *verdicts(chapters_by_name)]
    for number, (name, chapter) in enumerate(chapters_by_name.items(), 1):
        parts += [f'<a id="{name}"></a>', f"## {number}. {chapter.title}"]
        parts += ["\n".join(evidence(claim) for claim in chapter.claims), chapter.text]
    tail = TAIL.format(
        readings=readings_table(lines),
        machines=machines_table(lines),
        hours=cpu_hours(lines),
        tolerance=TOLERANCE,
    )
    return "\n\n".join(part.strip() for part in (*parts, tail)) + "\n"


def verdicts(chapters_by_name: Mapping[str, Chapter]) -> list[str]:
    """The rules, with what many comparisons do to them, and one line for each claim."""
    claims = [claim for chapter in chapters_by_name.values() for claim in chapter.claims]
    answers = [answer for claim in claims for answer in claim.answers]
    chances = [answer.chance for answer in answers if answer.chance is not None]
    threshold = discovery_threshold(chances)
    rules = RULES.format(
        deciding=len(chances),
        significant=sum(1 for a in answers if a.chance is not None and a.favours is not None),
        expected=0.05 * len(chances),
        threshold=threshold,
        discovered=sum(chance <= threshold for chance in chances),
    )
    rows = [
        [
            claim.statement.rstrip("."),
            claim.source,
            f"**{claim.verdict}**",
            claim.verdict_at(threshold),
            claim.seeds,
            claim.size,
            f"[{name}](#{name})",
        ]
        for name, chapter in chapters_by_name.items()
        for claim in chapter.claims
    ]
    head = ["claim", "source", "verdict", "stricter", "seeds", "size", "chapter"]
    return [rules, table(head, rows)]


def evidence(claim: Claim) -> str:
    """The verdict of a claim, with its numbers, as an item of a list."""
    seeds = f"{claim.seeds} seed{'s' * (claim.seeds != '1')}, {claim.size}"
    head = f"- **{claim.verdict}** ({seeds}): *{claim.statement.rstrip('.')}* {claim.source}. "
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
    keep(folder / PAGE, page(by_name, lines_of(folder)))
    return [str(folder / PAGE), *written]
