"""Symptoms of what a result is made of: one argument alone, or each row by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.lessons.compare import same
from course_utils.lessons.evidence import (
    Arguments,
    Pair,
    Part,
    lengths_in,
    parts_of,
    real_positions,
)
from course_utils.lessons.running import run_case
from course_utils.lessons.solutions import Case

Make = Callable[[Tensor], Tensor]

_MADE: list[tuple[str, Make]] = [
    ("{} itself", lambda a: a),
    ("the sum of {} along axis 0", lambda a: a.sum(0)),
    ("the sum of {} along axis 1", lambda a: a.sum(1)),
    ("the sum of {} along its last axis", lambda a: a.sum(-1)),
    ("the mean of {} along axis 0", lambda a: a.mean(0)),
    ("the mean of {} along axis 1", lambda a: a.mean(1)),
    ("the mean of {} along its last axis", lambda a: a.mean(-1)),
    ("the sum of all of {}", lambda a: a.sum()),
    ("the mean of all of {}", lambda a: a.mean()),
    ("the first row of {}", lambda a: a[0]),
    ("the last row of {}", lambda a: a[-1]),
    ("the first column of {}", lambda a: a[:, 0]),
    ("the last column of {}", lambda a: a[:, -1]),
    ("the largest entry of {} along axis 1", lambda a: a.amax(1)),
]
_REAL: list[tuple[str, Callable[[Tensor, Tensor], Tensor]]] = [
    ("the mean of the real steps of {}", lambda a, m: (a * m).sum(1) / m.sum(1)),
    ("the sum of the real steps of {}", lambda a, m: (a * m).sum(1)),
    ("the largest real step of {}", lambda a, m: a.masked_fill(~m, -torch.inf).amax(1)),
    ("{} with zeros at the pads", lambda a, m: a.masked_fill(~m, 0)),
]


def made_of_an_argument(part: Part) -> str | None:
    """An argument as it is, its sum, its mean, one row of it, or the same of its real steps."""
    if not part.tensors or part.subject.startswith("The gradient"):
        return None
    if name := _parameter(part):
        return f"is `{name}` itself, a parameter"
    for name, value in part.failing[0].arguments.items():
        if all(_holds_counts(pair, name) for pair in part.pairs):
            return f"holds the numbers of `{name}` themselves"
        if not isinstance(value, Tensor) or not value.is_floating_point() or not value.dim():
            continue
        for text, make in _MADE:
            if all(_is_made(pair, name, make) for pair in part.pairs):
                return f"is {text.format(f'`{name}`')}"
        for text, make in _REAL:
            if all(_is_made_of_real(pair, name, make) for pair in part.pairs):
                return f"is {text.format(f'`{name}`')}"
    return None


def _parameter(part: Part) -> str | None:
    """The parameter of a module among the arguments that came as the result, in every case."""
    for name, value in part.failing[0].arguments.items():
        for parameter, _ in value.named_parameters() if isinstance(value, nn.Module) else ():
            if all(
                same(pair.got, pair.arguments[name].get_parameter(parameter).detach())
                for pair in part.pairs
            ):
                return f"{name}.{parameter}"
    return None


def _holds_counts(pair: Pair, name: str) -> bool:
    """Whether whole numbers are those of an argument, in whatever order."""
    value, got = pair.arguments.get(name), pair.got
    return (
        isinstance(value, Tensor)
        and value.dtype == torch.int64 == got.dtype
        and value.dim() == 1 == got.dim()
        and same(got.sort().values, value.sort().values)
    )


def _is_made(pair: Pair, name: str, make: Make) -> bool:
    value = pair.arguments.get(name)
    try:
        return isinstance(value, Tensor) and same(pair.got, make(value.detach()))
    except (IndexError, RuntimeError):  # too few axes, or none left
        return False


def _is_made_of_real(pair: Pair, name: str, make: Callable[[Tensor, Tensor], Tensor]) -> bool:
    value = pair.arguments.get(name)
    if not isinstance(value, Tensor):
        return False
    real = real_positions(Pair(pair.arguments, None, value))
    if real is None or real.steps is None:
        return False
    return _is_made(pair, name, lambda a: make(a, real.steps))


def row_by_row(part: Part, reference: Callable[..., Any], names: Sequence[str] = ()) -> str | None:
    """One number for a batch that is the mean or the sum of its rows' own numbers.

    ``names`` are those of the parts that the reference returns.
    """
    if not part.telling or not part.same_shapes or part.subject.startswith("The gradient"):
        return None
    found = [_of_rows(pair.arguments, reference, part.name, names) for pair in part.pairs]
    pairs = list(zip(part.pairs, found, strict=True))
    if any(rows is None or rows.shape[1:] != pair.expected.shape for pair, rows in pairs):
        return None
    for words, make in (("mean", torch.mean), ("sum", torch.sum)):
        if all(same(p.got, make(rows, 0).to(p.got)) for p, rows in pairs):
            row = "row" if lengths_in(part.pairs[0].arguments) is None else "sequence"
            return f"is the {words} of what each {row} has by itself"
    return None


def _of_rows(
    arguments: Arguments, reference: Callable[..., Any], name: str, names: Sequence[str]
) -> Tensor | None:
    """What the solution makes of each row alone; rows without a result are left out."""
    sizes = {len(v) for v in arguments.values() if _is_batch(v)}
    if len(sizes) != 1:
        return None
    found = []
    for i in range(sizes.pop()):
        row = {name: v[i : i + 1] if _is_batch(v) else v for name, v in arguments.items()}
        whole = run_case(reference, Case("", (), _detached(row), gradients=False)).value
        value = parts_of(whole, names).get(name)
        number = torch.as_tensor(value).double() if _is_number(value) else None
        if number is not None and not number.isnan().any():
            found.append(number)
    alike = {number.shape for number in found}
    return torch.stack(found).detach() if len(alike) == 1 else None


def _is_batch(value: Any) -> bool:
    return (isinstance(value, Tensor) and value.dim() > 0) or isinstance(value, list)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or (
        isinstance(value, Tensor) and value.layout == torch.strided
    )


def _detached(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v.detach() if isinstance(v, Tensor) else v for n, v in arguments.items()}
