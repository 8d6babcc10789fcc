"""The changes of a solution's calls."""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Callable, Iterator, Sequence

from course_utils.lessons.change_words import (
    ALONG_AXIS,
    AXES,
    BY_AXIS,
    COUNTS,
    DROPPED,
    EXCHANGED,
    REDUCTIONS,
    Change,
    Names,
    about,
)


def call_name(node: ast.Call) -> str:
    """The name of what is called, without the module or the value that it belongs to."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_method(node: ast.Call) -> bool:
    """Whether the function is called on a value, not taken from a module such as torch."""
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    modules = ("torch", "F", "nn", "functional", "math")
    return owner is not None and not (
        (isinstance(owner, ast.Name) and owner.id in modules)
        or (isinstance(owner, ast.Attribute) and owner.attr in modules)
    )


def without_call(node: ast.Call) -> ast.expr | None:
    """What a call is made of or made with: what is left where the call is left out."""
    return node.func.value if _is_method(node) else next(iter(node.args), None)


def changes_of_call(node: ast.Call, arguments: Names) -> Iterator[Change]:
    """Calls left out or exchanged, other axes, arguments exchanged or left out, shorter loops."""
    name = call_name(node)
    place = about(arguments, node)
    inner = without_call(node)
    if name in DROPPED and inner is not None and not isinstance(inner, ast.Starred):
        yield Change(inner, f"{DROPPED[name]} were missing{place}")
    for other in EXCHANGED.get(name, ()):
        new = copy.deepcopy(node)
        if isinstance(new.func, ast.Attribute):
            new.func.attr = other
        else:
            new.func.id = other
        yield Change(new, f"`{other}` stood where `{name}` belongs{place}")
    if name in DROPPED and inner is not None and len(_terms(inner)) > 1:
        yield from _of_terms(node, _terms(inner), name, place)
    yield from _outside(node, inner, name, place)
    if name in ALONG_AXIS and _is_method(node) and not node.args and not node.keywords:
        for axis, words in ((-1, "row by row"), (0, "column by column")):
            keep = ast.keyword("keepdim", ast.Constant(True))
            owner = ast.Attribute(node.func.value, ALONG_AXIS[name], ast.Load())
            new = ast.Call(owner, [ast.Constant(axis)], [keep])
            yield Change(new, f"`{name}` were taken {words} and not of all{place}")
    if name in ("softmax", "log_softmax") and inner is not None:
        first = ast.Call(ast.Attribute(inner, "softmax", ast.Load()), [ast.Constant(-1)], [])
        yield Change(_around(node, first), f"a softmax were taken of a softmax{place}")
    if name in REDUCTIONS and _is_method(node) and len(node.args) == 1 and not node.keywords:
        new = ast.Call(node.func, [], [])
        yield Change(new, f"`{name}` were taken of all numbers at once, without an axis{place}")
    if name in COUNTS:
        for sign, which in ((ast.Add, "large"), (ast.Sub, "small")):
            new = ast.BinOp(node, sign(), ast.Constant(1))
            yield Change(new, f"a count were one too {which}{place}")
    yield from _axes(node, name, place)
    yield from _call_arguments(node, name, place)
    if isinstance(node.func, ast.Name) and name in arguments and len(node.args) > 1:
        shorter = ast.Call(node.func, node.args[:-1], node.keywords)
        yield Change(shorter, f"`{name}` were called without its last argument")
    if name == "range":
        yield from _ranges(node)


def _outside(node: ast.Call, inner: ast.expr | None, name: str, place: str) -> Iterator[Change]:
    """A call after another one, or after a product or a division, changes places with it."""
    if not _is_method(node) or node.args or node.keywords:
        return
    if isinstance(inner, ast.Call) and _is_method(inner) and not inner.args + inner.keywords:
        first = call_name(inner)
        if not {name, first} <= {*EXCHANGED, "abs", "sqrt"}:
            return
        new = _around(inner, _around(node, inner.func.value))
        yield Change(new, f"`{name}` came before `{first}` and not after it{place}")
    if isinstance(inner, ast.BinOp) and isinstance(inner.op, (ast.Mult, ast.Div)):
        kind = "a division" if isinstance(inner.op, ast.Div) else "a product"
        new = ast.BinOp(_around(node, inner.left), inner.op, inner.right)
        yield Change(new, f"{kind} came after `{name}` and not before it{place}")


def _terms(node: ast.expr) -> list[ast.expr]:
    """The terms of a sum; another expression is the only term of itself."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_terms(node.left), node.right]
    return [node]


