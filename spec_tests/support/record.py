"""Writing the golden files: into a temporary folder, with the differences shown.

    saffu golden record                 what would change
    saffu golden record --accept        let it change
    saffu golden record --accept refine/plain softmax      these only

Content comes from the cases' definitions and the oracle alone, and is the same on every machine to
the last byte.  Bounds and certificates are measurements: they are kept while the content stays, and
taken anew with --measure.
"""

from __future__ import annotations

import argparse
import difflib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from saffu.conformance.contract.arrays import canonical
from saffu.conformance.contract.case import Case, Certificate
from saffu.conformance.contract.golden import read_case, write_manifest
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.operations import OPERATIONS
from saffu.errors import BadFile, BadRecord
from spec_tests.support.cases import questions
from spec_tests.support.cases.question import Question
from spec_tests.support.certify import answered, certified

GOLDEN = Path(__file__).parents[2] / "golden"
MOST_BYTES = 64 * 1024
_EVIDENCE = ("tolerance", "certificate")


def content(case: Case) -> dict[str, Any]:
    """What a case says, without the measurements."""
    pinned = Case(**{**vars(case), "certificate": case.certificate or Certificate({}, None)})
    return {key: value for key, value in pinned.to_json().items() if key not in _EVIDENCE}


def regenerate(
    question: Question, old: Case | None, mistakes: Iterable[Mistake], measure: bool = False
) -> Case:
    """The case of a question; with the evidence of the old one, if it says the same.

    Refuses (Uncertain) a case whose bound does not tell right from wrong.
    """
    new = answered(question)
    if old is not None and not measure and content(old) == content(new):
        evidence = {name: getattr(old, name) for name in _EVIDENCE}
        return Case(**{**vars(new), **evidence})
    return certified(new, mistakes)


def text_of(case: Case) -> str:
    """The file of a case."""
    text = canonical(case.to_json())
    if len(text.encode()) >= MOST_BYTES:
        raise AssertionError(
            f"{case.id} has {len(text.encode())} bytes; smaller dimensions will do"
        )
    return text


def existing(case_id: str, golden: Path = GOLDEN) -> Case | None:
    """The published case of an id, if there is one that can be read."""
    try:
        return read_case(golden / f"{case_id}.json")
    except (BadFile, BadRecord):
        return None


def record(folder: Path, golden: Path, chosen: Sequence[str], measure: bool) -> list[str]:
    """Write the cases into a folder; those not chosen are copied.  Returns what is wrong."""
    asked = questions()
    listed = mistakes(golden)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mistakes.json").write_text(canonical(listed), encoding="utf-8", newline="\n")
    known = {mistake["id"] for mistake in listed}
    problems = [
        f"{question.id} hunts {name}, which mistakes.json does not have"
        for question in asked
        for name in question.hunts
        if name not in known
    ]
    for question in asked:
        path, before = folder / f"{question.id}.json", golden / f"{question.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        if chosen and not any(one in (question.id, question.op) for one in chosen):
            if before.is_file():
                shutil.copyfile(before, path)
            continue
        try:
            case = regenerate(question, existing(question.id, golden), bank(), measure)
            path.write_text(text_of(case), encoding="utf-8", newline="\n")
        except AssertionError as uncertain:
            problems.append(str(uncertain))
    write_manifest(folder)
    return problems


def mistakes(golden: Path = GOLDEN) -> list[dict[str, str]]:
    """The list of mistakes, in the order of the operations: as the bank has them.

    A mistake that is listed and has left the bank stays listed, since ids are never used again.
    """
    before: list[dict[str, str]] = json.loads((golden / "mistakes.json").read_text("utf-8"))
    banked = [
        {name: getattr(each, name) for name in ("id", "about", "op", "spec")} for each in bank()
    ]
    every = {each["id"]: each for each in (*before, *banked)}
    order = list(OPERATIONS)
    return sorted(every.values(), key=lambda each: (order.index(each["op"]), each["id"]))


def differences(folder: Path, golden: Path) -> dict[str, str]:
    """What differs, by file: a unified diff, or which side lacks it."""
    found = {}
    ours = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    theirs = {path.relative_to(golden).as_posix() for path in golden.glob("*/*.json")}
    theirs = {name for name in theirs if not name.startswith("schema/")}
    theirs |= {"MANIFEST.json", "mistakes.json"}
    for name in sorted(ours | theirs):
        new, old = folder / name, golden / name
        if not old.is_file():
            found[name] = "new"
        elif not new.is_file():
            found[name] = "gone"
        elif new.read_bytes() != old.read_bytes():
            lines = (old.read_text("utf-8").splitlines(), new.read_text("utf-8").splitlines())
            found[name] = "\n".join(difflib.unified_diff(*lines, name, name, n=1, lineterm=""))
    return found


def accept(folder: Path, golden: Path, changed: Iterable[str]) -> None:
    """Let the golden files be those of the folder."""
    for name in changed:
        if (folder / name).is_file():
            (golden / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, golden / name)
        else:
            (golden / name).unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Record; exit status 1 if something is wrong, or would change and was not accepted."""
    parser = argparse.ArgumentParser(
        prog="saffu golden record",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="OP or OP/SLUG; all, if none is given")
    parser.add_argument("--accept", action="store_true", help="let the golden files change")
    parser.add_argument("--measure", action="store_true", help="measure bounds anew")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        problems = record(folder, GOLDEN, given.ids, given.measure)
        changed = differences(folder, GOLDEN)
        for name, difference in changed.items():
            sys.stdout.write(f"{difference} {name}\n" if len(difference) < 5 else difference + "\n")
        for problem in problems:
            sys.stderr.write(f"{problem}\n")
        if problems:
            return 1
        if given.accept:
            accept(folder, GOLDEN, changed)
            return 0
        return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
