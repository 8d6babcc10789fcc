"""The closed list of small changes to a solution's syntax tree, each with words for it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping

from course_utils.lessons.change_words import (
    COMPARISONS,
    KINDS,
    OPERATORS,
    SIGNS,
    Change,
    Names,
    about,
)
from course_utils.lessons.changes_of_calls import changes_of_call


def changes_of(
    node: ast.AST, arguments: Mapping[str, str], defaults: Mapping[str, ast.expr]
) -> Iterator[Change]:
    """All changes of one node.

    Args:
        node: of the solution's syntax tree.
        arguments: names that texts may use, with their annotations.
        defaults: those of the arguments that have one.
    """
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in defaults:
        default = copy.deepcopy(defaults[node.id])
        yield Change(default, f"`{node.id}` were not used, only its default")
    for kind, changes in _BY_KIND.items():
        if isinstance(node, kind):
            yield from changes(node, arguments)


def _compare(node: ast.Compare, arguments: Names) -> Iterator[Change]:
    place = about(arguments, node)
    yield from _multiples(node, place)
    for i, sign in enumerate(node.ops):
        for other in COMPARISONS.get(type(sign), ()):
            new = copy.deepcopy(node)
            new.ops[i] = other()
            yield Change(new, f"`{SIGNS[type(sign)]}` were `{SIGNS[other]}`{place}")


def _multiples(node: ast.Compare, place: str) -> Iterator[Change]:
    """What happens at each multiple of a number: only at the number, or from it on."""
    rest = node.left
    if not (isinstance(rest, ast.BinOp) and isinstance(rest.op, ast.Mod)):
        return
    if isinstance(node.ops[0], ast.Eq) and _is_number(node.comparators[0], 0):
        for sign, when in (
            (ast.Eq, "once and never again"),
            (ast.GtE, "at every turn from there on"),
            (ast.Gt, "at every turn after it"),
        ):
            new = ast.Compare(rest.left, [sign()], [rest.right])
            yield Change(new, f"what belongs at each multiple happened {when}{place}")


def _operation(node: ast.BinOp, arguments: Names) -> Iterator[Change]:
    sign = type(node.op)
    place = about(arguments, node)
    yield from _derivative(node, place)
    for other in OPERATORS.get(sign, ()):
        new = ast.BinOp(node.left, other(), node.right)
        yield Change(new, f"a `{SIGNS[sign]}` were a `{SIGNS[other]}`{place}")
    if sign in (ast.Sub, ast.Div, ast.MatMult, ast.FloorDiv, ast.Mod):
        new = ast.BinOp(node.right, node.op, node.left)
        yield Change(new, f"the two sides of {KINDS[sign][1]} were exchanged{place}")
    yield from _regrouped(node, place)
    if sign is ast.Pow:
        power = "the square" if _is_number(node.right, 2) else "a power"
        yield Change(node.left, f"{power} were missing{place}")
        return
    if sign is ast.Add:
        for term in (node.left, node.right):
            text = "one term of a sum were counted twice and the other one not at all"
            yield Change(ast.BinOp(term, sign(), term), f"{text}{place}")
    if sign is ast.MatMult:
        for side in ("left", "right"):
            if getattr(getattr(node, side), "attr", "") not in ("T", "mT"):
                new = copy.copy(node)
                setattr(new, side, ast.Attribute(getattr(node, side), "mT", ast.Load()))
                yield Change(new, f"a matrix were transposed that belongs as it is{place}")
    if sign in (ast.Div, ast.FloorDiv):
        yield Change(node.left, f"a division were missing{about(arguments, node.right)}")
        yield Change(node.right, f"what a division divides were missing{place}")
    elif sign in KINDS:
        part, whole = KINDS[sign]
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            where = about(arguments, lost).replace(", where", ", the one where")
            text = f"one {part} of {whole} were missing{where}"
            if part == "term" and isinstance(lost, ast.Constant):
                done = "subtracted" if sign is ast.Sub else "added"
                text = f"the number that is {done} were missing{about(arguments, kept)}"
            yield Change(kept, text)


def _derivative(node: ast.BinOp, place: str) -> Iterator[Change]:
    """What stands for `1 - output**2`, the derivative of a `tanh` by what comes out of it."""
    if is_derivative(node):
        output = node.right.left
        sigmoid = ast.BinOp(output, ast.Mult(), ast.BinOp(node.left, ast.Sub(), output))
        text = "the derivative of a sigmoid stood where that of `tanh` belongs"
        yield Change(sigmoid, f"{text}{place}")
        again = ast.parse(f"1 - torch.tanh({ast.unparse(output)}) ** 2", mode="eval").body
        yield Change(again, f"`tanh` were applied once more in its own derivative{place}")
    if isinstance(node.op, ast.Mult):
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            if is_derivative(lost):
                yield Change(kept, f"the derivative of one `tanh` were missing{place}")


def is_derivative(node: ast.AST) -> bool:
    """Whether it reads `1 - output**2`."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and _is_number(node.left, 1)
        and isinstance(node.right, ast.BinOp)
        and isinstance(node.right.op, ast.Pow)
        and _is_number(node.right.right, 2)
    )


