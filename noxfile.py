"""Every check of this project as a session: `nox -l` is the manual.

Plain `nox` runs the sessions that every change has to pass.  `nox -s NAME` runs one session, with
`-R` in its existing environment; arguments after `--` go to pytest: `nox -R -s tests -- -k cipher`.

To add a session: write a function below, with a docstring of one line that says what it checks and
how long that takes.  With `default=True` every change has to pass it; otherwise it runs by name.
To add an experiment: write `reference/saffu_lab/bench/NAME.py` and add bench.NAME to PROGRAMS.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True

PROGRAMS: tuple[str, ...] = (
    "bench.speed",
    "bench.memory",
    "digits.mnist",
    "bench.growth",
    "bench.worker_scaling",
    "bench.device",
    "bench.shapes",
    "bench.startup",
    "bench.race",
    "bench.reach",
    "bench.ratios",
)
"""Modules of `saffu_lab` that run on their own: `python -m saffu_lab.NAME`."""

TORCH = "torch==2.13.0"
"""Installed by pip, which also finds a CPU build that is on the machine; uv does not."""

ROOT = Path(__file__).parent
REPORTS = ROOT / "build" / "reports"
"""Each run of pytest leaves a JUnit file here; `.ci/totals.py` adds them up."""

PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""The tests run in several processes; more threads per process would compete for the cores."""


def install(session: nox.Session, *groups: str, extras: str = "") -> None:
    """Install the package from the working tree, with dependency groups and extras."""
    package = f".[{extras}]" if extras else "."
    session.install("-e", package, *nox.project.dependency_groups(PROJECT, *groups))


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest, leaving a report named after the session."""
    report = REPORTS / f"{session.name}.xml"
    session.run(
        *("python", "-m", "pytest", f"--junitxml={report}", "--hypothesis-profile=ci"),
        *arguments,
        *session.posargs,
        env=ONE_THREAD,
    )


# --- what every change has to pass, quickest first ---------------------------------------------


@nox.session(default=True)
def lint(session: nox.Session) -> None:
    """Style: ruff has no complaint and nothing to reformat (5 s)."""
    session.install(*nox.project.dependency_groups(PROJECT, "style"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(default=True)
def types(session: nox.Session) -> None:
    """Types: mypy --strict over the package, its tests and this file (30 s)."""
    install(session, "types", "test", "documents")
    session.run("mypy")


@nox.session(default=True)
def imports(session: nox.Session) -> None:
    """Order: a module imports only from rows below its own (10 s)."""
    install(session, "imports")
    session.run("lint-imports", "--no-cache")


@nox.session(default=True)
def tests(session: nox.Session) -> None:
    """Tests: the spec tests, with shapes checked at every call (minutes)."""
    install(session, "test")
    pytest(session, "-m", "not torch", "-n", "auto", "--maxprocesses", "4")


@nox.session(default=True, venv_backend="virtualenv")
def witness(session: nox.Session) -> None:
    """Witnesses: PyTorch and scikit-learn compute the same; none is skipped (2 min)."""
    session.install(TORCH)
    install(session, "test")
    session.env["SAFFU_REQUIRE_WITNESS"] = "1"
    pytest(session, "-m", "torch")


@nox.session(default=True, venv_backend="virtualenv")
@nox.parametrize("library", [nox.param(name, id=name) for name in ("strict", "torch")])
def arrays(session: nox.Session, library: str) -> None:
    """Array libraries: golden cases and spec tests, without implicit transfers (2 min)."""
    if library == "torch":
        session.install(TORCH)
    install(session, "test")
    pytest_on_arrays(session, library)


def pytest_on_arrays(session: nox.Session, library: str) -> None:
    """Run the numerical spec tests with arrays of another library."""
    pytest(
        session,
        *("-p", "spec_tests.arrays", "--arrays", library),
        *("-m", "not torch", "--hypothesis-profile=brief"),
    )


@nox.session(default=True)
def doc_examples(session: nox.Session) -> None:
    """Examples: all code in README.md, docs/ and the docstrings gives the output shown (30 s)."""
    install(session, "test", "documents", extras="plot,images")
    pytest(
        session,
        *("-p", "spec_tests.documents", "--doctest-modules"),
        "--ignore=docs/ports/torch/saffu_torch",  # needs PyTorch: see `witness`
        *("reference/saffu", "reference/saffu_lab", "README.md", "docs"),
    )


@nox.session(default=True)
def docs(session: nox.Session) -> None:
    """Site: Sphinx builds the documents without a warning, into build/site/html (45 s)."""
    install(session, "pages")
    build_the_site(session)


@nox.session(default=True)
def browser(session: nox.Session) -> None:
    """Browser: one page of each kind in headless Chromium, skipped if not installed (1 min)."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    if not any(name and shutil.which(name) for name in names):
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
        (session.error if os.environ.get("SAFFU_REQUIRE_BROWSER") else session.skip)(reason)
    install(session, "test", "site")
    if not BUILT:
        build_the_site(session)
    files = ("spec_tests/site_in_browser.py", "spec_tests/report_in_browser.py")
    pytest(session, "-m", "glance", *files)


