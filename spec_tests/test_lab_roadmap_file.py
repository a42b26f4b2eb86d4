"""The file of a map: what it may say, what is refused, and that the refusal names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from saffu.errors import BadFile
from saffu_lab.roadmap.fields import FIELDS
from saffu_lab.roadmap.roadmap_file import bundled, parse_roadmap, read_roadmap, tiny
from saffu_lab.roadmap.space import FACTORS
from saffu_lab.roadmap.walk import models_to_walk

SHORT = '[space]\ncontexts = ["radial:2", "radial:3"]\nbits = [11, 13]\n'


def test_a_file_may_say_next_to_nothing() -> None:
    found = parse_roadmap(SHORT, "map.toml")
    defaults = {name: {k: f.default for k, f in own.items()} for name, own in FIELDS.items()}
    assert found.text == tuple(defaults["text"]["names"])
    assert found.targets is None
    assert found.models == defaults["walk"]["models"]
    assert found.training.best == defaults["training"]["best"]
    assert found.space.factors == {"contexts": ("radial:2", "radial:3"), "bits": (11, 13)}
    assert found.space.shared == {
        "vocabulary": defaults["text"]["vocabulary"],
        **defaults["search"],
    }


def test_everything_a_file_says_is_taken() -> None:
    found = parse_roadmap(
        """
        [text]
        names = ["a.txt", "prose"]
        unit = "file"
        vocabulary = 251
        targets = 3001
        seed = 7
        [space]
        contexts = ["radial:2"]
        bits = [11, 13, 17]
        [[skip]]
        bits = [11, 17]
        contexts = "radial:2"
        [search]
        hidden = [3]
        factors = [2, 5.5]
        smoothing = [11.0]
        [walk]
        models = 19
        seed = 23
        [training]
        best = 2
        random_share = 0.25
        rates = [0.01, 0.1]
        frozen = 0
        thawed = 3
        checks = 5
        batch = 29
        cold = false
        scales = [1]
        """,
        "map.toml",
    )
    assert (found.text, found.unit, found.targets, found.seed) == (
        *(("a.txt", "prose"), "file", 3001, 7),
    )
    assert (found.models, found.draw) == (19, 23)
    assert found.space.shared == {
        "vocabulary": 251,
        "hidden": [3.0],
        "factors": [2.0, 5.5],
        "smoothing": [11.0],
    }
    assert found.space.skip == ({"bits": [11, 17], "contexts": "radial:2"},)
    assert found.training == (2, 0.25, (0.01, 0.1), 0, 3, 5, 29, False, (1.0,))
    sources = found.sources(Path("models"))
    assert sources.text == (str(Path("a.txt").resolve()), "prose")
    assert (sources.unit, sources.cache) == ("file", "models")


REFUSED = {
    "nothing": ("", r"\[space\]"),
    "no TOML": ("[space", "not TOML"),
    "section": (SHORT + "[wlak]\nmodels = 3\n", r"\[wlak\]"),
    "field": (SHORT + "[walk]\nmodel = 3\n", r"\[walk\] field must be .*models.*, got 'model'"),
    "no section": ("walk = 5\n" + SHORT, "walk must be .*, got 5"),
    "models": (SHORT + "[walk]\nmodels = 0\n", r"\[walk\] models must be .*, got 0"),
    "truth": (SHORT + "[walk]\nmodels = true\n", r"\[walk\] models must be .*, got True"),
    "share": (
        SHORT + "[training]\nrandom_share = 1.5\n",
        r"\[training\] random_share must be .*, got 1.5",
    ),
    "rates": (SHORT + "[training]\nrates = []\n", r"\[training\] rates must be .*, got \[\]"),
    "infinite": (SHORT + "[training]\nrates = [inf]\n", r"\[training\] rates"),
    "epochs": (SHORT + "[training]\nfrozen = 0\n", "frozen .* thawed must be at least 1, got 0"),
    "unit": (SHORT + '[text]\nunit = "chapter"\n', r"\[text\] unit must be .*, got 'chapter'"),
    "text": (SHORT + "[text]\nnames = []\n", r"\[text\] names"),
    "factor": ("[space]\nwidth = [3]\n", r"\[space\]: factor must be .*label_bits.*, got 'width'"),
    "output": ('[space]\noutput = ["direct"]\n', r"\[space\]: factor must be .*, got 'output'"),
    "no list": ("[space]\nbits = 11\n", r"\[space\] bits must be .*, got 11"),
    "empty list": ("[space]\nbits = []\n", r"\[space\] bits must be .*, got \[\]"),
    "value": ("[space]\nbits = [11, 0]\n", r"\[space\] bits\[1\] must be .*, got 0"),
    "contexts": (
        '[space]\ncontexts = ["radial"]\n',
        r"\[space\] contexts\[0\] must be .*, got 'radial'",
    ),
    "skipped factor": (SHORT + "[[skip]]\ndepth = 2\n", r"\[\[skip\]\] 1: depth must be .*, got 2"),
    "skipped value": (SHORT + "[[skip]]\nbits = 12\n", r"\[\[skip\]\] 1: bits must be .*, got 12"),
    "skip": ("skip = 3\n" + SHORT, "skip must be .*, got 3"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_what_is_wrong_is_named(what: str) -> None:
    text, message = REFUSED[what]
    with pytest.raises(BadFile, match=f"map.toml: .*{message}.*saffu roadmap --example"):
        parse_roadmap(text, "map.toml")


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"none.toml.*--example"):
        read_roadmap(tmp_path / "none.toml")
    with pytest.raises(BadFile, match="--example"):
        read_roadmap(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"[space]\n# \xe9\n")
    with pytest.raises(BadFile, match="UTF-8"):
        read_roadmap(tmp_path / "latin.toml")
    (tmp_path / "map.toml").write_text(SHORT, encoding="utf-8")
    assert read_roadmap(tmp_path / "map.toml") == parse_roadmap(SHORT, "map.toml")
    (tmp_path / "marked.toml").write_text(SHORT, encoding="utf-8-sig")
    assert read_roadmap(tmp_path / "marked.toml") == parse_roadmap(SHORT, "map.toml")


def test_the_map_of_the_report_is_what_it_says() -> None:
    found = parse_roadmap(bundled(), "transformers.toml")
    assert set(found.space.factors) == set(FACTORS)
    assert (found.models, found.targets) == (250, 1_000_000)
    models = models_to_walk(found)
    assert len(models) == 250
    assert sum(model.drawn for model in models) == 25
    assert len({str(model.levels) for model in models}) == 250
    assert all(found.space.allowed(model.levels) for model in models)
    for factor, values in found.space.factors.items():
        assert {model.levels[factor] for model in models} == set(values)


def test_the_tiny_map_is_the_same_in_little() -> None:
    whole = parse_roadmap(bundled(), "transformers.toml")
    small = tiny(whole)
    assert set(small.space.factors) == set(whole.space.factors)
    assert all(len(set(values)) == 2 for values in small.space.factors.values())
    assert small.models < whole.models
    assert small.targets is not None
    assert small.targets <= 10_000
    assert len(models_to_walk(small)) == small.models
