"""The King James Bible, from Debian's program `bible`: 1,189 chapters of 31,102 verses.   [D]

The program prints one verse a line, behind a label: `Ge1:1 In the beginning God created …`.
"""

from __future__ import annotations

import re
import subprocess
from itertools import groupby

from saffu.errors import BadFile, Missing

CHAPTERS = 1189
VERSE = re.compile(r"(?P<chapter>[1-3]?[A-Za-z]+\d+):\d+ (?P<text>\S.*)")


def bible(command: str = "bible") -> list[str]:
    """The chapters in order, one verse a line, without their labels.

    Parameters: `command`, the program.
    Refuses: no such program; one that prints something else, or not all chapters.
    """
    install = "apt-get install bible-kjv"
    try:
        printed = subprocess.run(
            [command, "-f", "gen1:1-rev22:21"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        )
    except FileNotFoundError as missing:
        raise Missing("bible()", f"the program {command!r}", install) from missing
    except (subprocess.CalledProcessError, PermissionError) as problem:
        raise BadFile(command, str(problem), f"give the program of: {install}") from problem
    return chapters(printed.stdout, command)


def chapters(printed: str, command: str = "bible") -> list[str]:
    """The chapters in what the program printed."""
    verses = []
    for number, line in enumerate(printed.splitlines(), 1):
        verse = VERSE.fullmatch(line)
        if verse is None:
            problem = f"line {number} of its output is {line[:60]!r}, not a verse behind its label"
            raise BadFile(command, problem, "give the program of: apt-get install bible-kjv")
        verses.append(verse)
    whole = [
        "\n".join(verse["text"] for verse in chapter)
        for _, chapter in groupby(verses, key=lambda verse: verse["chapter"])
    ]
    if len(whole) != CHAPTERS:
        problem = f"it printed {len(whole)} chapters of {CHAPTERS}"
        raise BadFile(command, problem, "install it again: apt-get install bible-kjv")
    return whole
