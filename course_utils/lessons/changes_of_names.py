"""The changes of what a name stands for: another value, or the number of another turn."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator

from course_utils.lessons.change_words import Change, Names, about


def substitutions(node: ast.AST, arguments: Names) -> Iterator[Change]:
    """Another argument of the same kind where one belongs."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in arguments:
        for other, kind in arguments.items():
            if other != node.id and kind == arguments[node.id]:
                text = f"`{other}` stood in one place where `{node.id}` belongs"
                yield Change(ast.Name(other, ast.Load()), text)


def off_by_one(node: ast.AST, counters: Collection[str], arguments: Names) -> Iterator[Change]:
    """The number of a loop's turn, one too large or too small, where something hangs on it."""
    if not isinstance(node, (ast.BinOp, ast.Compare)):
        return
    for name in ("left", "right"):
        number = getattr(node, name, None)
        if isinstance(number, ast.Name) and number.id in counters:
            for sign, which in ((ast.Add, "large"), (ast.Sub, "small")):
                new = copy.deepcopy(node)
                setattr(new, name, ast.BinOp(number, sign(), ast.Constant(1)))
                text = f"the number of a loop's turn were one too {which}{about(arguments, node)}"
                yield Change(new, text)


def other_values(
    node: ast.Name | ast.BinOp, known: Collection[str], arguments: Names, parent: ast.AST
) -> Iterator[Change]:
    """An argument where a computed value belongs, or another computed value.

    ``known`` are the names of values that are there by then.
    """
    if isinstance(node, ast.Name) and (node.id not in known or isinstance(node.ctx, ast.Store)):
        return
    own = getattr(node, "id", "")
    for name, kind in arguments.items():
        if kind == "torch.Tensor" and name != own:
            text = f"`{name}` stood in one place where a computed value belongs"
            yield Change(ast.Name(name, ast.Load()), text)
    for name in sorted(known - {own, *arguments} if own else ()):
        text = f"one computed value stood where another belongs{about(arguments, parent)}"
        yield Change(ast.Name(name, ast.Load()), text)