def _sum(terms: Sequence[ast.expr]) -> ast.expr:
    return functools.reduce(lambda one, other: ast.BinOp(one, ast.Add(), other), terms)


def _of_terms(call: ast.Call, terms: Sequence[ast.expr], name: str, place: str) -> Iterator[Change]:
    """A call of a sum reaches each term by itself, all but one, or one alone."""
    each = _sum([_around(call, term) for term in terms])
    yield Change(each, f"`{name}` reached each term of a sum and not the sum{place}")
    for i, term in enumerate(terms):
        others = _sum([*terms[:i], *terms[i + 1 :]])
        text = f"`{name}` reached a part of a sum and not the sum{place}"
        yield Change(ast.BinOp(_around(call, others), ast.Add(), term), text)
        if len(terms) > 2:
            yield Change(ast.BinOp(_around(call, term), ast.Add(), others), text)


def _around(call: ast.Call, inner: ast.expr) -> ast.Call:
    """The same call of another value."""
    if _is_method(call):
        return ast.Call(ast.Attribute(inner, call.func.attr, ast.Load()), call.args, call.keywords)
    return ast.Call(call.func, [inner, *call.args[1:]], call.keywords)


def _axes(node: ast.Call, name: str, place: str) -> Iterator[Change]:
    """The axis of a reduction, another one."""
    slots: list[tuple[Callable[[ast.Call], ast.AST], Callable[[ast.Call, ast.AST], None]]] = []
    for i, keyword in enumerate(node.keywords):
        if keyword.arg in AXES:
            slots.append((lambda c, i=i: c.keywords[i].value, _set_keyword(i)))
    last = len(node.args) - 1
    if name in BY_AXIS and last >= (0 if _is_method(node) else 1):
        slots.append((lambda c: c.args[last], _set_argument(last)))
    for get, put in slots:
        value = _axis_number(get(node))
        for other in {0: (1,), 1: (0, 2), -1: (0, 1, -2), 2: (1,)}.get(value, ()):
            new = copy.deepcopy(node)
            put(new, ast.Constant(other))
            yield Change(new, f"`{name}` went along axis {other} and not {value}{place}")


def _set_keyword(i: int) -> Callable[[ast.Call, ast.AST], None]:
    def put(call: ast.Call, value: ast.AST) -> None:
        call.keywords[i].value = value

    return put


def _set_argument(i: int) -> Callable[[ast.Call, ast.AST], None]:
    def put(call: ast.Call, value: ast.AST) -> None:
        call.args[i] = value

    return put


def _axis_number(node: ast.AST) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _axis_number(node.operand)
        return None if inner is None else -inner
    whole = isinstance(node, ast.Constant) and type(node.value) is int
    return node.value if whole else None


def _call_arguments(node: ast.Call, name: str, place: str) -> Iterator[Change]:
    """Arguments exchanged, and those with a name left out."""
    for i in range(len(node.args) - 1):
        new = copy.deepcopy(node)
        new.args[i], new.args[i + 1] = new.args[i + 1], new.args[i]
        yield Change(new, f"two arguments of `{name}` were exchanged{place}")
    for i, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            new = copy.deepcopy(node)
            del new.keywords[i]
            yield Change(new, f"`{keyword.arg}=` of `{name}` were missing{place}")
    if len(node.args) > 1 and name in ("sum", "max", "min", "mean", "pow", "clamp", "any", "all"):
        new = copy.deepcopy(node)
        del new.args[-1]
        yield Change(new, f"the last argument of `{name}` were missing{place}")


def _ranges(node: ast.Call) -> Iterator[Change]:
    """Loops with one turn less or more."""
    first = node.args[0] if len(node.args) > 1 else ast.Constant(0)
    last = node.args[1] if len(node.args) > 1 else node.args[0]
    rest = node.args[2:]
    one = ast.Constant(1)
    for start, stop, text in (
        (ast.BinOp(first, ast.Add(), one), last, "the first turn of a loop were left out"),
        (first, ast.BinOp(last, ast.Sub(), one), "the last turn of a loop were left out"),
        (first, ast.BinOp(last, ast.Add(), one), "a loop took one turn too many"),
    ):
        yield Change(ast.Call(node.func, [start, stop, *rest], []), text)
