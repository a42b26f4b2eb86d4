"""Commands that the laboratory adds to the program `saffu`, and what they share."""

from typing import Final

COMMANDS: Final = {
    "demo": (
        "saffu_lab.commands.demo",
        "the papers' claims on this machine, in one minute",
    ),
    "replicate": (
        "saffu_lab.commands.replicate",
        "every claim of the papers, measured, with a verdict",
    ),
    "digits": ("saffu_lab.commands.digits", "the same explicit solution on images of digits"),
    "roadmap": (
        "saffu_lab.commands.roadmap",
        "perplexity against size for many models",
    ),
}
"""Name of a command: its module, and what it does."""
