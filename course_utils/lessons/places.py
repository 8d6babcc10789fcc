"""Symptoms of places: where what came is wrong, and where NaN appears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from course_utils.lessons.compare import same
from course_utils.lessons.evidence import Pair, Part, Real, named_sizes, real_positions
from course_utils.lessons.relations import changed_numbers, named_distance, named_factor

Where = Callable[[Real], Tensor]
# Words for places, by the mask: from the narrowest to the widest.
_PLACES: list[tuple[str, str, Where]] = [
    ("in rows without a real step", "in the others", lambda real: ~real.some),
    ("at the last real step of each row", "at its other steps", lambda real: real.last),
    ("at the first step of each row", "at its other steps", lambda real: real.first),
    ("at the pads", "at real steps", lambda real: ~real.steps),
    ("at real steps", "at the pads", lambda real: real.steps),
    ("in rows that have pads", "in full rows", lambda real: ~real.full),
]


def wrong_places(part: Part) -> str | None:
    """Wrong only at pads, only in padded rows, only in rows without a real step."""
    found = _only(part, _differs)
    if found is None:
        return None
    where, elsewhere, places = found
    everywhere = all(_differs(p)[places(real_positions(p))].all() for p in part.failing)
    if everywhere:
        return f"is right {elsewhere} and wrong {where}"
    return f"is right {elsewhere}; what is wrong lies {where}"


def wrong_half(part: Part) -> str | None:
    """Wrong only in one half of the last axis, as where two directions are joined."""
    if not part.same_shapes or any(p.expected.dim() < 2 for p in part.pairs):
        return None
    sizes = [pair.expected.shape[-1] for pair in part.failing]
    if len(set(sizes)) < 2 or any(size % 2 for size in sizes):
        return None
    halves = [[bool(h.any()) for h in _differs(p).chunk(2, dim=-1)] for p in part.failing]
    for first, right, wrong in ((False, "first", "second"), (True, "second", "first")):
        if all(half == [first, not first] for half in halves):
            return f"is right in the {right} half of its last axis and wrong in the {wrong} half"
    return None


def explained_places(part: Part) -> str | None:
    """Wrong only in some places, and there in one way that has a name."""
    found = _only(part, _differs)
    if found is None:
        return None
    where, elsewhere, places = found
    if where == "at the pads" and all(_repeats_the_last(pair) for pair in part.pairs):
        return f"is right {elsewhere}; {where} it repeats the last real step of the row"
    there = replace(part, pairs=[_within(pair, places) for pair in part.failing])
    symptoms = (number_there, changed_numbers, named_factor, named_distance)
    for symptom in symptoms if there.telling else symptoms[:1]:
        if text := symptom(there):
            return f"is right {elsewhere}; {where} it {text}"
    return None


def _within(pair: Pair, places: Where) -> Pair:
    """The entries in these places alone, in one row."""
    chosen = places(real_positions(pair))
    return Pair(pair.arguments, pair.got[chosen], pair.expected[chosen])


def _repeats_the_last(pair: Pair) -> bool:
    """Whether each pad after a row's last real step holds what that step holds."""
    real = real_positions(pair)
    if real is None or real.steps is None or pair.got.dim() < 2:
        return False
    after = ~real.steps & real.some & (real.last.cumsum(1) > 0)
    last = (pair.expected * real.last).sum(1, keepdim=True).expand_as(pair.got)
    return same(pair.got[after], last[after])


def number_there(part: Part) -> str | None:
    """One number that stands everywhere: always the same, or that of an argument."""
    numbers = [pair.got.double().flatten() for pair in part.failing]
    if any(n.isnan().any() or len(n.unique()) != 1 for n in numbers):
        return None
    if sum(map(len, numbers)) < 3:
        return None
    values = [n[0].item() for n in numbers]
    if part.failing[0].got.dtype == torch.bool:
        return f"is always {bool(values[0])}" if len(set(values)) == 1 else None
    if len(set(values)) == 1:
        return f"is always {values[0]:g}"
    sizes = [named_sizes(pair.arguments) for pair in part.failing]
    for name in sizes[0]:
        if all(size.get(name) == value for size, value in zip(sizes, values, strict=True)):
            return f"is {name}"
    return None


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


def _lies(bad: Tensor, there: Tensor, exactly: bool) -> bool:
    """Whether all that is bad lies there, and if asked, all there is bad."""
    return bool(bad.any()) and not (bad & ~there).any() and not (exactly and (there & ~bad).any())


def _only(part: Part, spoilt: Callable[[Pair], Tensor]) -> tuple[str, str, Where] | None:
    """The narrowest places that hold all of what is spoilt, in every failing case."""
    if not part.same_shapes:
        return None
    masks = [real_positions(pair) for pair in part.failing]
    if any(mask is None for mask in masks):
        return None
    spoils = [spoilt(pair) for pair in part.failing]
    for where, elsewhere, places in _PLACES:
        if "in rows" not in where and any(mask.steps is None for mask in masks):
            continue
        inside = [places(mask) for mask in masks]
        outside = sum(int((~there).sum()) for there in inside)
        pairs = zip(spoils, inside, strict=True)
        exactly = "step of each row" in where  # one step in a row is soon hit by accident
        if outside >= 6 and all(_lies(bad, there, exactly) for bad, there in pairs):
            return where, elsewhere, places
    return None
