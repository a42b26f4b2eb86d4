"""`python -m saffu.conformance check …` and `… golden …`, as the program `saffu` has them."""

from __future__ import annotations

import argparse
import sys

from saffu.conformance.command import check, golden


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu.conformance",
        description="Golden cases, and the kit that holds implementations to them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check.add_parser(commands, "judge an implementation by the golden cases")
    golden.add_parser(commands, "list, show, explain, verify, export or record the golden cases")
    args = parser.parse_args(argv)
    status: int = args.run(args)
    return status


if __name__ == "__main__":
    sys.exit(main())
