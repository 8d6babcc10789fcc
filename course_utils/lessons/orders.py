"""Relations in which the numbers are right and stand elsewhere: axes, rows, steps exchanged."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from torch import Tensor

from course_utils.lessons.compare import same
from course_utils.lessons.evidence import Pair, Part, lengths_in, real_positions


def exchanged_axes(part: Part) -> str | None:
    """Two axes exchanged, also where that changes the shape."""
    if not part.tensors:
        return None
    axes = min(pair.expected.dim() for pair in part.pairs)
    for one, other in combinations(range(axes), 2):
        if _every(part, lambda got, want, a=one, b=other: same(got, want.transpose(a, b))):
            if axes == 2:
                return "is transposed: rows stand where columns belong"
            return f"has its axes {one} and {other} exchanged"
    return None


def other_order(part: Part) -> str | None:
    """Turned round, shifted by one, rows in another order."""
    if not part.same_shapes or any(pair.expected.dim() == 0 for pair in part.pairs):
        return None
    axes = min(pair.expected.dim() for pair in part.pairs)
    for axis in range(axes):
        along = _along(part.failing[0], axis)
        if _every(part, lambda got, want, a=axis: same(got, want.flip(a))):
            return f"is in reverse order{along}"
        if sum(pair.expected.shape[axis] > 1 for pair in part.failing) < 3:
            continue  # one place is neither late nor early
        for step, which in ((1, "late"), (-1, "early")):
            if _every(part, lambda got, want, a=axis, s=step: _shifted(got, want, a, s)):
                return f"comes one place too {which}{along}"
    if _every(part, _halves_exchanged):
        return "has the two halves of its last axis exchanged"
    if _every(part, _rows_exchanged):
        return "has the right rows in another order"
    return None


def other_places(part: Part) -> str | None:
    """The right numbers in an order that has no name."""
    if not part.same_shapes or sum(pair.expected.numel() > 2 for pair in part.failing) < 3:
        return None
    return "holds the right numbers, in other places" if _every(part, _same_numbers) else None


def _every(part: Part, relation: Callable[[Tensor, Tensor], bool]) -> bool:
    return all(relation(pair.got, pair.expected) for pair in part.pairs)


def _shifted(got: Tensor, want: Tensor, axis: int, step: int) -> bool:
    length = want.shape[axis]
    if length < 2:
        return True
    first, second = (1, 0) if step > 0 else (0, 1)
    mine, right = got.narrow(axis, first, length - 1), want.narrow(axis, second, length - 1)
    return bool(right.any()) and same(mine, right)


def _halves_exchanged(got: Tensor, want: Tensor) -> bool:
    half, rest = divmod(want.shape[-1], 2)
    return not rest and same(got, want.roll(half, -1))


def _rows_exchanged(got: Tensor, want: Tensor) -> bool:
    if want.dim() < 2:
        return False
    return _sorted_rows(got) == _sorted_rows(want)


def _sorted_rows(values: Tensor) -> list[list[float]]:
    return sorted(row.flatten().tolist() for row in values.detach().double())


def _same_numbers(got: Tensor, want: Tensor) -> bool:
    return same(got.flatten().sort().values, want.flatten().sort().values)


def _along(pair: Pair, axis: int) -> str:
    """Words for an axis: steps and rows where the arguments say which is which."""
    batch = real_positions(pair) is not None or lengths_in(pair.arguments) is not None
    if pair.expected.dim() == 1:
        return ""
    if batch and axis < 2:
        return " among the sequences" if axis == 0 else " in time"
    return f" along axis {axis}"
