"""Symptoms among numbers: what came is the expected result, changed in one way that has a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

import torch
from torch import Tensor

from course_utils.lessons.compare import same
from course_utils.lessons.evidence import Pair, Part, named_sizes

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
    return all(_numbers_agree(pair, change(pair.expected.double())) for pair in part.pairs)


def _numbers_agree(pair: Pair, expected: Tensor) -> bool:
    """Whether what came is this, to the precision of what came and of what it is made of."""
    got = pair.got
    precise = torch.float32 not in (got.dtype, pair.expected.dtype)
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


def zeros_in_some_places(part: Part) -> str | None:
    """Right numbers, and zeros where others are expected."""
    if not part.same_shapes or part.failing[0].got.dtype == torch.bool:
        return None
    wrong = [(pair, ~pair.got.isclose(pair.expected.to(pair.got))) for pair in part.failing]
    if any(pair.got[places].any() for pair, places in wrong):
        return None
    right = sum(int((~places & (pair.expected != 0)).sum()) for pair, places in wrong)
    if right < 3:
        return None
    back = ": nothing comes back to these" if part.subject.startswith("The gradient") else ""
    return f"is right in some places and zero in the others{back}"


def no_way_back(part: Part) -> str | None:
    """A gradient of zeros where others are expected."""
    if not part.subject.startswith("The gradient") or nothing_but_zeros(part) is None:
        return None
    return "is zero: nothing comes back to it, its history is lost on the way"


def named_number(part: Part) -> str | None:
    """Another number than the expected one, which has a name in every case."""
    if not part.same_shapes or any(pair.expected.dim() for pair in part.pairs):
        return None
    numbers = [pair.got.item() for pair in part.pairs]
    if len(set(numbers)) < 3:
        return None
    name = _named(part, numbers, dict.items)
    return f"is {name}" if name else None


def named_factor(part: Part) -> str | None:
    """All numbers of a case too large by one factor, which is the same or has a name."""
    ratios = _ratios(part)
    if ratios is None:
        return None
    mine, others = ratios[: len(part.failing)], ratios[len(part.failing) :]
    constant = mine[0] is not None and all(_close(ratio, mine[0]) for ratio in mine)
    if constant and not any(others):  # right cases speak against it
        return f"is {_constant_factor(mine[0])}, in every case"
    named = _named(part, ratios, _products)
    return f"is {named}" if named else None


def one_factor(part: Part) -> str | None:
    """All numbers of a case too large by one factor, which has no name."""
    ratios = _ratios(part)
    if (
        ratios is None
        or None in ratios[: len(part.failing)]
        or sum(int((p.expected != 0).sum()) > 1 for p in part.failing) < 3
    ):
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
        if not 0 < abs(ratio) < 1e9 or not _numbers_agree(pair, pair.expected.double() * ratio):
            return None
        found.append(ratio)
    # A whole number where a share is expected fails even where it is right.
    failing = zip(found, part.failing, strict=False)
    floating = [ratio for ratio, pair in failing if pair.got.is_floating_point()]
    return None if any(ratio is None or _close(ratio, 1) for ratio in floating) else found


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
    if all(_sums_to_one(p.expected) and _is_one_share(p.got) for p in part.failing):
        return "sums to 1 over all rows together, and each row should"
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


def _is_one_share(got: Tensor) -> bool:
    """Whether all numbers together sum to one."""
    return got.dim() > 1 and len(got) > 1 and bool((got.double().sum() - 1).abs() < 1e-5)


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
    if (ratio == 0).any() or not _numbers_agree(pair, expected * ratio):
        return None
    others = (expected != 0) & ((expected - size).abs() > 1e-6 * size.abs())
    return not pair.right and bool(((ratio - 1).abs() > 1e-9).logical_and(others).any())
