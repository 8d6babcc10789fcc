"""Changes of a solution that touch more than one place, each with words for it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations

from course_utils.lessons.change_words import DROPPED, Names, about
from course_utils.lessons.changes import is_derivative
from course_utils.lessons.changes_of_calls import call_name, without_call

Wider = tuple[ast.FunctionDef, ast.stmt, str]


def wider_changes(definition: ast.FunctionDef, arguments: Names) -> Iterator[Wider]:
    """The changed definition, the changed line, and words after "as if".

    The same is left out everywhere, statements move into a loop or out of it, and two names
    change places in one line.
    """
    for i, statement in enumerate(_statements(definition)):
        if i == 0:
            yield from _everywhere(definition)
        if isinstance(statement, ast.For):
            yield from _moved(definition, i, arguments)
        elif not isinstance(statement, (ast.If, ast.While)):
            yield from _exchanged(definition, i, arguments)


def written_names(tree: ast.AST) -> set[str]:
    """Names that are given a value."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def _read_names(tree: ast.AST) -> set[str]:
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Load)}


class _Without(ast.NodeTransformer):
    """Leaves out all calls of one name; without a name, all derivatives of a `tanh`."""

    def __init__(self, name: str = "") -> None:
        self.name, self.count = name, 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        inner = without_call(node)
        if not self.name or call_name(node) != self.name or inner is None:
            return node
        self.count += 1
        return inner

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if self.name or not isinstance(node.op, ast.Mult) or not is_derivative(node.right):
            return node
        self.count += 1
        return node.left


def _everywhere(definition: ast.FunctionDef) -> Iterator[Wider]:
    """The same left out in all places, where there are two or more."""
    calls = {call_name(n) for n in ast.walk(definition) if isinstance(n, ast.Call)}
    for name in ["", *sorted(calls & set(DROPPED))]:
        without = _Without(name)
        changed = without.visit(copy.deepcopy(definition))
        if without.count > 1:
            what = f"each `{name}`" if name else "the derivative of each `tanh`"
            yield changed, changed.body[-1], f"{what} were missing"


def _statements(definition: ast.FunctionDef) -> list[ast.stmt]:
    return [node for node in ast.walk(definition) if isinstance(node, ast.stmt)][1:]


def _block_around(definition: ast.FunctionDef, statement: ast.stmt) -> list[ast.stmt]:
    """The list of statements in which one stands."""
    for parent in ast.walk(definition):
        for field in ("body", "orelse"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and any(entry is statement for entry in block):
                return block
    raise ValueError("the statement stands in no block of this definition")


def _is_set(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)


def _moved(definition: ast.FunctionDef, number: int, arguments: Names) -> Iterator[Wider]:
    """What a loop makes anew made once, and what is made once before it made anew."""
    loop = _statements(definition)[number]
    written = written_names(loop)
    for i, statement in enumerate(loop.body):
        if _is_set(statement) and not _read_names(statement.value) & written:
            changed, twin = _twin(definition, number)
            moved = twin.body.pop(i)
            twin.body = twin.body or [ast.Pass()]
            block = _block_around(changed, twin)
            block.insert(block.index(twin), moved)
            text = "what is made anew in each turn of a loop were made once, before it"
            yield changed, moved, text + about(arguments, moved)
    block = _block_around(definition, loop)
    for i in range(block.index(loop)):
        if _is_set(block[i]) and written_names(block[i]) <= written:
            changed, twin = _twin(definition, number)
            moved = _block_around(changed, twin).pop(i)
            twin.body.insert(0, moved)
            text = "what is made once, before a loop, were made anew in each turn"
            yield changed, moved, text + about(arguments, moved)


def _twin(definition: ast.FunctionDef, number: int) -> tuple[ast.FunctionDef, ast.stmt]:
    """A copy of the definition, and its statement with this number."""
    changed = copy.deepcopy(definition)
    return changed, _statements(changed)[number]


def _exchanged(definition: ast.FunctionDef, number: int, arguments: Names) -> Iterator[Wider]:
    names = _values_in(_statements(definition)[number], {*arguments, *written_names(definition)})
    for one, other in combinations(names, 2):
        changed, line = _twin(definition, number)
        for node in ast.walk(line):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                node.id = {one: other, other: one}.get(node.id, node.id)
        if _in_order(line) == _in_order(_statements(definition)[number]):
            continue
        text = "two values stood in each other's place in one line"
        yield changed, line, text + about(arguments, *(ast.Name(n) for n in (one, other)))


def _in_order(line: ast.stmt) -> str:
    """The line with the sides of sums and products in alphabetical order."""

    class Sorted(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
            self.generic_visit(node)
            if isinstance(node.op, (ast.Add, ast.Mult)):
                node.left, node.right = sorted((node.left, node.right), key=ast.unparse)
            return node

    return ast.unparse(Sorted().visit(copy.deepcopy(line)))


def _values_in(line: ast.stmt, known: Collection[str]) -> Sequence[str]:
    return sorted(name for name in _read_names(line) if name in known)
