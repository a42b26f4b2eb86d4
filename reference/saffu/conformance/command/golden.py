"""The command `saffu golden`: list, show, explain, verify, export.   (SPEC 9)"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from saffu.conformance.command.export import FORMATS, export
from saffu.conformance.contract.case import Case
from saffu.conformance.contract.golden import golden_root, read_suite
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.ports import protocol
from saffu.conformance.ports.protocol import Request
from saffu.conformance.report.explain import explain, listing
from saffu.errors import BadFile, BadOption, BadRecord, SaffuError

RECORD: Final = "python -m spec_tests.support.record"
"""The command that records; the oracle shares no code with the package and is not installed."""

_ABOUT = """\
The golden cases: inputs and expected outputs of every operation.

  saffu golden list softmax                cases of an operation
  saffu golden show softmax/ties           file of a case
  saffu golden explain softmax/ties        case with its equation, arrays, bounds and mistakes
  saffu golden ask softmax/ties            line that the kit sends to a program
  saffu golden path softmax/ties           path of the file
  saffu golden verify                      comparison of the files with the manifest
  saffu golden export out --format npz     arrays of the cases in NumPy files
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `golden` to the commands of a program."""
    parser = commands.add_parser(
        "golden",
        help=about,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--golden", metavar="FOLDER", type=Path, help="golden files other than those installed"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, about in (
        ("list", "list of cases, one per line: all, or those of some operations"),
        ("show", "file of a case"),
        ("explain", "case with its equation, arrays, bounds and mistakes"),
        ("ask", "line that the kit sends to a program for a case, for a debugger"),
        ("path", "path of the file of a case"),
        ("verify", "comparison of the files with the manifest and the schema"),
        ("export", "arrays of all cases, or of some, as .npz or .safetensors files"),
        ("record", f"new files from the oracle; only in a checkout: {RECORD}"),
    ):
        action = actions.add_parser(name, help=about, description=about.capitalize() + ".")
        if name == "export":
            action.add_argument("folder", metavar="FOLDER", type=Path)
            action.add_argument("--format", choices=FORMATS, default="npz")
        if name == "record":
            action.add_argument("options", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
        elif name != "verify":
            least = "+" if name in ("show", "explain", "ask", "path") else "*"
            action.add_argument(
                "ids", metavar="ID", nargs=least, help="OP/SLUG, or OP for all its cases"
            )
    parser.set_defaults(run=run_golden)


def run_golden(args: argparse.Namespace) -> int:
    """Run an action; returns the exit status: 0, 2 for a wrong command, 4 for damaged files."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if args.action == "record":
        sys.stderr.write(f"saffu golden record needs a checkout of the project; there: {RECORD}\n")
        return 2
    try:
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
        case "ask":
            return "".join(asked(number, case) for number, case in enumerate(cases, 1))
        case "path":
            return "".join(f"{root / case.id}.json\n" for case in cases)
        case "verify":
            return f"{len(cases)} cases, {_verified(root)}\n"
        case _:
            written = export(cases, args.folder, args.format)
            return f"{len(written)} files in {args.folder}\n"


def asked(number: int, case: Case) -> str:
    """The line that the kit sends for a case, with its number in the run."""
    request = Request(number, case.op, case.attributes, case.inputs, case.cotangents)
    return protocol.line(protocol.run(request)).decode()


def named(cases: Sequence[Case], ids: Sequence[str]) -> tuple[Case, ...]:
    """The cases of these ids or operations, all if there are none.  Refuses an unknown id."""
    for each in ids:
        if not any(each in (case.id, case.op) for case in cases):
            raise BadOption("ID", each, "one that `saffu golden list` shows", "SPEC 9")
    return tuple(case for case in cases if not ids or case.id in ids or case.op in ids)


def _verified(root: Path) -> str:
    """Hold the files to the JSON Schema; the manifest was compared when they were read."""
    schemas = sorted((root / "schema").glob("case*.json"))
    try:
        import jsonschema
    except ImportError:
        return (
            "as listed in the manifest; not compared with the JSON Schema: "
            "pip install 'saffu[conformance]'"
        )
    if not schemas:
        raise BadFile(root / "schema", "there is no schema of a case", "reinstall the golden files")
    validator = jsonschema.Draft202012Validator(json.loads(schemas[0].read_text("utf-8")))
    for path in sorted(root.glob("*/*.json")):
        if path.parent.name == "schema":
            continue
        for error in validator.iter_errors(json.loads(path.read_text("utf-8"))):
            raise BadFile(path, f"{error.json_path}: {error.message[:200]}", "restore the file")
    return "as listed in the manifest and as the schema requires"
