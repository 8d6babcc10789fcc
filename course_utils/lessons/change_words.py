"""What a change of a solution is, what replaces what, and the words for it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

Names = Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """What takes a node's place (None: the statement is dropped), and words after "as if"."""

    new: ast.AST | None
    text: str


def about(arguments: Names, *nodes: ast.AST) -> str:
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


COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
SIGNS: dict[type, str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.And: "and", ast.Or: "or",
}  # fmt: skip
OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.FloorDiv,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.MatMult: (),
    ast.Pow: (),
}
KINDS: dict[type, tuple[str, str]] = {
    ast.Add: ("term", "a sum"),
    ast.Sub: ("term", "a difference"),
    ast.Mult: ("factor", "a product"),
    ast.Div: ("part", "a division"),
    ast.FloorDiv: ("part", "a division"),
    ast.Mod: ("part", "a remainder"),
    ast.MatMult: ("factor", "a matrix product"),
    ast.BitAnd: ("condition", "two conditions"),
    ast.BitOr: ("condition", "two conditions"),
}
# Methods and functions of one tensor whose result can be used like the tensor itself.
DROPPED = {
    "square": "the square", "sqrt": "the root", "abs": "the absolute value",
    "exp": "the exponential", "log": "the logarithm", "tanh": "one `tanh`",
    "sigmoid": "the sigmoid", "relu": "the `relu`",
    "softmax": "the softmax", "log_softmax": "the softmax", "clone": "the copy",
    "detach": "the cut from the history", "masked_fill": "one `masked_fill`",
    "clamp": "the `clamp`", "clamp_min": "the `clamp`", "float": "the change of type",
    "double": "the change of type", "long": "the change of type", "to": "the change of type",
    "nan_to_num": "the repair of NaN", "flip": "one reversal", "reversed": "the reverse order",
    "sorted": "the sorting", "cumsum": "the running sum", "transpose": "one exchange of axes",
    "permute": "one exchange of axes", "unsqueeze": "one new axis", "squeeze": "the `squeeze`",
    "logical_not": "the negation", "item": "the `item()`", "tolist": "the `tolist()`",
    "flatten": "the `flatten`", "masked_select": "the selection", "expand": "the `expand`",
    "type_as": "the change of type", "contiguous": "the `contiguous`", "t": "one transposition",
    "zeros_like": "zeros to begin with",
    "index_select": "the selection", "gather": "the selection", "bool": "the change of type",
    "int": "the rounding to a whole number", "round": "the rounding",
}  # fmt: skip
EXCHANGED = {
    "sum": ("mean",), "mean": ("sum",), "max": ("min", "mean"), "min": ("max",), "amax": ("amin",),
    "amin": ("amax",), "any": ("all",), "all": ("any",), "argmax": ("argmin",),
    "zeros": ("ones",), "ones": ("zeros",), "zeros_like": ("ones_like",),
    "ones_like": ("zeros_like",), "new_zeros": ("new_ones",), "new_ones": ("new_zeros",),
    "stack": ("cat",), "cat": ("stack",), "hstack": ("vstack",), "square": ("abs",),
    "tanh": ("sigmoid", "relu"), "sigmoid": ("tanh",),
    "relu": ("tanh",), "exp": ("square",), "log": ("log1p", "log2"), "append": (),
    "softmax": ("log_softmax",), "log_softmax": ("softmax",), "ceil": ("floor",),
    "floor": ("ceil",), "minimum": ("maximum",), "maximum": ("minimum",),
}  # fmt: skip
COUNTS = ("len", "max", "min", "size", "numel", "sum")
AXES = ("dim", "axis", "dim0", "dim1")
BY_AXIS = {
    "sum", "mean", "max", "min", "amax", "amin", "any", "all", "argmax", "softmax", "log_softmax",
    "stack", "cat", "cumsum", "unsqueeze", "squeeze", "flip", "norm", "size", "select", "unbind",
}  # fmt: skip
# A reduction of all numbers, and the same along one axis.
ALONG_AXIS = {"max": "amax", "min": "amin", "sum": "sum", "mean": "mean"}
# Reductions that make one number of everything if they are given no axis.
REDUCTIONS = {"argmax", "argmin", "amax", "amin"}
