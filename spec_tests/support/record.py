"""Golden files and the lists of operations: written to a temporary folder, differences shown.

    python -m spec_tests.support.record                        what would change
    python -m spec_tests.support.record --accept               make the changes
    python -m spec_tests.support.record --accept refine/slack softmax      only these cases

The content of a case comes from its definition and the oracle alone, and is the same on every
machine to the last byte.  Bounds and certificates are measurements: they are kept while the content
stays, and measured again with --measure.  Tables of operations in documents and schemas come from
the rows of the contract.
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

import saffu
from saffu.conformance import reference
from saffu.conformance.contract.arrays import canonical
from saffu.conformance.contract.case import Case, Certificate
from saffu.conformance.contract.golden import read_case, write_manifest
from saffu.conformance.diagnosis.bank import bank
from saffu.conformance.diagnosis.mistake import Mistake
from saffu.conformance.operations import OPERATIONS
from saffu.errors import BadFile, BadRecord
from spec_tests.support import tables
from spec_tests.support.cases import questions
from spec_tests.support.cases.question import Question
from spec_tests.support.certify import answered, certified
from spec_tests.support.oracle.answer import OPERATIONS as ORACLE

CHECKOUT = Path(__file__).parents[2]
GOLDEN = CHECKOUT / "golden"
MOST_BYTES = 64 * 1024
_EVIDENCE = ("tolerance", "certificate")


def missing() -> list[str]:
    """What an operation of the contract still lacks, and where it belongs."""
    asked = {question.op for question in questions()}
    mistaken = {mistake.op for mistake in bank()}
    return [
        f"{op} lacks {part}"
        for op in OPERATIONS
        for there, part in (
            (op in saffu.MODULES, "a public name: import it in reference/saffu/__init__.py"),
            (
                hasattr(reference, op),
                f"a function {op} in reference/saffu/conformance/reference.py",
            ),
            (op in ORACLE, f"a function {op} in spec_tests/support/oracle/operations.py"),
            (op in asked, f"cases: a function {op} in spec_tests/support/cases/{op}.py"),
            (
                op in mistaken,
                f"mistakes: MISTAKES in reference/saffu/conformance/diagnosis/bank/{op}.py",
            ),
        )
        if not there
    ]


def content(case: Case) -> dict[str, Any]:
    """A case without the measurements."""
    pinned = Case(**{**vars(case), "certificate": case.certificate or Certificate({}, None)})
    return {key: value for key, value in pinned.to_json().items() if key not in _EVIDENCE}


def regenerate(
    question: Question, old: Case | None, mistakes: Iterable[Mistake], measure: bool = False
) -> Case:
    """The case of a question; with the evidence of the old one, if the content is the same.

    Refuses (Uncertain) a case whose bound does not separate right from wrong.
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
            f"{case.id}: at most {MOST_BYTES - 1} bytes per case, got {len(text.encode())}; "
            "choose smaller dimensions"
        )
    return text


def existing(case_id: str, golden: Path = GOLDEN) -> Case | None:
    """The published case of an id, if there is one that can be read."""
    try:
        return read_case(golden / f"{case_id}.json")
    except (BadFile, BadRecord):
        return None


def record(folder: Path, golden: Path, chosen: Sequence[str], measure: bool) -> list[str]:
    """Write the cases into a folder; cases not chosen are copied.  Returns the problems."""
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
    """The mistakes of the bank, in the order of the operations, then by id.

    A mistake that has left the bank stays listed, since ids are never used again.
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
    changed = {}
    ours = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    theirs = {path.relative_to(golden).as_posix() for path in golden.glob("*/*.json")}
    theirs = {name for name in theirs if not name.startswith("schema/")}
    theirs |= {"MANIFEST.json", "mistakes.json"}
    for name in sorted(ours | theirs):
        new, old = folder / name, golden / name
        if not old.is_file():
            changed[name] = "new"
        elif not new.is_file():
            changed[name] = "gone"
        elif new.read_bytes() != old.read_bytes():
            changed[name] = _difference(name, old.read_text("utf-8"), new.read_text("utf-8"))
    return changed


def _difference(name: str, old: str, new: str) -> str:
    lines = old.splitlines(), new.splitlines()
    return "\n".join(difflib.unified_diff(*lines, name, name, n=1, lineterm=""))


def accept(folder: Path, golden: Path, changed: Iterable[str]) -> None:
    """Replace golden files by those of the folder."""
    for name in changed:
        if (folder / name).is_file():
            (golden / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, golden / name)
        else:
            (golden / name).unlink()


def listed(checkout: Path, *, accepting: bool) -> dict[str, str]:
    """Documents and schemas whose list of operations differs; written if accepted."""
    changed = {}
    for name, text in tables.written(checkout).items():
        old = (checkout / name).read_text("utf-8")
        if old != text:
            changed[name] = _difference(name, old, text)
            if accepting:
                (checkout / name).write_text(text, encoding="utf-8", newline="\n")
    return changed


def main(arguments: Sequence[str] | None = None, checkout: Path = CHECKOUT) -> int:
    """Record; exit status 1 if something is wrong, or would change and was not accepted."""
    parser = argparse.ArgumentParser(
        prog="python -m spec_tests.support.record",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="OP or OP/SLUG (default: all cases)")
    parser.add_argument("--accept", action="store_true", help="change the files")
    parser.add_argument("--measure", action="store_true", help="new measurement of the bounds")
    given = parser.parse_args(arguments)
    golden = checkout / "golden"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        problems = missing() or record(folder, golden, given.ids, given.measure)
        for problem in problems:
            sys.stderr.write(f"{problem}\n")
        if problems:
            return 1
        changed = differences(folder, golden)
        if given.accept:
            accept(folder, golden, changed)
        changed |= listed(checkout, accepting=given.accept)
        for name, difference in changed.items():
            sys.stdout.write(f"{difference} {name}\n" if len(difference) < 5 else difference + "\n")
    return 1 if changed and not given.accept else 0


if __name__ == "__main__":
    sys.exit(main())
