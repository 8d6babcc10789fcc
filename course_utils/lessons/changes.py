"""The closed list of small changes to a solution's syntax tree, each with words for it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from course_utils.lessons.change_words import (
    AXES,
    BY_AXIS,
    COMPARISONS,
    COUNTS,
    DROPPED,
    EXCHANGED,
    KINDS,
    OPERATORS,
    SIGNS,
)

Names = Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """What takes a node's place (None: the statement is dropped), and words after "as if"."""

    new: ast.AST | None
    text: str


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


def substitutions(node: ast.AST, arguments: Mapping[str, str]) -> Iterator[Change]:
    """Another argument of the same kind where one belongs."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in arguments:
        for other, kind in arguments.items():
            if other != node.id and kind == arguments[node.id]:
                text = f"`{other}` stood in one place where `{node.id}` belongs"
                yield Change(ast.Name(other, ast.Load()), text)


def _about(arguments: Names, *nodes: ast.AST) -> str:
    """Where it is, such as " where `mask` is used"; nothing where no argument is near."""
    names = []
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in arguments and part.id not in names:
                names.append(part.id)
    if not names or len(names) > 2:
        return ""
    listed = " and ".join(f"`{name}`" for name in names)
    return f", where {listed} {'is' if len(names) == 1 else 'are'} used"


def _compare(node: ast.Compare, arguments: Names) -> Iterator[Change]:
    place = _about(arguments, node)
    for i, sign in enumerate(node.ops):
        for other in COMPARISONS.get(type(sign), ()):
            new = copy.deepcopy(node)
            new.ops[i] = other()
            yield Change(new, f"`{SIGNS[type(sign)]}` were `{SIGNS[other]}`{place}")


def _operation(node: ast.BinOp, arguments: Names) -> Iterator[Change]:
    sign = type(node.op)
    place = _about(arguments, node)
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
    if sign in KINDS:
        part, whole = KINDS[sign]
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            where = _about(arguments, lost).replace(", where", ", the one where")
            yield Change(kept, f"one {part} of {whole} were missing{where}")


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
    place = _about(arguments, node.operand)
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
        yield Change(node.value, f"a transposition were missing{_about(arguments, node)}")


def _bool_operation(node: ast.BoolOp, arguments: Names) -> Iterator[Change]:
    other = ast.Or if isinstance(node.op, ast.And) else ast.And
    place = _about(arguments, node)
    old, new = SIGNS[type(node.op)], SIGNS[other]
    yield Change(ast.BoolOp(other(), node.values), f"an `{old}` were an `{new}`{place}")
    for i, lost in enumerate(node.values):
        rest = node.values[:i] + node.values[i + 1 :]
        kept = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        yield Change(kept, f"one of the conditions were missing{_about(arguments, lost)}")


def _choice(node: ast.IfExp, arguments: Names) -> Iterator[Change]:
    place = _about(arguments, node.test)
    for kept in (node.body, node.orelse):
        yield Change(kept, f"a special case were missing, a condition always the same{place}")


def _call_name(node: ast.Call) -> str:
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


def _call(node: ast.Call, arguments: Names) -> Iterator[Change]:
    name = _call_name(node)
    place = _about(arguments, node)
    inner = node.func.value if _is_method(node) else next(iter(node.args), None)
    if name in DROPPED and inner is not None and not isinstance(inner, ast.Starred):
        yield Change(inner, f"{DROPPED[name]} were missing{place}")
    for other in EXCHANGED.get(name, ()):
        new = copy.deepcopy(node)
        if isinstance(new.func, ast.Attribute):
            new.func.attr = other
        else:
            new.func.id = other
        yield Change(new, f"`{other}` stood where `{name}` belongs{place}")
    if name in COUNTS:
        for sign, which in ((ast.Add, "large"), (ast.Sub, "small")):
            new = ast.BinOp(node, sign(), ast.Constant(1))
            yield Change(new, f"a count were one too {which}{place}")
    yield from _axes(node, name, place)
    yield from _call_arguments(node, name, place)
    if name == "range":
        yield from _ranges(node)


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


def _subscript(node: ast.Subscript, arguments: Names) -> Iterator[Change]:
    if not isinstance(node.ctx, ast.Load):
        return
    place = _about(arguments, node.value)
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
            place = _about(arguments, bound)
            yield Change(new, f"the {end} of a part lay one step {which}{place}")


def _tuple(node: ast.Tuple, arguments: Names) -> Iterator[Change]:
    if isinstance(node.ctx, ast.Load):
        for i in range(len(node.elts) - 1):
            new = copy.deepcopy(node)
            new.elts[i], new.elts[i + 1] = new.elts[i + 1], new.elts[i]
            yield Change(new, "two entries were exchanged in their order")


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
    yield Change(None, f"one step were left out{place}")


def _statement(node: ast.stmt, arguments: Names) -> Iterator[Change]:
    place = _about(arguments, node)
    if isinstance(node, ast.If):
        opposite = ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        place = _about(arguments, node.test)
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
        yield Change(None, f"one step were left out{place}")


_BY_KIND: dict[type | tuple[type, ...], Callable[..., Iterator[Change]]] = {
    ast.Compare: _compare,
    ast.BinOp: _operation,
    ast.UnaryOp: _sign,
    ast.Constant: _constant,
    ast.Attribute: _infinity,
    ast.BoolOp: _bool_operation,
    ast.IfExp: _choice,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.arguments: _default,
    ast.Tuple: _tuple,
    ast.stmt: _statement,
}