def _regrouped(node: ast.BinOp, place: str) -> Iterator[Change]:
    """A factor that reaches one term of a sum, or the whole sum, instead of the other."""
    one = f"a factor reached one term of a sum and not both{place}"
    both = f"a factor reached a whole sum and not one term{place}"
    for inner, other, left in ((node.left, node.right, True), (node.right, node.left, False)):
        if not isinstance(inner, ast.BinOp):
            continue
        if isinstance(node.op, (ast.Mult, ast.Div)) and isinstance(inner.op, (ast.Add, ast.Sub)):
            if left or isinstance(node.op, ast.Mult):
                for a, b in (
                    (inner.left, ast.BinOp(inner.right, node.op, other)),
                    (ast.BinOp(inner.left, node.op, other), inner.right),
                ):
                    yield Change(ast.BinOp(a, inner.op, b), one)
        elif isinstance(node.op, (ast.Add, ast.Sub)) and isinstance(inner.op, (ast.Mult, ast.Div)):
            first, second = (inner.left, other) if left else (other, inner.left)
            whole = ast.BinOp(first, node.op, second)
            yield Change(ast.BinOp(whole, inner.op, inner.right), both)


def _is_number(node: ast.AST, number: int) -> bool:
    return isinstance(node, ast.Constant) and node.value == number


def _sign(node: ast.UnaryOp, arguments: Names) -> Iterator[Change]:
    place = about(arguments, node.operand)
    if isinstance(node.op, ast.USub):
        yield Change(node.operand, f"a minus sign were missing{place}")
    elif isinstance(node.op, ast.Invert):
        named = isinstance(node.operand, ast.Name) and node.operand.id in arguments
        mask = f"`{node.operand.id}`" if named else "a mask"
        yield Change(node.operand, f"{mask} were inverted in one place, True for False")
    elif isinstance(node.op, ast.Not):
        yield Change(node.operand, f"a condition were turned into its opposite{place}")


def _constant(node: ast.Constant, arguments: Names) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield Change(ast.Constant(not value), f"a {value} were {not value}")
    elif isinstance(value, (int, float)):
        others = {0: (1, -1), 1: (0, 2), -1: (0, 1), 2: (1, 3)}.get(value, (value + 1, value - 1))
        for other in others:
            text = f"the number {other:g} stood where {value:g} belongs"
            yield Change(ast.Constant(other), text)


def _default(node: ast.arguments, arguments: Names) -> Iterator[Change]:
    """Other defaults of arguments."""
    plain = [*node.posonlyargs, *node.args]
    for i, default in enumerate(node.defaults):
        name = plain[len(plain) - len(node.defaults) + i].arg
        if isinstance(default, ast.Constant) and isinstance(default.value, (int, float)):
            value = default.value
            other = not value if isinstance(value, bool) else value + 1
            new = copy.deepcopy(node)
            new.defaults[i] = ast.Constant(other)
            yield Change(new, f"the default of `{name}` were {other:g} and not {value:g}")


def _infinity(node: ast.Attribute, arguments: Names) -> Iterator[Change]:
    if node.attr == "inf":
        yield Change(ast.Constant(0.0), "the number 0 stood where infinity belongs")
        yield Change(ast.Constant(1.0), "the number 1 stood where infinity belongs")
        yield Change(ast.Constant(1e4), "a large number stood where infinity belongs")
    elif node.attr in ("T", "mT"):
        yield Change(node.value, f"a transposition were missing{about(arguments, node)}")


def _bool_operation(node: ast.BoolOp, arguments: Names) -> Iterator[Change]:
    other = ast.Or if isinstance(node.op, ast.And) else ast.And
    place = about(arguments, node)
    old, new = SIGNS[type(node.op)], SIGNS[other]
    yield Change(ast.BoolOp(other(), node.values), f"an `{old}` were an `{new}`{place}")
    for i, lost in enumerate(node.values):
        rest = node.values[:i] + node.values[i + 1 :]
        kept = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        yield Change(kept, f"one of the conditions were missing{about(arguments, lost)}")


