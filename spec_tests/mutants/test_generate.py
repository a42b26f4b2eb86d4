"""Which mutants are made of a module, and which are not."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from spec_tests.mutants.generate import mutants_of

Made = Callable[[str], list[str]]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """The changes that are made of the text of a module."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def changes(text: str) -> list[str]:
        (tmp_path / "mutated.py").write_text(textwrap.dedent(text), "utf-8")
        import_module("mutated")
        return [f"{m.function}: {m.was} → {m.becomes}" for m in mutants_of("mutated")]

    yield changes
    sys.modules.pop("mutated", None)


def test_an_operator_is_swapped_in_functions_methods_and_properties(made: Made) -> None:
    text = """
        def one(a, b):
            return a + b

        class Some:
            def two(self, a):
                return a * 3

            @property
            def three(self):
                return self.two(1) < 3

            @staticmethod
            def four(a):
                return not a
        """
    assert sorted(made(text)) == sorted(
        [
            "one: return a + b → return a - b",
            "Some.two: return a * 3 → return a / 3",
            "Some.two: return a * 3 → return a * 4",
            "Some.three: return self.two(1) < 3 → return self.two(1) <= 3",
            "Some.three: return self.two(1) < 3 → return self.two(2) < 3",
            "Some.three: return self.two(1) < 3 → return self.two(None) < 3",
            "Some.three: return self.two(1) < 3 → return self.two(1) < 4",
            "Some.four: return not a → return a",
        ]
    )


def test_docstrings_annotations_and_what_compiles_to_the_same_are_left_alone(made: Made) -> None:
    text = '''
        from __future__ import annotations

        def one(a: list[int | None], b: 'M N' = 1) -> dict[str, 3]:
            """Words."""
            c: float | None
            return a
        '''
    header = "def one(a: list[int | None], b: 'M N' = {}) -> dict[str, 3]:".format
    assert made(text) == [f"one: {header(1)} → {header(2)}"]


def test_the_texts_of_refusals_are_left_alone(made: Made) -> None:
    text = """
        from saffu import checks
        from saffu.errors import BadOption

        def one(a, name="a", source="SPEC 1"):
            checks.whole("a", a, 0, "SPEC 1")
            checks.whole(value=a, name="a", least=0, source="SPEC 1")
            letters = "M N" + "D"
            try:
                a.b
            except AttributeError:
                problem = 1 + 1
                raise BadOption(name, problem, "a" + "b", source) from None
            if a:
                first = 1 + 1
                raise BadOption("a", first, f"{1 + 1}", "SPEC 1")
        """
    assert made(text) == [
        'one: checks.whole("a", a, 0, "SPEC 1") → checks.whole("a", None, 0, "SPEC 1")',
        'one: checks.whole("a", a, 0, "SPEC 1") → checks.whole("a", a, None, "SPEC 1")',
        'one: checks.whole("a", a, 0, "SPEC 1") → checks.whole("a", 0, "SPEC 1")',
        'one: checks.whole("a", a, 0, "SPEC 1") → checks.whole("a", a, "SPEC 1")',
        'one: checks.whole("a", a, 0, "SPEC 1") → checks.whole("a", a, 1, "SPEC 1")',
        *(
            f'one: checks.whole(value=a, name="a", least=0, source="SPEC 1") → {becomes}'
            for becomes in (
                'checks.whole(value=None, name="a", least=0, source="SPEC 1")',
                'checks.whole(value=a, name="a", least=None, source="SPEC 1")',
                'checks.whole(name="a", least=0, source="SPEC 1")',
                'checks.whole(value=a, name="a", source="SPEC 1")',
                'checks.whole(value=a, name="a", least=1, source="SPEC 1")',
            )
        ),
    ]


def test_constants_that_hold_a_citation_are_left_alone(made: Made) -> None:
    text = """
        from saffu import checks

        _SPEC = "SPEC 1"
        _SPEC_2 = "SPEC 2"
        SOURCE = "SPEC 3"

        def one(a, width, refuse):
            checks.samples("a", a, _SPEC)
            checks.features(a, "a", _SPEC_2)
            checks.samples("a", a, source=SOURCE)
            refuse(width, _SPEC)
        """
    assert made(text) == [
        'one: checks.samples("a", a, _SPEC) → checks.samples("a", None, _SPEC)',
        'one: checks.samples("a", a, _SPEC) → checks.samples("a", _SPEC)',
        'one: checks.features(a, "a", _SPEC_2) → checks.features(None, "a", _SPEC_2)',
        'one: checks.features(a, "a", _SPEC_2) → checks.features("a", _SPEC_2)',
        'one: checks.samples("a", a, source=SOURCE) → checks.samples("a", None, source=SOURCE)',
        'one: checks.samples("a", a, source=SOURCE) → checks.samples("a", source=SOURCE)',
        "one: refuse(width, _SPEC) → refuse(None, _SPEC)",
        "one: refuse(width, _SPEC) → refuse(_SPEC)",
    ]


def test_a_condition_before_a_refusal_is_changed(made: Made) -> None:
    text = """
        def one(a):
            if a < 1:
                raise ValueError(a + 1)
        """
    assert made(text) == [
        "one: if a < 1: → if a <= 1:",
        "one: if a < 1: → if a < 2:",
    ]


def test_lines_that_read_the_same_give_names_of_their_own(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        def one(a):
            a = a + b
            a = a + b
        """
    made(text)
    names = [mutant.name for mutant in mutants_of("mutated")]
    assert len(set(names)) == len(names) == 4
    assert "mutated.one: a = a + b → a = a - b (2)" in names


def test_every_mutant_of_a_module_of_the_package_has_a_name_of_its_own() -> None:
    names = [mutant.name for mutant in mutants_of("saffu.numerics")]
    assert len(set(names)) == len(names) > 100
