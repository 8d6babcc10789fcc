"""Symptoms of places: where what came is wrong, and where NaN appears."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.lessons.evidence import Pair, Part, Real, real_positions

Where = Callable[[Real], Tensor]
# Words for places, by the mask: from the narrowest to the widest.
_PLACES: list[tuple[str, str, Where]] = [
    ("in rows without a real step", "in the others", lambda real: ~real.some),
    ("at the pads", "at real steps", lambda real: ~real.steps),
    ("in rows that have pads", "in full rows", lambda real: ~real.full),
    ("at real steps", "at the pads", lambda real: real.steps),
]


def wrong_places(part: Part) -> str | None:
    """Wrong only at pads, only in padded rows, only in rows without a real step."""
    found = _only(part, _differs)
    if found is None:
        return None
    where, elsewhere, places = found
    if constant := _same_number_there(part, places):
        return f"is right {elsewhere}, and {constant} {where}"
    return f"is right {elsewhere} and wrong {where}"


def not_a_number(part: Part) -> str | None:
    """Where NaN or infinity appears that is not expected."""
    if not part.same_shapes:
        return None
    for word, test in (("NaN", torch.isnan), ("infinity", torch.isinf)):

        def spoilt(pair: Pair, test: Callable[[Tensor], Tensor] = test) -> Tensor:
            return test(pair.got) & ~test(pair.expected)

        if not all(spoilt(pair).any() for pair in part.failing):
            continue
        if all(spoilt(pair).all() for pair in part.failing):
            return f"is {word} everywhere, in every case that fails"
        found = _only(part, spoilt)
        return f"holds {word} {found[0]} only" if found else f"holds {word}"
    return None


def _differs(pair: Pair) -> Tensor:
    if not pair.got.is_floating_point():
        return pair.got != pair.expected
    room = 1e-7 if pair.got.dtype == torch.float64 else 1e-5
    return ~torch.isclose(
        pair.got, pair.expected.to(pair.got), rtol=room, atol=room, equal_nan=True
    )


def _only(part: Part, spoilt: Callable[[Pair], Tensor]) -> tuple[str, str, Where] | None:
    """The narrowest places that hold all of what is spoilt, in every failing case."""
    if not part.same_shapes:
        return None
    masks = [real_positions(pair) for pair in part.failing]
    if any(mask is None for mask in masks):
        return None
    spoils = [spoilt(pair) for pair in part.failing]
    for where, elsewhere, places in _PLACES:
        if "row" not in where and any(mask.steps is None for mask in masks):
            continue
        inside = [places(mask) for mask in masks]
        outside = sum(int((~there).sum()) for there in inside)
        pairs = zip(spoils, inside, strict=True)
        if outside >= 6 and all(bad.any() and not (bad & ~there).any() for bad, there in pairs):
            return where, elsewhere, places
    return None


def _same_number_there(part: Part, places: Where) -> str | None:
    """The one number that stands in these places in all failing cases, in words."""
    numbers = [pair.got[places(real_positions(pair))] for pair in part.failing]
    together = torch.cat([n.double() for n in numbers])
    if together.isnan().any() or len(together.unique()) != 1 or len(together) < 3:
        return None
    if numbers[0].dtype == torch.bool:
        return f"{bool(together[0])}"
    return f"always {together[0].item():g}"