BUILT: list[Path] = []
"""The site, once it was built in this run."""


def build_the_site(session: nox.Session) -> None:
    """Gather the pages, then build them with Sphinx; a broken link is an error."""
    folder = ROOT / "build" / "site"
    session.run("python", "-m", "docs._site.assemble", str(folder / "source"))
    session.run(
        *("sphinx-build", "--builder", "html", "--fresh-env", "--write-all", "--quiet"),
        *("--nitpicky", "--fail-on-warning", "--keep-going"),
        *("--conf-dir", "docs", "--doctree-dir", str(folder / "doctrees")),
        *(str(folder / "source"), str(folder / "html")),
    )
    BUILT.append(folder)


@nox.session(default=True)
def package(session: nox.Session) -> None:
    """Release: a wheel built from the sdist works in an otherwise empty environment (1 min)."""
    session.install(*nox.project.dependency_groups(PROJECT, "package"))
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder, str(ROOT), silent=True)
        (wheel,) = Path(folder).glob("*.whl")
        wheel_holds_the_package(session, wheel)
        session.chdir(folder)
        session.run("python", "-m", "venv", "clean")
        programs = Path(folder) / "clean" / ("Scripts" if sys.platform == "win32" else "bin")
        python = str(programs / "python")
        session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
        Path("use.py").write_text(USE_THE_PACKAGE, encoding="utf-8")
        session.run(python, "-W", "error", "use.py", external=True)
        session.run(str(programs / "saffu"), "--help", external=True)
        session.run(str(programs / "saffu"), "roadmap", "--example", external=True, silent=True)


USE_THE_PACKAGE = """
import importlib, pkgutil, pathlib
import saffu, saffu_lab

modules = sorted(
    m.name for p in (saffu, saffu_lab) for m in pkgutil.walk_packages(p.__path__, p.__name__ + ".")
)
for name in modules:
    if not name.endswith(".__main__"):
        importlib.import_module(name)

import numpy as np
from saffu.numerics import softmax

even = softmax(np.zeros((2, 5)))
assert np.allclose(even, 0.2), even
home = pathlib.Path(saffu.__file__).parent
assert "site-packages" in home.parts, f"not the installed package: {home}"

from saffu.conformance.contract.golden import golden_root, read_suite

assert golden_root() == home / "golden", golden_root()
print(f"{len(read_suite())} golden cases came with the package")
print(f"{len(modules)} modules import with the core dependencies alone")
"""


def wheel_holds_the_package(session: nox.Session, wheel: Path) -> None:
    """Fail unless the wheel holds modules, golden files, py.typed, licence, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if not name.endswith("/")}
    source = ROOT / "reference"
    packages = (source / "saffu", source / "saffu_lab")
    files = (path for home in packages for path in home.rglob("*") if path.is_file())
    wanted = {
        path.relative_to(source).as_posix() for path in files if "__pycache__" not in path.parts
    }
    golden = (path for path in (ROOT / "golden").rglob("*") if path.is_file())
    wanted |= {f"saffu/{path.relative_to(ROOT).as_posix()}" for path in golden}
    package = {name for name in inside if name.startswith(("saffu/", "saffu_lab/"))}
    about = {name for name in inside if ".dist-info/" in name}
    if "saffu/py.typed" not in package:
        session.error("the wheel holds no saffu/py.typed, so its types would be ignored")
    if not any(name.endswith("/licenses/LICENSE") for name in about):
        session.error("the wheel holds no licence")
    if missing := sorted(wanted - package):
        session.error(f"the wheel lacks {', '.join(missing)}")
    if stray := sorted(inside - about - wanted):
        session.error(f"the wheel holds files that are not the package's: {', '.join(stray)}")


@nox.session(default=True)
def demo(session: nox.Session) -> None:
    """Demo: the demo of the README, at a tiny size (20 s)."""
    install(session)
    with tempfile.TemporaryDirectory() as folder:
        session.chdir(folder)
        session.run("saffu", "demo", "--tiny")


@nox.session(default=True)
def experiments(session: nox.Session) -> None:
    """Experiments: each one runs at a tiny size; the numbers are not used (1 min)."""
    install(session, extras="plot,images,cluster")
    with tempfile.TemporaryDirectory() as folder:
        session.chdir(folder)
        for name in PROGRAMS:
            session.run("python", "-m", f"saffu_lab.{name}", "--tiny", env=ONE_THREAD)


@nox.session(default=True)
def ports(session: nox.Session) -> None:
    """Ports: the C99 port builds without warnings and passes level full, with challenges (30 s)."""
    compiler = shlex.split(os.environ.get("CC", "cc"))[0]
    for program in (compiler, "make"):
        if shutil.which(program) is None:
            session.error(
                f"{program}, which builds the C99 port, is not installed; install it (Debian: "
                "apt-get install build-essential), or name another C compiler in CC"
            )
    install(session)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "c"
        built = shutil.ignore_patterns("saffu-port*", "*.o")
        shutil.copytree(ROOT / "docs" / "ports" / "c", copy, ignore=built)
        session.chdir(copy)
        session.run("make", "check", external=True)


@nox.session(default=True)
def mutants_sample(session: nox.Session) -> None:
    """Golden files: they detect the listed mistakes and a sample of one-token mutants (3 min)."""
    install(session, "test", "mutants")
    pytest(session, "spec_tests/mutants")
    session.run("python", "-m", "spec_tests.mutants", "--sample", "90", env=ONE_THREAD)


# --- by name only -----------------------------------------------------------------------------


@nox.session(default=False, venv_backend="virtualenv")
def replicate(session: nox.Session) -> None:
    """Figures: every claim of the papers, into docs/replication.md; resumable (4 h)."""
    session.install(TORCH)
    install(session, extras="plot,images,cluster")
    session.run("saffu", "replicate", "--out", str(ROOT / "docs"), *session.posargs)


@nox.session(default=False, venv_backend="virtualenv")
def bench(session: nox.Session) -> None:
    """Figures: time beside PyTorch and scikit-learn; race with `-- --mnist FOLDER` (15 min)."""
    session.install(TORCH)
    install(session, extras="plot,images")
    for name in ("startup", "speed", "shapes", "reach"):
        measure(session, name, threads=2)
    measure(session, "race", *session.posargs, threads=2)
    picture = str(ROOT / "build" / "ratios.png")
    session.run("python", "-m", "saffu_lab.bench.ratios", str(ROOT / "build"), "--out", picture)


@nox.session(default=False)
def site(session: nox.Session) -> None:
    """Site: every page in headless Chromium, at a phone's width; build/screenshots (4 min)."""
    install(session, "test", "site")
    build_the_site(session)
    pytest(session, "spec_tests/site_in_browser.py", "spec_tests/report_in_browser.py")


