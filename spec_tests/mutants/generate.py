"""Every mutant of a module, as mutmut makes them, less those that only change what is said.

Not mutants of an operation, by rule:

- docstrings and type annotations (mutmut leaves them alone);
- the text of a refusal: what stands in a `raise`, in a block that ends in one, and in arguments and
  variables called `name`, `letters`, `source` or `advice`.  The contract is the reason code, which
  is the class that is raised; the words are free;
- citations ("SPEC 1", and constants such as `_SPEC_1` and `SOURCE` that hold one), which go into
  such a text, and arguments that are one;
- a change that compiles to the same instructions.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

from spec_tests.mutants.mutant import Mutant, compiled, original, same

TEXTS = frozenset({"name", "letters", "source", "advice"})
"""What arguments and variables are called that only go into the text of a refusal."""
CITATION = re.compile(r"_?SPEC(_\d+)?|SOURCE")
"""What constants are called that hold a citation."""


def mutants_of(module_name: str) -> list[Mutant]:
    """The mutants of all functions and methods of a module, in the order of the file."""
    module = import_module(module_name)
    path = Path(inspect.getfile(module))
    # mutmut passes over decorated functions, since it copies them; here only the code is replaced,
    # so properties and operations are functions like any other.  The decorator is not part of the
    # mutant.
    text = path.read_text("utf-8")
    for decorator in ("@property", "@operation"):
        text = text.replace(decorator, "@staticmethod")
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    tree = MetadataWrapper(cst.parse_module(text)).visit(visitor)
    owners = dict(_functions(tree))
    said = {id(node) for root in _said(tree, module) for node in _below(root)}
    found: list[Mutant] = []
    twins: Counter[tuple[str, str, str]] = Counter()
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        old, new = mutation.original_node, mutation.mutated_node
        if (
            function is None
            or function not in owners
            or id(old) in said
            or _changes_said(old, new, said)
        ):
            continue
        changed = deep_replace(function, old, new)
        was, becomes = _difference(_source(function), _source(changed))
        key = (owners[function], was, becomes)
        mutant = Mutant(module_name, *key, _source(changed), twins[key])
        if not same(original(module_name, owners[function]), compiled(mutant)):
            twins[key] += 1
            found.append(mutant)
    return found


def _functions(tree: Any) -> Iterator[tuple[Any, str]]:
    """Functions of a module and methods of its classes, with their names."""
    for statement in tree.body:
        if isinstance(statement, cst.FunctionDef):
            yield statement, statement.name.value
        elif isinstance(statement, cst.ClassDef):
            for inner in statement.body.body:
                if isinstance(inner, cst.FunctionDef):
                    yield inner, f"{statement.name.value}.{inner.name.value}"


def _said(node: Any, module: ModuleType) -> Iterator[Any]:
    """The roots of all that only goes into the text of a refusal."""
    for each in _below(node):
        if isinstance(each, cst.Raise):
            yield each
        elif isinstance(each, (cst.If, cst.ExceptHandler)) and _ends_in_raise(each.body):
            yield each.body
        elif isinstance(each, cst.Call):
            yield from _texts_among(each, module)
        elif isinstance(each, (cst.Assign, cst.AnnAssign)):
            if isinstance(target := _target(each), cst.Name) and target.value in TEXTS:
                yield each
        elif isinstance(each, cst.Param):
            if each.name.value in TEXTS:
                yield each
        elif _cites(each) or (isinstance(each, cst.Arg) and _cites(each.value)):
            yield each


def _cites(expression: Any) -> bool:
    """Whether an expression is a citation."""
    if isinstance(expression, cst.Name):
        return CITATION.fullmatch(expression.value) is not None
    return isinstance(expression, cst.SimpleString) and expression.value.startswith('"SPEC ')


def _ends_in_raise(block: Any) -> bool:
    last = block.body[-1]
    return isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Raise)


def _target(assignment: Any) -> Any:
    if isinstance(assignment, cst.AnnAssign):
        return assignment.target
    return assignment.targets[0].target


def _texts_among(call: Any, module: ModuleType) -> Iterator[Any]:
    """The arguments of a call of one of our functions that are such texts."""
    function = _called(call.func, module)
    if not inspect.isfunction(function) or not function.__module__.startswith("saffu."):
        return
    parameters = list(inspect.signature(function).parameters)
    for argument, parameter in zip(call.args, parameters, strict=False):
        name = argument.keyword.value if argument.keyword else parameter
        if name in TEXTS:
            yield argument


def _called(expression: Any, module: ModuleType) -> object:
    """What a name, or a name of a module of ours, stands for."""
    if isinstance(expression, cst.Name):
        return getattr(module, expression.value, None)
    if isinstance(expression, cst.Attribute) and isinstance(expression.value, cst.Name):
        return getattr(getattr(module, expression.value.value, None), expression.attr.value, None)
    return None


def _changes_said(old: Any, new: Any, said: set[int]) -> bool:
    """Whether a changed call differs from the original in such a text."""
    if not (isinstance(old, cst.Call) and isinstance(new, cst.Call)):
        return False
    kept = {id(argument) for argument in new.args}
    return any(id(argument) in said and id(argument) not in kept for argument in old.args)


def _below(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from _below(child)


def _source(function: Any) -> str:
    bare = function.with_changes(decorators=[], leading_lines=[], lines_after_decorators=[])
    return textwrap.dedent(cst.Module([bare]).code)


def _difference(before: str, after: str) -> tuple[str, str]:
    """The lines that differ, on either side."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return _joined(lines, "- "), _joined(lines, "+ ")


def _joined(lines: Iterable[str], mark: str) -> str:
    return " ".join(line[2:].strip() for line in lines if line.startswith(mark))


def modules_below(package: str, places: Iterable[tuple[str, str]]) -> list[str]:
    """The modules that hold some of the places, as the package's table of contents has them."""
    held = {module for module, _ in places}
    return [name for name in sys.modules if name in held and name.startswith(package)]
