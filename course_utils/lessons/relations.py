"""Symptoms among numbers: what came is the expected result, changed in one way that has a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, permutations

import torch
from torch import Tensor

from course_utils.lessons.compare import same
from course_utils.lessons.evidence import Pair, Part, lengths_in, named_sizes, real_positions

Change = Callable[[Tensor], Tensor]

_CHANGES: list[tuple[str, Change]] = [
    ("has the wrong sign everywhere", lambda e: -e),
    ("is one minus the expected number", lambda e: 1 - e),
    ("is the square of the expected one", lambda e: e * e),
    ("is the root of the expected one", lambda e: e.sqrt()),
    ("is one divided by the expected number", lambda e: 1 / e),
    ("is the logarithm of the expected one", lambda e: e.log()),
    ("is the exponential of the expected one", lambda e: e.exp()),
    ("has lost its signs: all numbers are positive", lambda e: e.abs()),
    ("is 0 wherever a negative number is expected", lambda e: e.clamp(min=0)),
    ("is cut to whole numbers", lambda e: e.trunc()),
    ("is rounded to whole numbers", lambda e: e.round()),
    ("is rounded to two decimals", lambda e: e.round(decimals=2)),
    ("is rounded to three decimals", lambda e: e.round(decimals=3)),
    ("is rounded to four decimals", lambda e: e.round(decimals=4)),
]
_FACTORS = {
    2.0: "exactly twice as large as expected",
    0.5: "exactly half of what is expected",
    100.0: "exactly 100 times too large, as if in per cent",
    0.01: "exactly 100 times too small, as if taken for per cent",
    0.43429448: "exactly 0.434294 times the expected one: a logarithm to base 10",
    1.44269504: "exactly 1.442695 times the expected one: a logarithm to base 2",
}


def changed_numbers(part: Part) -> str | None:
    """The sign, the square, the root, the complement and their like."""
    if not part.same_shapes:
        return None
    if part.failing[0].expected.dtype == torch.bool:
        inverted = all(torch.equal(pair.got, ~pair.expected) for pair in part.pairs)
        return "is inverted: True where False is expected, and False for True" if inverted else None
    for text, change in _CHANGES:
        if _holds(part, change):
            return text
    return None


def _holds(part: Part, change: Change) -> bool:
    """Whether what came is the changed expectation, in every case, the right ones included."""
    return all(_numbers_agree(pair.got, change(pair.expected.double())) for pair in part.pairs)


def _numbers_agree(got: Tensor, expected: Tensor) -> bool:
    """Whether numbers agree to the precision of what came."""
    precise = got.dtype == torch.float64 or not got.is_floating_point()
    return same(got.double(), expected) if precise else same(got.float(), expected.float())


def another_dtype_alone(part: Part) -> bool:
    """Whether all numbers are right: ones and zeros are their own squares, and much besides."""
    return part.same_shapes and all(
        same(pair.got.double(), pair.expected.double()) for pair in part.pairs
    )


def nothing_but_zeros(part: Part) -> str | None:
    """Zeros where other numbers are expected."""
    if not part.same_shapes or any(pair.got.any() for pair in part.failing):
        return None
    if part.failing[0].got.dtype == torch.bool:
        return "is False everywhere, in every case that fails"
    return "is zero everywhere, in every case that fails"


def no_way_back(part: Part) -> str | None:
    """A gradient of zeros where others are expected."""
    if not part.subject.startswith("The gradient") or nothing_but_zeros(part) is None:
        return None
    return "is zero: nothing comes back to it, its history is lost on the way"


def named_factor(part: Part) -> str | None:
    """All numbers of a case too large by one factor, which is the same or has a name."""
    ratios = _ratios(part)
    if ratios is None:
        return None
    mine, others = ratios[: len(part.failing)], ratios[len(part.failing) :]
    if all(_close(ratio, mine[0]) for ratio in mine):
        # Right cases speak against a factor that is always the same.
        return None if any(others) else f"is {_constant_factor(mine[0])}, in every case"
    named = _named(part, ratios, _products)
    return f"is {named}" if named else None


def one_factor(part: Part) -> str | None:
    """All numbers of a case too large by one factor, which has no name."""
    ratios = _ratios(part)
    if ratios is None or sum(int((p.expected != 0).sum()) > 1 for p in part.failing) < 3:
        return None
    return f"is off by a single factor in each case, such as {ratios[0]:.4g} in one of them"


def _constant_factor(ratio: float) -> str:
    for factor, text in _FACTORS.items():
        if _close(ratio, factor):
            return text
    return f"exactly {ratio:.6g} times the expected one"


def _ratios(part: Part) -> list[float | None] | None:
    """The factor of each case, None where all is zero; None if a case has more than one."""
    if not part.same_shapes or part.failing[0].expected.dtype == torch.bool:
        return None
    found: list[float | None] = []
    for pair in part.pairs:
        got, expected = pair.got.double().flatten(), pair.expected.double().flatten()
        if not expected.any():
            if got.any():
                return None
            found.append(None)
            continue
        place = expected.abs().nan_to_num(0).argmax()
        ratio = (got[place] / expected[place]).item()
        if not 0 < abs(ratio) < 1e9 or not _numbers_agree(pair.got, pair.expected.double() * ratio):
            return None
        found.append(ratio)
    failing = found[: len(part.failing)]
    return None if any(ratio is None or _close(ratio, 1) for ratio in failing) else found


def _close(one: float | None, other: float) -> bool:
    return one is not None and abs(one - other) <= 1e-5 * abs(other) + 1e-12


def _products(sizes: dict[str, float]) -> Iterator[tuple[str, float]]:
    """Candidates for a factor, the simplest first."""
    for name, size in sizes.items():
        if size:
            yield f"too large by the factor {name}", size
            yield f"too small: it is the expected one divided by {name}", 1 / size
    for (name, size), (other, divisor) in permutations(sizes.items(), 2):
        if divisor:
            yield f"the expected one times {name}, divided by {other}", size / divisor
    for name, size in sizes.items():
        if size > 0:
            yield f"too large by the square of {name}", size**2
            yield f"too small: divided by the square of {name}", 1 / size**2
            yield f"too large by the root of {name}", size**0.5
            yield f"too small: divided by the root of {name}", size**-0.5


def _differences(sizes: dict[str, float]) -> Iterator[tuple[str, float]]:
    for name, size in sizes.items():
        yield f"too large by {name}", size
        yield f"too small by {name}", -size


def _named(part: Part, numbers: list[float | None], candidates: Callable) -> str | None:
    """The first candidate that has the number of every case, the right ones included."""
    every = [dict(candidates(named_sizes(pair.arguments))) for pair in part.pairs]
    for name in every[0]:
        if all(
            number is None or (name in found and _close(number, found[name]))
            for number, found in zip(numbers, every, strict=True)
        ):
            return name
    return None


def named_distance(part: Part) -> str | None:
    """All numbers of a case off by one amount, which is the same or has a name."""
    gaps = _distances(part)
    if gaps is None:
        return None
    mine = gaps[: len(part.failing)]
    if all(_close(gap, mine[0]) for gap in mine):
        if len(mine) < len(gaps):
            return None
        size = "large" if mine[0] > 0 else "small"
        return f"is too {size} by exactly {abs(mine[0]):.6g}, in every case"
    named = _named(part, gaps, _differences)
    return f"is {named}" if named else None


def one_distance(part: Part) -> str | None:
    """All numbers of a case off by one amount, which has no name."""
    gaps = _distances(part)
    if gaps is None or sum(pair.expected.numel() > 1 for pair in part.failing) < 3:
        return None
    return f"is off by one amount in each case, such as {gaps[0]:.4g} in one of them"


def _distances(part: Part) -> list[float] | None:
    """The amount by which each case is off; None if a case has more than one."""
    if not part.same_shapes or part.failing[0].expected.dtype == torch.bool:
        return None
    found = []
    for pair in part.pairs:
        gap = (pair.got.double() - pair.expected.double()).flatten()
        if not gap.numel() or not gap.isfinite().all():
            return None
        room = 1e-5 if pair.got.dtype == torch.float32 else 1e-9
        if gap.max() - gap.min() > room * (1 + pair.expected.double().abs().max()):
            return None
        found.append(gap.mean().item())
    return found


def one_factor_a_row(part: Part) -> str | None:
    """Each row too large by a factor of its own, as where it is divided by another sum."""
    if not part.same_shapes or not part.failing[0].expected.is_floating_point():
        return None
    found = [_row_factors(pair) for pair in part.pairs]
    if any(telling is None for telling in found) or sum(map(bool, found)) < 3:
        return None
    if all(_sums_to_one(pair.expected) for pair in part.pairs):
        return "has rows that do not sum to 1; within a row the proportions are right"
    return "has rows that are each off by one factor: within a row the proportions are right"


def _sums_to_one(expected: Tensor) -> bool:
    """Whether every row that is not zero is a share of one."""
    total = expected.double().sum(-1)
    return bool(((total - 1).abs() < 1e-5).logical_or(total == 0).all())


def _row_factors(pair: Pair) -> bool | None:
    """Whether rows are off by factors of their own and have more than one number to show it.

    None where that is not so: a row with several factors, or with nothing but zeros.
    """
    got, expected = pair.got.double(), pair.expected.double()
    if expected.dim() < 2 or not (got.isfinite().all() and expected.isfinite().all()):
        return None
    place = expected.abs().argmax(-1, keepdim=True)
    size = expected.gather(-1, place)
    ratio = torch.where(size == 0, 1.0, got.gather(-1, place) / size)
    if (ratio == 0).any() or not _numbers_agree(pair.got, expected * ratio):
        return None
    others = (expected != 0) & ((expected - size).abs() > 1e-6 * size.abs())
    return not pair.right and bool(((ratio - 1).abs() > 1e-9).logical_and(others).any())


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
        for step, which in ((1, "late"), (-1, "early")):
            if _every(part, lambda got, want, a=axis, s=step: _shifted(got, want, a, s)):
                return f"comes one place too {which}{along}"
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
