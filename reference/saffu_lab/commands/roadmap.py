"""`saffu roadmap`: perplexity against size for many models."""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import add_command
from saffu.commands.options import place
from saffu.errors import BadFile, BadOption
from saffu_lab.commands.measuring import Watching, add_crew, crew_of, make_folder, stoppable
from saffu_lab.records.results import Results
from saffu_lab.roadmap.report import own_lines, write_report
from saffu_lab.roadmap.roadmap_file import EXAMPLE, bundled, read_roadmap, tiny
from saffu_lab.roadmap.walk import NAME, models_to_walk, walk
from saffu_lab.study.running import run_tasks
from saffu_lab.study.task import Answers

ABOUT: Final = """\
A map of many models: parameters against perplexity, the Pareto front, and the effect of each choice
(context models, widths, embeddings, attention, …).  A TOML file lists the choices; models are drawn
from them so that every value gets equally many.  All models are solved explicitly, which takes
seconds; the best, and some drawn at random, are trained by backpropagation as well.

  saffu roadmap --example > map.toml             a commented file to edit
  saffu roadmap map.toml --tiny                  every step once, in a minute; the numbers mean
                                                 nothing
  saffu roadmap map.toml --out map               map/roadmap.md, its pictures, map/roadmap.jsonl
  saffu roadmap map.toml --out map               the same again continues after an interruption
  saffu roadmap map.toml --out map --report      report of the lines so far, even during a run
  saffu roadmap map.toml --out map --engine dask --scheduler tcp://10.0.0.1:8786        on a cluster

Every line of roadmap.jsonl is one finished task with all its settings.
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `roadmap` to the commands of the program."""
    parser = add_command(commands, "roadmap", about, ABOUT, run)
    parser.add_argument(
        "file", metavar="FILE.toml", nargs="?", type=place, help="description of the map"
    )
    parser.add_argument("--example", action="store_true", help="an example of FILE.toml, on stdout")
    parser.add_argument(
        "--out", metavar="FOLDER", type=place, default=Path("saffu-roadmap"),
        help="folder of measurements, page and pictures (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--tiny", action="store_true", help="few small models, little text")
    parser.add_argument(
        "--report", action="store_true", help="only the page, from the measurements that are there"
    )
    add_crew(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure what is not measured yet, and write the report; returns the exit status."""
    if arguments.example:
        sys.stdout.write(bundled())
        return 0
    if arguments.file is None:
        raise BadOption("FILE.toml", None, f"a file such as '{EXAMPLE}' prints", "SPEC 8")
    folder: Path = arguments.out
    roadmap = read_roadmap(arguments.file)
    make_folder(folder)
    roadmap = tiny(roadmap) if arguments.tiny else roadmap
    answers = Answers(Results(folder / f"{NAME}.jsonl"))
    models = models_to_walk(roadmap)
    sources = replace(roadmap.sources((folder / "models").resolve()), tiny=arguments.tiny)
    if not arguments.report:
        name_tasks = partial(walk, roadmap, models, sources)
        with (
            stoppable(arguments),
            crew_of(arguments) as crew,
            Watching(arguments.progress) as watch,
        ):
            run_tasks(name_tasks, answers, sources, crew, watch)
        shutil.rmtree(sources.models, ignore_errors=True)
    lines = own_lines(roadmap, models, sources, answers)
    if not lines:
        raise BadFile(answers.results.path, "it holds no line of this map", "leave out --report")
    for path in write_report(lines, folder):
        sys.stdout.write(f"{path}\n")
    return 0
