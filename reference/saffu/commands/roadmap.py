"""`saffu roadmap`: a map of many models."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from saffu.commands.console import add_common
from saffu.commands.options import whole
from saffu.errors import BadFile, BadOption, SaffuError
from saffu.experiments.results import Line, Results
from saffu.roadmap.reading import EXAMPLE, bundled, read_roadmap, tiny
from saffu.roadmap.report import own_lines, write_report
from saffu.roadmap.walk import NAME, models_to_walk, walk
from saffu.study.running import State, open_crew, run_tasks
from saffu.study.task import Answers
from saffu.training import Interrupted

ABOUT: Final = """\
A map of many models: parameters against perplexity, the Pareto front, and what each choice (context
models, widths, embeddings, attention, …) is worth.  A file in TOML lists the choices; models are
drawn from them so that every value gets equally many.  All get their explicit solution, which takes
seconds; the best, and some drawn by chance, are trained by backpropagation as well.

  saffu roadmap --example > map.toml             a file that explains itself, to be changed at will
  saffu roadmap map.toml --tiny                  everything once, in a minute; the numbers are of no
                                                 account
  saffu roadmap map.toml --out map               map/roadmap.md, its pictures, map/roadmap.jsonl
  saffu roadmap map.toml --out map               again, after Ctrl-C or a power cut: it goes on
  saffu roadmap map.toml --out map --report      measure nothing, draw what is there; also meanwhile
  saffu roadmap map.toml --out map --place dask --scheduler tcp://10.0.0.1:8786        on a cluster

Every line of roadmap.jsonl is one finished piece of work, with all its settings.
"""


class Stopped(SaffuError):
    """Ctrl-C, and how to go on."""

    reason = "interrupted"


def add_parser(commands: Any, about: str) -> None:
    """Add `roadmap` to the commands of the program."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "roadmap",
        help=about,
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", metavar="FILE.toml", nargs="?", type=Path, help="what the map is to show"
    )
    parser.add_argument("--example", action="store_true", help="print a file to begin with")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, default=Path("saffu-roadmap"),
        help="where lines, page and pictures go (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--tiny", action="store_true", help="few, small models of little text")
    parser.add_argument(
        "--report", action="store_true", help="measure nothing, draw again what is there"
    )
    group = parser.add_argument_group("who works")
    group.add_argument(
        "--place", choices=("serial", "pool", "dask"), default="pool",
        help="this process, several of this machine, or a cluster (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=whole(1), metavar="N", help="processes (default: one a core)"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS",
        help="of a Dask scheduler, whose workers see the texts under the same path (default: a "
        "cluster on this machine)",
    )  # fmt: skip
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure what is not measured yet, and write the report; returns the exit status."""
    if arguments.example:
        sys.stdout.write(bundled())
        return 0
    if arguments.file is None:
        raise BadOption("FILE.toml", None, f"a file such as '{EXAMPLE}' prints", "SPEC 8")
    if arguments.scheduler is not None and arguments.place != "dask":
        raise BadOption("--scheduler", arguments.scheduler, "--place dask beside it", "SPEC 8")
    folder: Path = arguments.out
    if folder.exists() and not folder.is_dir():
        raise BadFile(folder, "it is there, and no folder", "choose another --out")
    roadmap = read_roadmap(arguments.file)
    roadmap = tiny(roadmap) if arguments.tiny else roadmap
    answers = Answers(Results(folder / f"{NAME}.jsonl"))
    models = models_to_walk(roadmap)
    sources = replace(roadmap.sources((folder / "models").resolve()), tiny=arguments.tiny)
    if not arguments.report:
        with Watching(arguments.progress) as watch:
            try:
                with open_crew(
                    arguments.place, workers=arguments.workers, scheduler=arguments.scheduler
                ) as crew:
                    run_tasks(
                        lambda seen: walk(roadmap, models, sources, seen),
                        answers, sources, crew, watch,
                    )  # fmt: skip
            except (KeyboardInterrupt, Interrupted) as stopped:
                again = shlex.join(["saffu", *arguments.words])
                raise Stopped(f"stopped; what is done is kept; go on with:\n  {again}") from stopped
        shutil.rmtree(sources.models, ignore_errors=True)
    lines = own_lines(roadmap, models, sources, answers)
    if not lines:
        raise BadFile(answers.results.path, "it holds no line of this map", "leave out --report")
    for said in write_report(lines, folder):
        sys.stdout.write(f"{said}\n")
    return 0


class Watching:
    """A bar of the pieces of work, and about how long the rest takes; where somebody sees it.

    The guesses of the tasks are held against the clock: what was left and is done now took so long.
    """

    def __init__(self, shown: bool | None) -> None:
        self.shown = sys.stderr.isatty() if shown is None else shown
        self._bar: Any = None
        self._before: State | None = None
        self._began = time.monotonic()
        self._done = 0.0

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, state: State, line: Line | None) -> None:
        """Move the bar; hears of every line."""
        if not self.shown:
            return
        if self._bar is None:
            self._bar = tqdm(
                total=state.known, initial=state.done, unit=" pieces", file=sys.stderr,
                bar_format="{desc} {n}/{total} |{bar}| {elapsed}{postfix}",
            )  # fmt: skip
        if self._before is not None and self._before.known == state.known:
            self._done += self._before.seconds_left - state.seconds_left
        self._before = state
        self._bar.total = state.known
        self._bar.set_description_str(str((line or {}).get("do", "")), refresh=False)
        if self._done > 0:
            left = (time.monotonic() - self._began) * state.seconds_left / self._done
            self._bar.set_postfix_str(f"about {left / 60:.1f} min left", refresh=False)
        self._bar.update(state.done - self._bar.n)
        self._bar.refresh()
