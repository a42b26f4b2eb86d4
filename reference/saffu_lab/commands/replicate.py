"""`saffu replicate`: every claim of the papers, measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import add_command
from saffu.commands.options import place, seed, whole
from saffu.data.readers import UNITS
from saffu.errors import BadOption
from saffu_lab.commands.measuring import Watching, add_crew, crew_of, make_folder, stoppable
from saffu_lab.records.results import Results
from saffu_lab.replication.chapters import Study
from saffu_lab.replication.end_line import write_end_line
from saffu_lab.replication.repeat import repeat_cell, summary
from saffu_lab.replication.report import FOLDER, STUDIES, missing_for, study_of, write_report
from saffu_lab.study.running import run_tasks
from saffu_lab.study.sources import NAMED, Sources
from saffu_lab.study.task import Answers

ABOUT: Final = """\
The papers' claims, measured on this machine: language models with one softmax layer and with
self-attention, images of digits, less data, 250 models of a roadmap.  Writes a report with tables,
pictures and one verdict per claim.

  saffu replicate                             everything: some hours on two cores; after Ctrl-C,
                                              the same command continues where it stopped
  saffu replicate --list                      the studies
  saffu replicate less-data contexts          some studies
  saffu replicate --report                    only the report, from the measurements that are there
  saffu replicate --tiny                      every step once, small; the numbers mean nothing
  saffu replicate --corpus book.txt notes/    with your own text

The report is FOLDER/replication.md; every finished task is a line of JSON in
FOLDER/replication/STUDY.jsonl.  Models needed by later tasks are kept in the cache.
Install saffu[plot,images] for pictures and images of digits, PyTorch for two external baselines.
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `replicate` to the commands of the program."""
    parser = add_command(commands, "replicate", about, ABOUT, run)
    parser.add_argument(
        "studies", metavar="STUDY", nargs="*", help=f"studies (default: all): {', '.join(STUDIES)}"
    )
    parser.add_argument("--list", action="store_true", help="list of the studies")
    parser.add_argument(
        "--out", metavar="FOLDER", type=place, default=Path("saffu-replication"),
        help="folder of measurements, report and pictures (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--tiny", action="store_true", help="small models, little text")
    parser.add_argument(
        "--report",
        action="store_true",
        help="only the report, from the measurements that are there",
    )
    cell = parser.add_argument_group(
        "repetition of one cell, compared with its recorded line in --out"
    )
    cell.add_argument("--row", metavar="NAME", help="name of the row, as in the lines of the study")
    cell.add_argument("--targets", metavar="N", type=whole(1), help="training targets of the cell")
    cell.add_argument("--seed", metavar="S", type=seed, help="seed of the cell")
    data = parser.add_argument_group("data")
    data.add_argument(
        "--corpus", metavar="PATH", nargs="+", default=None,
        help="text files or folders, or the names bible and prose (default: both)",
    )  # fmt: skip
    data.add_argument(
        "--unit", choices=UNITS, default="paragraph",
        help="part of a file that makes one document (default: %(default)s)",
    )  # fmt: skip
    data.add_argument("--mnist", metavar="FOLDER", help="folder of the four files of MNIST")
    data.add_argument(
        "--kenlm", metavar="FOLDER", type=Path, help="folder of KenLM's programs lmplz and query"
    )
    add_crew(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure what is not measured yet, and write the report; returns the exit status."""
    if arguments.list:
        for name in STUDIES:
            sys.stdout.write(f"{name:<14} {study_of(name).ABOUT}\n")
        return 0
    folder: Path = arguments.out
    make_folder(folder)
    if arguments.row is not None:
        return repeat(arguments, folder)
    studies = [study_of(name) for name in arguments.studies or STUDIES]
    if not arguments.report:
        possible = [study for study in studies if can_be_done(study, bool(arguments.studies))]
        with stoppable(arguments):
            measure(possible, folder, arguments)
    for path in write_report(folder):
        sys.stdout.write(f"{path}\n")
    return 0


def repeat(arguments: argparse.Namespace, folder: Path) -> int:
    """Measure one cell again; returns 1 if it differs from the kept lines.

    Refuses: no study or several; a cell without targets or seed; what `repeat_cell` refuses.
    """
    if len(arguments.studies) != 1:
        raise BadOption("STUDY", arguments.studies, "one study when --row is given", "SPEC 7")
    for name in ("targets", "seed"):
        if getattr(arguments, name) is None:
            raise BadOption(f"--{name}", None, "a number when --row is given", "SPEC 7")
    study = study_of(arguments.studies[0])
    can_be_done(study, asked_for=True)
    repeated = repeat_cell(
        *(study, read_sources(arguments), folder / FOLDER / f"{study.NAME}.jsonl"),
        *(arguments.row, arguments.targets, arguments.seed),
    )
    sys.stdout.write(summary(repeated))
    return 0 if all(one.agrees for one in repeated) else 1


def can_be_done(study: Study, asked_for: bool) -> bool:
    """Whether all is installed that a study cannot do without; if not, say so.

    Refuses: a study that was asked for by its name.
    """
    problem = missing_for(study.NAME)
    if problem is None:
        return True
    if asked_for:
        raise problem
    sys.stdout.write(f"{study.NAME} is left out: {problem}\n")
    return False


def measure(studies: Sequence[Study], folder: Path, arguments: argparse.Namespace) -> None:
    """Do what is not done yet of each study."""
    sources = read_sources(arguments)
    with crew_of(arguments) as crew:
        for study in studies:
            sys.stdout.write(f"{study.NAME}: {study.ABOUT}\n")
            sys.stdout.flush()
            answers = Answers(Results(folder / FOLDER / f"{study.NAME}.jsonl"))
            name_tasks = partial(study.tasks, sources)
            with Watching(arguments.progress) as watch:
                run_tasks(name_tasks, answers, sources, crew, watch)
            write_end_line(study.NAME, len(name_tasks(answers)), answers)


def read_sources(arguments: argparse.Namespace) -> Sources:
    """The data that the options name; a tiny run reads what every Python has.

    Refuses: a path that is not there.
    """
    named = arguments.corpus or (["prose"] if arguments.tiny else ["bible", "prose"])
    kenlm = ("lmplz", "query")
    if arguments.kenlm is not None:
        kenlm = (str(arguments.kenlm / "lmplz"), str(arguments.kenlm / "query"))
    return Sources(
        text=tuple(name if name in NAMED else str(Path(name).resolve()) for name in named),
        unit=arguments.unit,
        mnist=arguments.mnist,
        tiny=arguments.tiny,
        kenlm=kenlm,
    )
