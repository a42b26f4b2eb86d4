"""`python -m saffu.conformance check …` and `… golden …`, as commands of `saffu`."""

from __future__ import annotations

import argparse
import sys

from saffu.conformance.command import check, golden


def main(argv: list[str] | None = None) -> int:
    """Parse, run, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu.conformance",
        description="Golden cases, and the kit that judges implementations by them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check.add_parser(commands, "verdict on an implementation, by the golden cases")
    golden.add_parser(commands, "golden cases: list, show, explain, verify, export")
    words = list(sys.argv[1:] if argv is None else argv)
    args = parser.parse_args(words, argparse.Namespace(words=words))
    status: int = args.run(args)
    return status


if __name__ == "__main__":
    sys.exit(main())
