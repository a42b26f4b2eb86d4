"""Results are saved first and printed after, and printing never fails."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from saffu.cli import main, message_and_status
from saffu.commands.streams import Outlet, standard_streams
from saffu.models.transformer import SaffuTransformer
from spec_tests.support.texts import sentences

FIT = "fit text.txt -o model --preset tiny --explicit-only --vocabulary 30"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a model."""
    folder = tmp_path_factory.mktemp("streams")
    text = "\n\n".join(sentences(seed=11, count=90))
    (folder / "text.txt").write_text(text, encoding="utf-8")
    assert shell(folder, f"saffu {FIT}").returncode == 0
    (folder / "model").rename(folder / "good")
    return folder


def shell(
    folder: Path, line: str, flags: str = "", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """A line of bash in a folder, in which `saffu` is this program."""
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "SAFFU_CACHE": str(folder / "c")}
    words = f'saffu() {{ "{sys.executable}" {flags} -m saffu.cli "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", words],
        cwd=folder,
        env={**os.environ, **one, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


# --- what takes the output --------------------------------------------------------------------


@pytest.mark.parametrize(
    "where",
    [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "> /dev/full", "2> /dev/full", "| head -c 1"],
)
def test_the_model_is_saved_whatever_becomes_of_the_output(workshop: Path, where: str) -> None:
    (workshop / "model").unlink(missing_ok=True)
    ended = shell(workshop, f"saffu {FIT} {where}; exit ${{PIPESTATUS[0]}}")
    made = SaffuTransformer.load(workshop / "model")
    assert made.vocabulary == SaffuTransformer.load(workshop / "good").vocabulary
    assert (workshop / "model").read_bytes() == (workshop / "good").read_bytes()
    lost = where == "> /dev/full"
    assert ended.returncode == (2 if lost else 0)
    assert (b"the output is not complete" in ended.stderr) == lost
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("encoding", "alpha"),
    [("cp1252", rb"\u03b1"), ("ascii", rb"\u03b1"), ("utf-8", "α".encode())],
)
def test_what_an_encoding_lacks_is_written_as_its_escape(
    workshop: Path, encoding: str, alpha: bytes
) -> None:
    ended = shell(workshop, f"saffu {FIT}", PYTHONIOENCODING=encoding, LC_ALL="C", PYTHONUTF8="0")
    assert ended.returncode == 0
    assert alpha + b" of U" in ended.stdout
    assert (workshop / "model").read_bytes() == (workshop / "good").read_bytes()


def test_a_file_never_takes_the_place_of_a_closed_stream(workshop: Path) -> None:
    """Else a library that writes to descriptor 2 would write into the model."""
    code = (
        "import os\n"
        "from saffu.commands.streams import standard_streams\n"
        "with standard_streams():\n"
        "    file = open('opened', 'w'); assert file.fileno() > 2, file.fileno()\n"
        "    os.write(1, b'x'); os.write(2, b'y')\n"
    )
    (workshop / "look.py").write_text(code)
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        assert shell(workshop, f'"{sys.executable}" look.py {closed}').returncode == 0
        assert (workshop / "opened").read_bytes() == b""


class Full(StringIO):
    """A stream on a full disk."""

    def write(self, _text: str, /) -> int:
        raise OSError(28, "No space left on device")


def test_an_outlet_takes_everything_and_keeps_the_first_error() -> None:
    outlet = Outlet(Full())
    outlet.write("one")
    outlet.writelines(["two", "three"])
    outlet.flush()
    assert outlet.lost is not None
    assert outlet.lost.errno == 28
    good = Outlet(StringIO())
    good.writelines(["α", "β"])
    assert (good.getvalue(), good.lost) == ("αβ", None)


def test_the_streams_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyError), standard_streams():
        raise KeyError
    assert (sys.stdout, sys.stderr) == before


