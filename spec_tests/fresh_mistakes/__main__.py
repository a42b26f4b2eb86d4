"""Kill rates of the fresh mistakes: `python -m spec_tests.fresh_mistakes`."""

from __future__ import annotations

import sys

from saffu.conformance.contract.golden import read_suite
from saffu.conformance.operations import OPERATIONS
from spec_tests.fresh_mistakes.collection import CONTROLS, MISTAKES
from spec_tests.fresh_mistakes.judging import first_seen, judged, seen
from spec_tests.fresh_mistakes.record import COMMON, KINDS, RARE, FreshMistake


def table(killed: dict[str, str | None]) -> str:
    """Kill rates overall, by kind, by likelihood and by operation, and the survivors."""
    groups: list[tuple[str, list[FreshMistake]]] = [
        ("all", list(MISTAKES)),
        *((kind, [m for m in MISTAKES if m.kind == kind]) for kind in KINDS),
        *((likely, [m for m in MISTAKES if m.likely == likely]) for likely in (COMMON, RARE)),
        *((op, [m for m in MISTAKES if m.op == op]) for op in OPERATIONS),
    ]
    lines = []
    for name, members in groups:
        dead = sum(killed[m.id] is not None for m in members)
        share = 100 * dead / len(members) if members else 0.0
        lines.append(f"{name:20} {dead:4} of {len(members):4}  {share:5.1f} %")
    lines.append("survivors")
    lines += [
        f"  {m.id}  [{m.op}, {m.kind}, {m.likely}] {m.about}"
        for m in MISTAKES
        if killed[m.id] is None
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Judge each mistake as a port by the published cases; 1 if a port without mistake fails."""
    cases = read_suite()
    for op, control in CONTROLS:
        failed = [
            case.id for case in cases if case.op == op and judged(case) and seen(control, case)
        ]
        if failed:
            sys.stderr.write(f"a port of {op} without mistake fails {', '.join(failed)}\n")
            return 1
    killed = {mistake.id: first_seen(mistake, cases) for mistake in MISTAKES}
    sys.stdout.write(table(killed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
