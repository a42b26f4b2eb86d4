"""The one step of the build that pyproject.toml cannot say: golden files travel as saffu/golden."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

GOLDEN = Path(__file__).parent / "golden"


class BuildWithGolden(build_py):
    """Copy golden/ beside the modules; an editable install finds it where it lies."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "saffu" / "golden"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(GOLDEN, target)


setup(cmdclass={"build_py": BuildWithGolden})
