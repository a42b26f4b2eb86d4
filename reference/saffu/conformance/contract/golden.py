"""Location and reading of the golden files.   (SPEC 9)

In a checkout they lie in `golden/` beside `reference/`; an installed package carries them as
`saffu/golden`.  The manifest has their number and the hash of each: fewer cases, or another byte in
one of them, is an error and never a shorter run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import saffu
from saffu.conformance.contract.arrays import canonical
from saffu.conformance.contract.case import Case
from saffu.errors import BadFile

SUITE: Final = "1.0.0"
"""The version of the suite; it rises with every change of a case."""

_AGAIN: Final = "reinstall the package, or check the golden files out again"
_LF: Final = "check the files out without conversion of line ends (git config core.autocrlf false)"


def golden_root() -> Path:
    """The folder of the golden files.  Refuses (BadFile) where there is none.

    >>> (golden_root() / "MANIFEST.json").is_file()
    True
    """
    package = Path(saffu.__file__).parent
    for root in (package / "golden", package.parent.parent / "golden"):
        if (root / "MANIFEST.json").is_file():
            return root
    raise BadFile(package / "golden" / "MANIFEST.json", "there is no such file", _AGAIN)


def manifest_of(root: Path) -> dict[str, Any]:
    """The manifest of the files below `root`."""
    files = {path.relative_to(root).as_posix(): path for path in sorted(root.glob("*/*.json"))}
    ids = [name.removesuffix(".json") for name in files if not name.startswith("schema/")]
    ops = sorted({name.split("/")[0] for name in ids})
    return {
        "suite": SUITE,
        "cases": len(ids),
        "operations": {op: sum(name.startswith(f"{op}/") for name in ids) for op in ops},
        "sha256": {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in files.items()
            if not name.startswith("schema/")
        },
    }


def write_manifest(root: Path) -> None:
    """Write MANIFEST.json for the files below `root`."""
    text = canonical(manifest_of(root))
    (root / "MANIFEST.json").write_text(text, encoding="utf-8", newline="\n")


def read_manifest(root: Path | None = None) -> Mapping[str, Any]:
    """MANIFEST.json as it is written.  Refuses (BadFile) what is no manifest."""
    path = (root or golden_root()) / "MANIFEST.json"
    record = _read(path)
    match record:
        case {"suite": str(), "cases": int(), "operations": dict(), "sha256": dict()}:
            return {str(field): value for field, value in record.items()}
    raise BadFile(path, "expected suite, cases, operations and sha256 in a JSON object", _AGAIN)


def read_case(path: Path) -> Case:
    """The case of one file.  Refuses (BadFile, BadRecord) what is no case."""
    return Case.from_json(_read(path))


def read_suite(root: Path | None = None) -> tuple[Case, ...]:
    """All cases, by id.

    Refuses (BadFile): files other than the manifest lists; a file that is not the one it lists.
    """
    folder = root or golden_root()
    wanted = read_manifest(folder)
    present = manifest_of(folder)["sha256"]
    for name in sorted({*wanted["sha256"], *present}):
        if name not in present:
            raise BadFile(folder / name, "the manifest lists it, and it is missing", _AGAIN)
        if name not in wanted["sha256"]:
            raise BadFile(folder / name, "the manifest does not list it", _AGAIN)
        if present[name] != wanted["sha256"][name]:
            unix = (folder / name).read_bytes().replace(b"\r\n", b"\n")
            if hashlib.sha256(unix).hexdigest() == wanted["sha256"][name]:
                raise BadFile(folder / name, "its lines end in CRLF, the published ones in LF", _LF)
            raise BadFile(folder / name, "it is not the file that the manifest lists", _AGAIN)
    return tuple(read_case(folder / name) for name in sorted(present))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as wrong:
        raise BadFile(path, str(wrong), _AGAIN) from None