@nox.session(default=False)
def readers(session: nox.Session) -> None:
    """Format: the readers in golden/README.md, in JavaScript, C, Rust and Julia (1 min)."""
    install(session, "test")
    pytest(session, "spec_tests/readers_of_golden_files.py")


@nox.session(default=False)
def memory(session: nox.Session) -> None:
    """Figures: peak memory of fitting texts of 1M and 10M targets from disk (5 min)."""
    install(session)
    measure(session, "memory", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Figures: the golden files against every one-token mutant; docs/mutation.md (10 min)."""
    install(session, "test", "mutants")
    command = ("python", "-m", "spec_tests.mutants", "--publish")
    session.run(*command, *session.posargs, env=ONE_THREAD)


@nox.session(default=False)
def scale(session: nox.Session) -> None:
    """Figures: time and memory of counting up to 100M targets; one worker against two (20 min)."""
    install(session, extras="plot,cluster")
    for name in ("growth", "worker_scaling"):
        measure(session, name, *session.posargs)


@nox.session(default=False)
def gpu(session: nox.Session) -> None:
    """GPU: golden cases and spec tests with CuPy's arrays, then targets per second (5 min)."""
    install(session, "test", extras="cuda12")
    session.install(
        "cupy-cuda12x[ctk]>=14"
    )  # with CUDA's own libraries; the driver has to be there
    session.run("python", "-c", NEEDS_A_GPU)
    pytest_on_arrays(session, "cupy")
    out = str(ROOT / "build" / "device.json")
    session.run(
        *("python", "-m", "saffu_lab.bench.device", "--on", "numpy", "cupy", "--out", out),
    )


NEEDS_A_GPU = """
import cupy

if not cupy.is_available():
    raise SystemExit("CuPy finds no usable GPU, so nothing was tested; run this on a machine with "
                     "an NVIDIA GPU and its driver")
"""


def measure(session: nox.Session, name: str, *arguments: str, threads: int = 1) -> None:
    """Run an experiment at full size; its results are kept in `build/`."""
    limits = dict.fromkeys(ONE_THREAD, str(threads))
    out = ("--out", str(ROOT / "build" / f"{name}.json"))
    session.run("python", "-m", f"saffu_lab.bench.{name}", *out, *arguments, env=limits)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Figures: lines that no spec test reaches (minutes)."""
    install(session, "test")
    pytest(
        session,
        *("-m", "not torch", "-n", "auto", "--maxprocesses", "4"),
        *("--cov", "--cov-report=term"),
    )


@nox.session(default=False)
def thorough(session: nox.Session) -> None:
    """Tests: property tests with twenty times the examples, drawn at random (long)."""
    install(session, "test")
    pytest(
        session,
        *("-m", "not torch", "-n", "auto", "--hypothesis-profile=thorough"),
    )


@nox.session(default=False, venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Bounds: the spec tests with the oldest supported numpy, scipy and others (minutes)."""
    groups = nox.project.dependency_groups(PROJECT, "test")
    session.install("--resolution=lowest-direct", "-e", ".", *groups)
    pytest(session, "-m", "not torch", "-n", "auto", "--maxprocesses", "4")


@nox.session(default=False)
def tidy(session: nox.Session) -> None:
    """No check: ruff fixes and reformats what it can (5 s)."""
    session.install(*nox.project.dependency_groups(PROJECT, "style"))
    session.run("ruff", "check", "--fix")
    session.run("ruff", "format")
