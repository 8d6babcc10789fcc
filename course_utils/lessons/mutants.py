"""One-step mutants of a plain solution, each with words for what it is as if.

A mutant is the solution with one small change: another comparison, a sign, a constant, an axis, a
call that is left out. The words name what is left out, exchanged or added, and of names only the
exercise's arguments, so that they do not print the solution.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from course_utils.lessons.change_words import Change
from course_utils.lessons.changes import changes_of, substitutions

SHAPE_ONLY = ("shape", "dtype", "device", "new_zeros", "new_ones", "new_full", "size")
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
    for place, change in _changes(definition):
        source, line = _changed(definition, place, change.new)
        if source not in seen:
            seen.add(source)
            found.append(Mutant(_Compiled(source, function), line, change.text))
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


@dataclass(frozen=True)
class _Place:
    """Where a node stands: in a field of its parent, perhaps in a list; and in which statement."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    statement: ast.stmt


def _places(node: ast.AST, statement: ast.stmt) -> Iterator[_Place]:
    """All nodes below one, from outside to inside."""
    waiting = [(node, statement)]
    for parent, around in waiting:
        for field, value in ast.iter_fields(parent):
            if field == "annotation":
                continue
            entries = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for index, child in entries:
                if isinstance(child, ast.AST):
                    inner = child if isinstance(child, ast.stmt) else around
                    yield _Place(child, parent, field, index, inner)
                    waiting.append((child, inner))


def _changes(definition: ast.FunctionDef) -> list[tuple[_Place, Change]]:
    """All changes and where, the most natural ones first: a search may run out of time."""
    every = [*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs]
    arguments = {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in every}
    defaults = _defaults(definition)
    places = list(_places(definition, definition))
    found = [(p, change) for p in places for change in changes_of(p.node, arguments, defaults)]
    shapes = {id(inner) for p in places if _reads_shape(p.node) for inner in ast.walk(p.node)}
    others = [place for place in places if id(place.node) not in shapes]
    return found + [(p, change) for p in others for change in substitutions(p.node, arguments)]


def _reads_shape(node: ast.AST) -> bool:
    """Whether all that counts of a value inside is its shape: others of this shape would do."""
    if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        return name == "len" or name.endswith("_like")
    return isinstance(node, ast.Attribute) and node.attr in SHAPE_ONLY


def _defaults(definition: ast.FunctionDef) -> dict[str, ast.expr]:
    """The defaults of the arguments that have one."""
    spec = definition.args
    plain = [*spec.posonlyargs, *spec.args]
    pairs = list(zip(reversed(plain), reversed(spec.defaults), strict=False))
    pairs += zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    return {argument.arg: default for argument, default in pairs if default is not None}


def _changed(definition: ast.FunctionDef, place: _Place, new: ast.AST | None) -> tuple[str, str]:
    """The source with one change, and the changed line; the tree is as before afterwards."""
    old = getattr(place.parent, place.field)
    if place.index is None:
        changed: Any = new
    else:
        changed = [*old[: place.index], *([] if new is None else [new]), *old[place.index + 1 :]]
    setattr(place.parent, place.field, changed or [ast.Pass()] if new is None else changed)
    try:
        source = ast.unparse(ast.fix_missing_locations(definition))
        statement = new if place.node is place.statement else place.statement
        dropped = statement is None
        line = ast.unparse(place.node if dropped else statement).splitlines()[0]
    finally:
        setattr(place.parent, place.field, old)
    return source, f"without: {line}" if dropped else line


class _Compiled:
    """A function from source, among the original's globals, made when it is first called."""

    def __init__(self, source: str, original: Callable[..., Any]) -> None:
        self._source, self._original = source, original
        self._function: Callable[..., Any] | None = None
        self._turns = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._turns = 0
        if self._function is None:
            self._function = self._made()
        return self._function(*args, **kwargs)

    def _made(self) -> Callable[..., Any]:
        tree = ast.fix_missing_locations(_Counted().visit(ast.parse(self._source)))
        space = dict(self._original.__globals__) | {"_turn": self._turn}
        exec(compile(tree, f"<mutant of {self._original.__name__}>", "exec"), space)
        return space[tree.body[0].name]

    def _turn(self) -> bool:
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise TooManyTurns
        return True


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
