"""Replication report: verdicts, one chapter per study, provenance, pictures.   (SPEC 7)

The report is made from the lines in the folder alone, so it can be made again at any time, even
during a run.
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
"""The studies in the order of the report: name and folder."""

NEEDS: Mapping[str, str] = {"priming": "sklearn", "images": "sklearn"}
"""The module that a study cannot run without; without other optional modules, rows are left out."""

INSTALL = {"sklearn": ("scikit-learn", "pip install 'saffu[images]'")}

PAGE, FOLDER, WIDTH = "replication.md", "replication", 104

HEAD = """\
# Replication: the papers' claims, measured

This report is made by `saffu replicate` from the lines in [`replication/`]({folder}): one line per
measurement, with its settings, seed, versions and the digest of its data. It does not reproduce any
number published in the papers; it tests their claims on other data.

All choices were made on validation data, and test data were read after the choice; how often they
were read is stated [below](#provenance). CPU seconds are measured on one thread. [P1] and [P2] are
the papers, [T] is the first author's later lecture (see [specification](specification.md)), and [D]
marks questions of our own.
"""

RULES = """\
A claim covers several sizes, data sets or pairs of rows. Each of these is decided by the interval
shown with it: Student's 95 % interval over seeds if there are several seeds, a bootstrap interval
over test documents or images if there is one. If a claim is decided by a threshold instead, its
evidence begins with the rule.

- **holds**: the interval favours the claim in every case;
- **holds with conditions**: it favours the claim in some cases, which the evidence names;
- **does not hold**: it favours the claim in no case, and contradicts it in at least one;
- **undecided**: no interval excludes zero. A case is also undecided if the claim is about where
  training ends and the other training was still improving when it reached its epoch limit.

One seed says nothing about other seeds; the table gives the number of seeds.

**Multiple comparisons.** {deciding} intervals decide the claims on this page. {significant} of
them exclude zero at 95 %; if none of the differences were real, about {expected:.0f} would. In the
column *stricter*, an interval counts only if its p-value is at most {threshold:.2g}, which limits
the expected share of false discoveries among those that count to 5 % (Benjamini & Hochberg 1995):
{discovered} count. P-values are Student's over seeds; with one seed they are derived from the
width of the interval. Claims decided by a threshold have no p-value and the same verdict in both
columns.
"""

TAIL = """\
<a id="provenance"></a>

## Data, test sets and machines

The text is the King James Bible (`apt-get install bible-kjv`) and the English prose of CPython's
own documentation. Documents (chapters and docstrings) are split at random by the seed: 92 % for
training, 4 % for validation, 4 % for testing; smaller training sets are whole documents drawn from
the training part. Duplicate documents were removed, but paragraphs shared by different docstrings
were not: with the first seed, 1.0 % of the words of the validation text and 1.9 % of those of the
test text are in paragraphs that also occur in the training part. MNIST has its own 10,000 test
images; a fifth of scikit-learn's digits is held out for testing. A tenth of the training images is
used for validation.

Number of models tested on each test set, including those that a later choice replaced:

{readings}

A test set on which many models were tested is no longer fresh: small differences between those
models are less certain than their intervals suggest.

{machines}

## To repeat it, or to do it with other data

    saffu replicate                       # everything; after Ctrl-C, the same command continues
    saffu replicate less-data contexts    # some of the studies
    saffu replicate --report              # make this page again, without measuring
    saffu replicate --tiny                # every step once, small; the numbers mean nothing
    saffu replicate less-data --row warm --targets 30000 --seed 2 --out docs    # repeat one cell

The last command measures one cell again, writes nothing, and reports whether the result agrees with
the recorded line within {tolerance:g} nats per target. The lines of this page took
{hours:.1f} CPU hours, one thread each; they were run on two cores.

`--corpus` takes other text, as files or folders. For the corpus of the BabyLM challenge, unpack
its training text from the challenge's site (babylm.github.io) and pass the folder: `saffu
replicate --corpus babylm/train_10M --unit line`. MNIST is read from its four files (`--mnist
FOLDER`); without them, the chapters on images use scikit-learn's digits only. The standard
transformer and the trained one-hot slots need PyTorch, the Kneser–Ney models KenLM's two programs
(`--kenlm FOLDER`); rows whose package or program is missing are left out.
"""


def study_of(name: str) -> Study:
    """The module of a study.

    Refuses: an unknown name.

    >>> study_of("contexts").NAME
    'contexts'
    """
    if name not in STUDIES:
        raise BadOption("STUDY", name, f"one of {', '.join(STUDIES)}", "SPEC 7")
    return cast(Study, import_module(f"saffu_lab.replication.{STUDIES[name]}.tasks"))


def missing_for(name: str) -> Missing | None:
    """What must be installed before a study can run, or None.

    >>> missing_for("contexts") is None
    True
    """
    module = NEEDS.get(name)
    if module is None or find_spec(module) is not None:
        return None
    package, install = INSTALL[module]
    return Missing(f"the study {name}", f"the package {package}", install)


def newest(lines: Sequence[Line]) -> list[Line]:
    """The lines with the same data as the last line: those of one run.

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
    """CPU hours of all lines."""
    every = (line for of_study in lines.values() for line in of_study)
    return float(sum(line.get("cpu_seconds", 0.0) for line in every)) / 3600


def page(chapters_by_name: Mapping[str, Chapter], lines: Mapping[str, Sequence[Line]]) -> str:
    """The report in Markdown, from its chapters and their lines."""
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
    """The rules of the verdicts, the note on multiple comparisons, and one row per claim."""
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
    """The verdict of a claim with its evidence, as a list item."""
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
    """Write the page and its pictures; returns the paths written."""
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
