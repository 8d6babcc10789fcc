"""One-step mutants of a plain solution, each with words for what it is as if.

A mutant is the solution with one small change: another comparison, a sign, a constant, an axis, a
call that is left out. The words name what is left out, exchanged or added, and of names only the
exercise's arguments, so that they do not print the solution.
"""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from course_utils.lessons.changes import changes_of

MOST_TURNS = 10_000  # of all loops of one call together


class TooManyTurns(RuntimeError):
    """A mutant's loop has turned more often than any solution needs to."""


@dataclass(frozen=True)
class Mutant:
    """A function with one change.

    ``line`` is the changed line as it is now, by which equivalent mutants are listed; ``text``
    completes "It is as if ...".
    """

    function: Callable[..., Any]
    line: str
    text: str


@cache
def mutants_of(function: Callable[..., Any]) -> list[Mutant]:
    """All one-step mutants of a function whose source can be read, no two alike."""
    definition = _definition(function)
    if definition is None:
        return []
    seen, found = {ast.unparse(definition)}, []
    for changed, line, text in _changed_definitions(definition):
        source = ast.unparse(changed)
        if source in seen:
            continue
        seen.add(source)
        if (mutant := _compiled(changed, function)) is not None:
            found.append(Mutant(mutant, line, text))
    return found


def _definition(function: Callable[..., Any]) -> ast.FunctionDef | None:
    """The function's syntax tree without decorators, annotations and docstring."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        return None
    definition.decorator_list = []
    definition.returns = None
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:] or [ast.Pass()]
    return definition


def _changed_definitions(
    definition: ast.FunctionDef,
) -> Iterator[tuple[ast.FunctionDef, str, str]]:
    """Copies of the definition with one change each, the changed line, and the words for it."""
    every = [*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs]
    arguments = {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in every}
    defaults = _defaults(definition)
    for position, node in enumerate(ast.walk(definition)):
        for change in changes_of(node, arguments, defaults):
            changed = copy.deepcopy(definition)
            target = next(n for i, n in enumerate(ast.walk(changed)) if i == position)
            new = None if change.new is None else ast.copy_location(change.new, target)
            line = _apply(changed, target, new)
            if line is not None:
                yield ast.fix_missing_locations(changed), line, change.text


def _defaults(definition: ast.FunctionDef) -> dict[str, ast.expr]:
    """The defaults of the arguments that have one."""
    spec = definition.args
    plain = [*spec.posonlyargs, *spec.args]
    pairs = list(zip(reversed(plain), reversed(spec.defaults), strict=False))
    pairs += zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    return {argument.arg: default for argument, default in pairs if default is not None}


def _apply(tree: ast.FunctionDef, target: ast.AST, new: ast.AST | None) -> str | None:
    """Put ``new`` in the target's place (None drops a statement); the changed line, as text."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, new)
                return _line_with(tree, new)
            if isinstance(value, list) and any(entry is target for entry in value):
                place = next(i for i, entry in enumerate(value) if entry is target)
                if new is None:
                    value[place : place + 1] = [] if len(value) > 1 else [ast.Pass()]
                    return f"without: {_first_line(target)}"
                value[place] = new
                return _line_with(tree, new)
    return None


def _line_with(tree: ast.FunctionDef, node: ast.AST) -> str:
    """The first line of the innermost statement around a node."""
    ast.fix_missing_locations(tree)
    inside = [
        statement
        for statement in ast.walk(tree)
        if isinstance(statement, ast.stmt) and any(part is node for part in ast.walk(statement))
    ]
    return _first_line(inside[-1]) if inside else ""


def _first_line(statement: ast.AST) -> str:
    return ast.unparse(statement).splitlines()[0]


def _compiled(definition: ast.FunctionDef, original: Callable[..., Any]) -> Callable | None:
    """A definition as a function among the original's globals, its loops counted."""
    tree = ast.fix_missing_locations(_Counted().visit(copy.deepcopy(definition)))
    turns = [0]

    def turn() -> bool:
        turns[0] += 1
        if turns[0] > MOST_TURNS:
            raise TooManyTurns
        return True

    space = dict(original.__globals__) | {"_turn": turn}
    try:
        code = compile(ast.Module([tree], []), f"<mutant of {original.__name__}>", "exec")
        exec(code, space)
    except Exception:
        return None
    made = space[definition.name]

    def mutant(*args: Any, **kwargs: Any) -> Any:
        turns[0] = 0
        return made(*args, **kwargs)

    return mutant


class _Counted(ast.NodeTransformer):
    """Counts the turns of loops, also of those in comprehensions."""

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._counted(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._counted(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs.insert(0, _call_turn())
        return node

    def _counted(self, node: ast.While | ast.For) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_call_turn()))
        return node


def _call_turn() -> ast.Call:
    return ast.Call(ast.Name("_turn", ast.Load()), [], [])
