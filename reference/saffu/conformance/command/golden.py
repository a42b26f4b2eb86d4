"""The command `saffu golden`: list, show, explain, verify, export, record.   (SPEC 9)"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from saffu.conformance.command.export import FORMATS, export
from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import golden_root, read_suite
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.report.explain import explain, listing
from saffu.errors import BadFile, BadOption, BadRecord, Missing, SaffuError

_ABOUT = """\
Look at the golden cases.

  saffu golden list softmax                the cases of an operation
  saffu golden show softmax/ties           the file as it is
  saffu golden explain softmax/ties        the case as a human reads it
  saffu golden verify                      are these the files of the manifest?
  saffu golden export out --format npz     arrays for those who would rather not read JSON
  saffu golden record                      answer them anew, in a checkout; show what would change
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `golden` to the commands of a program."""
    parser = commands.add_parser(
        "golden",
        help=about,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--golden", metavar="FOLDER", type=Path, help="other golden files")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, about in (
        ("list", "one line a case; of all, or of the operations or cases named"),
        ("show", "the file of a case as it is"),
        ("explain", "a case as a human reads it"),
        ("verify", "hold the files to the manifest and to the form of a case"),
        ("export", "write the arrays of all cases, or of those named, to a folder"),
        ("record", "answer the cases anew by the oracle; in a checkout of the project"),
    ):
        action = actions.add_parser(name, help=about, description=about.capitalize() + ".")
        if name == "export":
            action.add_argument("folder", metavar="FOLDER", type=Path)
            action.add_argument("--format", choices=FORMATS, default="npz")
        if name == "record":
            action.add_argument("--accept", action="store_true", help="let the files change")
            action.add_argument("--measure", action="store_true", help="measure bounds anew")
        if name != "verify":
            least = "+" if name in ("show", "explain") else "*"
            action.add_argument(
                "ids", metavar="ID", nargs=least, help="OP/SLUG, or OP for all its cases"
            )
    parser.set_defaults(run=run_golden)


def run_golden(args: argparse.Namespace) -> int:
    """Do what was asked; returns the exit status: 0, 2 for an unknown id, 4 for damaged files.

    `record` ends with 1 if files would change and were not let.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        if args.action == "record":
            return _recorded(args)
        root = args.golden or golden_root()
        cases = named(read_suite(root), getattr(args, "ids", []))
        sys.stdout.write(_done(args, root, cases))
    except (BadFile, BadRecord) as damaged:
        sys.stderr.write(f"saffu golden: {damaged}\n")
        return 4
    except SaffuError as wrong:
        sys.stderr.write(f"saffu golden: {wrong}\n")
        return 2
    return 0


def _done(args: argparse.Namespace, root: Path, cases: Sequence[Case]) -> str:
    match args.action:
        case "list":
            return listing(cases)
        case "show":
            return "".join((root / f"{case.id}.json").read_text("utf-8") for case in cases)
        case "explain":
            return "\n".join(explain(case, bank()) for case in cases)
        case "verify":
            return f"{len(cases)} cases, {_verified(root)}\n"
        case _:
            written = export(cases, args.folder, args.format)
            return f"{len(written)} files in {args.folder}\n"


def _recorded(args: argparse.Namespace) -> int:
    """Let the recorder of the checkout do it: 0, or 1 for a difference that was not accepted.

    The oracle shares no code with the package, so it lies with the tests and is not installed.
    """
    checkout = golden_root().parent
    if not (checkout / "spec_tests" / "support" / "record.py").is_file():
        raise Missing(
            "saffu golden record", "a checkout of the project", "pip install -e . mpmath, in one"
        )
    sys.path.insert(0, str(checkout))
    recorder = import_module("spec_tests.support.record")
    flags = [f"--{flag}" for flag in ("accept", "measure") if getattr(args, flag)]
    status: int = recorder.main([*args.ids, *flags])
    return status


def named(cases: Sequence[Case], ids: Sequence[str]) -> tuple[Case, ...]:
    """The cases of these ids or operations, all if there are none.  Refuses an unknown id."""
    for each in ids:
        if not any(each in (case.id, case.op) for case in cases):
            raise BadOption("ID", each, "one that `saffu golden list` shows", "SPEC 9")
    return tuple(case for case in cases if not ids or case.id in ids or case.op in ids)


def _verified(root: Path) -> str:
    """What reading has checked already, and the JSON Schema beside it."""
    schemas = sorted((root / "schema").glob("case*.json"))
    try:
        import jsonschema
    except ImportError:
        return (
            "as the manifest lists them; the JSON Schema was not tried: "
            "pip install 'saffu[conformance]'"
        )
    if not schemas:
        raise BadFile(root / "schema", "there is no schema of a case", "take the files anew")
    validator = jsonschema.Draft202012Validator(json.loads(schemas[0].read_text("utf-8")))
    for path in sorted(root.glob("*/*.json")):
        if path.parent.name == "schema":
            continue
        for error in validator.iter_errors(json.loads(path.read_text("utf-8"))):
            raise BadFile(path, f"{error.json_path}: {error.message[:200]}", "mend the file")
    return "as the manifest lists them and as the schema says"