def _choice(node: ast.IfExp, arguments: Names) -> Iterator[Change]:
    place = about(arguments, node.test)
    for kept in (node.body, node.orelse):
        text = "a special case were missing, a condition always the same"
        if any(isinstance(n, ast.Subscript) and _is_before(n.slice) for n in ast.walk(kept)):
            text = (
                "a special case were missing: before the first entry comes index -1, the last one"
            )
        yield Change(kept, f"{text}{place}")


def _is_before(index: ast.AST) -> bool:
    return isinstance(index, ast.BinOp) and isinstance(index.op, ast.Sub)


def _subscript(node: ast.Subscript, arguments: Names) -> Iterator[Change]:
    if not isinstance(node.ctx, ast.Load):
        return
    place = about(arguments, node.value)
    if isinstance(node.slice, ast.Slice):
        yield Change(node.value, f"all of a tensor were taken and not a part of it{place}")
    elif isinstance(node.slice, (ast.Name, ast.BinOp)):
        for step, sign in ((1, ast.Add), (-1, ast.Sub)):
            index = ast.BinOp(node.slice, sign(), ast.Constant(1))
            which = "after" if step > 0 else "before"
            text = f"the entry {which} the right one were read{place}"
            yield Change(ast.Subscript(node.value, index, node.ctx), text)


def _slice(node: ast.Slice, arguments: Names) -> Iterator[Change]:
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is None:
            continue
        end = "start" if name == "lower" else "end"
        for sign, which in ((ast.Add, "later"), (ast.Sub, "earlier")):
            new = copy.deepcopy(node)
            setattr(new, name, ast.BinOp(bound, sign(), ast.Constant(1)))
            place = about(arguments, bound)
            yield Change(new, f"the {end} of a part lay one step {which}{place}")


def _tuple(node: ast.Tuple, arguments: Names) -> Iterator[Change]:
    if isinstance(node.ctx, ast.Load):
        for i in range(len(node.elts) - 1):
            new = copy.deepcopy(node)
            new.elts[i], new.elts[i + 1] = new.elts[i + 1], new.elts[i]
            yield Change(new, f"{_exchanged(*node.elts[i : i + 2])}{about(arguments, node)}")


def _exchanged(one: ast.expr, other: ast.expr) -> str:
    """Words for two neighbours in a tuple, as indices are, in each other's place."""
    new_axes = [isinstance(n, ast.Constant) and n.value is None for n in (one, other)]
    if any(new_axes):
        mine, right = ("before", "behind") if new_axes[1] else ("behind", "before")
        return f"a new axis stood {mine} the one that it belongs {right}"
    return "two entries, such as indices, were exchanged in their order"


def _assignment(node: ast.Assign, place: str) -> Iterator[Change]:
    """Added up instead of replaced, replaced instead of added up, or left out."""
    name = node.targets[0].id
    value = node.value
    adds = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add)
    if adds and isinstance(value.left, ast.Name) and value.left.id == name:
        replaced = ast.Assign(node.targets, value.right)
        yield Change(replaced, f"a value replaced what was added up so far{place}")
    else:
        summed = ast.BinOp(ast.Name(name, ast.Load()), ast.Add(), value)
        text = f"a value were added to the one before, and did not replace it{place}"
        yield Change(ast.Assign(node.targets, summed), text)
    yield Change(None, f"one line of code were missing{place}")


def _statement(node: ast.stmt, arguments: Names) -> Iterator[Change]:
    place = about(arguments, node)
    if isinstance(node, ast.If):
        opposite = ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        place = about(arguments, node.test)
        yield Change(opposite, f"a condition were turned into its opposite{place}")
        yield Change(None, f"a special case were missing{place}")
    elif isinstance(node, ast.AugAssign):
        other = OPERATORS.get(type(node.op), ())
        for sign in other:
            text = f"a `{SIGNS[type(node.op)]}=` were a `{SIGNS[sign]}=`{place}"
            yield Change(ast.AugAssign(node.target, sign(), node.value), text)
        load = ast.parse(ast.unparse(node.target), mode="eval").body
        replaced = ast.Assign([node.target], node.value)
        yield Change(replaced, f"a value replaced what was added up so far{place}")
        yield Change(ast.Assign([node.target], load), f"nothing were added up{place}")
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        yield from _assignment(node, place)
    elif isinstance(node, (ast.Assign, ast.Expr)):
        yield Change(None, f"one line of code were missing{place}")


_BY_KIND: dict[type | tuple[type, ...], Callable[..., Iterator[Change]]] = {
    ast.Compare: _compare,
    ast.BinOp: _operation,
    ast.UnaryOp: _sign,
    ast.Constant: _constant,
    ast.Attribute: _infinity,
    ast.BoolOp: _bool_operation,
    ast.IfExp: _choice,
    ast.Call: changes_of_call,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.arguments: _default,
    ast.Tuple: _tuple,
    ast.stmt: _statement,
}