# --- what comes before a command --------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("raise KeyboardInterrupt", 130, "saffu: stopped\n"),
        ("raise ImportError('libopenblas.so is missing')", 2, "libopenblas.so is missing"),
        ("this = is no + Python", 2, "SyntaxError"),
        ("[].no_such_attribute", 2, "AttributeError"),
    ],
    ids=["ctrl-c", "missing", "damaged", "broken"],
)
def test_what_happens_while_a_command_is_loaded_is_one_message(
    tmp_path: Path, body: str, code: int, message: str
) -> None:
    """NumPy is what is loaded first, and here another one stands before it."""
    (tmp_path / "numpy.py").write_text(body)
    ended = subprocess.run(
        [sys.executable, "-m", "saffu.cli", "info", "model"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "bug" not in ended.stderr


def test_a_missing_package_is_no_bug() -> None:
    message, status = message_and_status(ImportError("No module named 'scipy'"))
    assert status == 2
    assert "install saffu and its packages again" in message


def test_everything_works_without_assertions_and_docstrings(workshop: Path) -> None:
    for line in (f"saffu {FIT}", "saffu eval good text.txt", "saffu info good", "saffu fit --help"):
        assert shell(workshop, line, flags="-OO").returncode == 0, line
    ended = shell(workshop, "saffu golden verify", flags="-OO")
    assert ended.returncode == 0, ended.stderr


# --- what is typed ----------------------------------------------------------------------------


def test_a_text_may_come_from_a_pipe(workshop: Path) -> None:
    line = f"cat text.txt | saffu {FIT.replace('text.txt', '-')}"
    assert shell(workshop, line).returncode == 0
    assert (workshop / "model").read_bytes() == (workshop / "good").read_bytes()
    named = shell(workshop, "saffu eval good text.txt")
    for line in ("cat text.txt | saffu eval good -", "saffu eval good <(cat text.txt)"):
        assert shell(workshop, line).stdout == named.stdout != b""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("saffu eval good ''", b"expected the path of a file or folder, got an empty one"),
        ("saffu fit text.txt -o ''", b"expected the path of a file or folder, got an empty one"),
        ("saffu fit text.txt -o model --seed 18446744073709551616", b"below 2^64, got"),
        ("saffu generate good --seed -1", b"expected a whole number >= 0, got '-1'"),
        ("mkfifo p; saffu info p", b"expected a regular file, got a pipe"),
        ("saffu generate p", b"expected a regular file, got a pipe"),
        ("saffu fit text.txt -o /dev/null", b"expected a regular file or nothing there"),
        ("saffu fit text.txt -o .", b"expected a regular file or nothing there"),
        ("saffu fit text.txt -o m --tokeniser p", b"no regular file"),
    ],
    ids=["text", "output", "seed", "negative", "info", "model", "device", "folder", "tokeniser"],
)
def test_what_cannot_be_meant_is_refused_at_once(workshop: Path, line: str, message: bytes) -> None:
    ended = shell(workshop, line)
    assert ended.returncode == 2
    assert message in ended.stderr


def test_the_least_temperature_is_the_likeliest_token(workshop: Path) -> None:
    least = shell(workshop, "saffu generate good --temperature 5e-324")
    none = shell(workshop, "saffu generate good --temperature 0")
    assert (least.returncode, least.stdout, least.stderr) == (0, none.stdout, b"")


def test_what_is_left_out_of_a_folder_is_said(workshop: Path) -> None:
    (workshop / "notes").mkdir()
    (workshop / "notes" / "a.txt").write_bytes((workshop / "text.txt").read_bytes())
    (workshop / "notes" / "b.txt").symlink_to("nowhere")
    (workshop / "notes" / "c").symlink_to(".")
    ended = shell(workshop, "saffu eval good notes")
    assert ended.stderr.splitlines() == [
        b"left out: notes/b.txt (a link to nothing)",
        b"left out: notes/c (a link to a folder)",
    ]


def test_slots_that_no_document_fills_cost_nothing(
    workshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 slots took gigabytes; the predictions are those of the slots that hold a token."""
    monkeypatch.chdir(workshop)
    monkeypatch.setenv("SAFFU_CACHE", str(workshop / "c"))
    printed = []
    for contexts in ("radial:2000", "radial:40", "block:2000", "block:40"):
        words = FIT.replace("-o model", "-o wide").split()
        assert main([*words, "--contexts", contexts]) == 0
        out, _ = capsys.readouterr()
        assert "slots, the targets of the longest document" in out
        model = SaffuTransformer.load(workshop / "wide")
        assert model.configuration.contexts[0].slots < 40
        printed.append(next(line for line in out.splitlines() if "the model" in line))
    assert printed[0] == printed[1]
    assert printed[2] == printed[3]


def test_two_forms_of_unicode_are_said_and_made_one(
    workshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workshop)
    monkeypatch.setenv("SAFFU_CACHE", str(workshop / "c"))
    text = (workshop / "text.txt").read_text(encoding="utf-8").replace("mat", "maté")
    other = text.replace("é", "e\u0301")
    (workshop / "both.txt").write_text(f"{text}\n\n{other}", encoding="utf-8")
    (workshop / "one.txt").write_text(text, encoding="utf-8")
    (workshop / "other.txt").write_text(other, encoding="utf-8")
    fit = ("fit", "both.txt", "-o", "forms", "--preset", "tiny", "--explicit-only")
    assert main(fit) == 0
    assert "--normalise NFC makes them one" in capsys.readouterr().out
    assert main([*fit, "--normalise", "nfc"]) == 0
    assert "--normalise" not in capsys.readouterr().out
    figures = []
    for name in ("one.txt", "other.txt"):
        assert main(["eval", "forms", name]) == 0
        figures.append(capsys.readouterr().out.split("model", 1)[1].split()[0])
    assert figures[0] == figures[1], "the model normalises what it reads"
    assert main(["fit", "one.txt", *fit[2:]]) == 0
    capsys.readouterr()
    assert main(["eval", "forms", "other.txt"]) == 0
    assert "another Unicode form" in capsys.readouterr().out
    assert main(["info", "forms"]) == 0


STOPPED_AGAIN = """
import atexit, os, signal, sys
def stop_again():
    for each in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), each)
atexit.register(stop_again)
sys.argv = ["saffu", "info", "none"]
from saffu.cli import main
sys.exit(main())
"""


def test_signals_after_the_end_do_not_change_how_a_command_ended(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", STOPPED_AGAIN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("saffu: none: ")
    assert ran.stderr.count("\n") == 1
