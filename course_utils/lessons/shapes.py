"""Symptoms of shapes and of lists: an axis kept, lost or exchanged, a step or an entry too many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from course_utils.lessons.compare import same
from course_utils.lessons.evidence import Pair, Part, lengths_in, named_sizes, real_positions
from course_utils.lessons.relations import changed_numbers, named_distance, named_factor

Relation = Callable[[Tensor, Tensor], bool]


def other_shape(part: Part) -> str | None:
    """What happened to the axes, where every failing case has another shape than expected."""
    if not part.tensors or any(p.got.shape == p.expected.shape for p in part.failing):
        return None
    if all(p.expected.dim() == 0 for p in part.failing):
        return _not_reduced(part)
    if _all(part, lambda g, w: same(g, w.squeeze())):
        return "has lost its axes of size 1, as `squeeze()` without an axis removes them"
    if all(p.got.dim() == 0 for p in part.failing) and (found := _one_number(part)):
        return found
    more = {p.got.dim() - p.expected.dim() for p in part.failing}
    if len(more) != 1:
        return "holds the right numbers in another shape" if _all(part, _same_flat) else None
    difference = more.pop()
    if difference == 0:
        return _same_number_of_axes(part) or _goes_on(part)
    if difference == 1:
        return _one_more(part)
    if difference == -1:
        return _one_less(part)
    return "holds the right numbers in another shape" if _all(part, _same_flat) else None


def _not_reduced(part: Part) -> str | None:
    """Many numbers whose mean or sum is the one that is expected."""
    for words, make in (("mean", torch.Tensor.mean), ("sum", torch.Tensor.sum)):
        if _all(part, lambda g, w, make=make: g.is_floating_point() and same(make(g), w)):
            return f"has many numbers: their {words} is what is expected"
    return None


def _one_number(part: Part) -> str | None:
    """One number made of all that are expected."""
    for words, make in (("largest", torch.amax), ("sum", torch.sum), ("mean", torch.mean)):
        if _all(part, lambda g, w, make=make: w.is_floating_point() and same(g, make(w))):
            return f"is a single number, the {words} of all that are expected"
    return None


def _all(part: Part, relation: Relation) -> bool:
    return all(relation(pair.got, pair.expected) for pair in part.failing)


def _same_flat(got: Tensor, want: Tensor) -> bool:
    return got.numel() == want.numel() and same(got.flatten(), want.flatten())


def _same_number_of_axes(part: Part) -> str | None:
    axes = part.failing[0].got.dim()
    for axis in range(axes):
        for more in (1, -1):
            if _all(part, lambda g, w, a=axis, m=more: g.shape[a] - w.shape[a] == m):
                return _longer(part, axis, more)
        if _all(part, lambda g, w, a=axis: g.shape[a] == 1 < w.shape[a]) and (
            found := _reduced(part, axis, "has", kept=True)
        ):
            return found
        for end, first in (("first", True), ("last", False)):
            if _all(part, lambda g, w, a=axis, f=first: _is_end(g, w, a, f)):
                return f"holds only the {end} entries along axis {axis}; others are missing"
    return "holds the right numbers in another shape" if _all(part, _same_flat) else None


def _is_end(got: Tensor, want: Tensor, axis: int, first: bool) -> bool:
    """Whether what came is the first or the last part of what is expected."""
    mine, whole = got.shape[axis], want.shape[axis]
    return 0 < mine < whole and same(got, want.narrow(axis, 0 if first else whole - mine, mine))


def _longer(part: Part, axis: int, more: int) -> str:
    """One entry too many or too few along an axis, and at which end if the rest agrees."""
    text = f"is one {'longer' if more > 0 else 'shorter'} than expected along axis {axis}"

    def agrees(got: Tensor, want: Tensor, start: int) -> bool:
        long, short = (got, want) if more > 0 else (want, got)
        return same(long.narrow(axis, start, short.shape[axis]), short)

    if _all(part, lambda g, w: agrees(g, w, 0)):
        return f"{text}: the {'additional' if more > 0 else 'missing'} entry is the last one"
    if _all(part, lambda g, w: agrees(g, w, 1)):
        return f"{text}: the {'additional' if more > 0 else 'missing'} entry is the first one"
    return text


def _goes_on(part: Part) -> str | None:
    """What is expected, and more entries along an axis behind it."""
    for axis in range(part.failing[0].got.dim()):
        if _all(part, lambda g, w, a=axis: _is_end(w, g, a, first=True)):
            return f"goes on too long along axis {axis}: the first entries are right, others follow"
    return None


# What can be made of one axis, in words.
_REDUCTIONS: list[tuple[str, Callable[[Tensor, int], Tensor]]] = [
    ("the sum", lambda t, a: t.sum(a)),
    ("the mean", lambda t, a: t.double().mean(a).to(t) if t.is_floating_point() else t.sum(a)),
    ("the last entry", lambda t, a: t.select(a, -1)),
    ("the first entry", lambda t, a: t.select(a, 0)),
    ("the largest entry", lambda t, a: t.amax(a)),
]


def _reduced(part: Part, axis: int, verb: str, *, kept: bool) -> str | None:
    """What came is a sum, a mean or one entry of what was expected."""
    for words, reduce in _REDUCTIONS:

        def fits(got: Tensor, want: Tensor, reduce: Callable = reduce) -> bool:
            mine = got.squeeze(axis) if kept else got
            return want.shape[axis] > 0 and same(mine, reduce(want, axis))

        if _all(part, fits):
            return f"{verb} only {words} along axis {axis}; the whole axis is expected"
    return None


def _one_more(part: Part) -> str | None:
    for axis in range(part.failing[0].got.dim()):
        if _all(part, lambda g, w, a=axis: g.shape[a] == 1 and same(g.squeeze(a), w)):
            return f"has one axis too many: axis {axis}, of size 1; the numbers are right"
    for axis in range(part.failing[0].got.dim()):
        for words, reduce in _REDUCTIONS:
            if _all(part, lambda g, w, a=axis, r=reduce: g.shape[a] > 0 and same(r(g, a), w)):
                return f"still has axis {axis}: {words} along it is what is expected"
    return "has one axis too many; the numbers are right" if _all(part, _same_flat) else None


def _one_less(part: Part) -> str | None:
    if _all(part, _same_flat):
        return "has lost an axis; the numbers are right"
    for axis in range(part.failing[0].expected.dim()):
        if found := _reduced(part, axis, "holds", kept=False):
            return found
    return None


def other_list(part: Part) -> str | None:
    """Lists of plain values: an entry too many or too few, the reverse order, other numbers."""
    lists = _lists(part)
    if lists is None:
        return None
    relations: list[tuple[str, Callable[[list, list], bool]]] = [
        ("lacks its last entry", lambda g, w: same(g, w[:-1])),
        ("lacks its first entry", lambda g, w: same(g, w[1:])),
        ("has one entry too many, at its end", lambda g, w: same(g[:-1], w)),
        ("has one entry too many, at its start", lambda g, w: same(g[1:], w)),
        ("has the right entries in reverse order", lambda g, w: same(g, w[::-1])),
        ("has the right entries in one list, without groups", lambda g, w: same(g, _flat(w))),
    ]
    for text, relation in relations:
        if all(relation(got, want) for got, want in lists):
            return text
    return _other_numbers(part, lists)


def _other_numbers(part: Part, lists: list[tuple[list, list]]) -> str | None:
    """Lists of the right form, whose numbers are changed in one way that has a name."""
    flat = [(_flat(got), _flat(want)) for got, want in lists]
    numbers = all(type(n) in (int, float) for pair in flat for side in pair for n in side)
    if not numbers or not all(_form(got) == _form(want) for got, want in lists):
        return None
    for name, value in part.failing[0].arguments.items():
        if isinstance(value, (list, tuple)):
            pairs = zip(part.failing, flat, strict=True)
            if all(got == list(pair.arguments.get(name, ())) for pair, (got, _) in pairs):
                return f"holds the numbers of `{name}` themselves"
    tensors = [
        Pair(pair.arguments, torch.tensor(got).double(), torch.tensor(want).double())
        for pair, (got, want) in zip(part.failing, flat, strict=True)
    ]
    as_tensors = replace(part, pairs=tensors)
    return named_distance(as_tensors) or named_factor(as_tensors) or changed_numbers(as_tensors)


def _form(value: object) -> object:
    return [_form(entry) for entry in value] if isinstance(value, (list, tuple)) else None


def _lists(part: Part) -> list[tuple[list, list]] | None:
    pairs = [(p.got, p.expected) for p in part.failing]
    if not all(isinstance(v, (list, tuple)) for pair in pairs for v in pair):
        return None
    return [(list(got), list(want)) for got, want in pairs]


def other_groups(part: Part) -> str | None:
    """Lists with the right entries, in an order or in groups that have no name."""
    lists = _lists(part)
    if lists is None:
        return None
    relations: list[tuple[str, Callable[[list, list], bool]]] = [
        ("has the right entries in another order", lambda g, w: _sorted(g) == _sorted(w)),
        ("has the right numbers in other groups", lambda g, w: same(_flat(g), _flat(w))),
        (
            "has the right numbers in another order",
            lambda g, w: _sorted(_flat(g)) == _sorted(_flat(w)),
        ),
    ]
    return next((t for t, fits in relations if all(fits(g, w) for g, w in lists)), None)


def _sorted(values: list) -> list[str]:
    return sorted(map(repr, values))


def _flat(value: object) -> list:
    if isinstance(value, (list, tuple)):
        return [entry for part in value for entry in _flat(part)]
    return [value]


def only_real_entries(part: Part) -> str | None:
    """The chosen entries in one row, as indexing with a mask returns them."""
    if not part.tensors or any(pair.got.dim() != 1 for pair in part.failing):
        return None
    steps = [real.steps if (real := real_positions(p)) else None for p in part.failing]
    if any(mask is None for mask in steps) or not any(mask.sum() < mask.numel() for mask in steps):
        return None
    pairs = list(zip(part.failing, steps, strict=True))
    if all(same(p.got, p.expected[mask]) for p, mask in pairs):
        return "holds the real entries alone, in one row: the shape is lost"
    if all(len(p.got) == mask.sum() for p, mask in pairs):
        return "has one entry for each real one, in one row: the shape is lost"
    return None


def broadcast(part: Part) -> str | None:
    """Along one axis as many entries as along another one: two shapes were spread to fit."""
    if not part.tensors:
        return None
    # By accident the shape may be right: where there are as many rows as steps.
    part = replace(part, pairs=[p for p in part.failing if p.got.shape != p.expected.shape])
    if len(part.pairs) < 3 or any(p.got.numel() <= p.expected.numel() for p in part.pairs):
        return None
    if any(p.got.dim() != p.expected.dim() for p in part.failing):
        more = all(p.got.shape[1:] == p.expected.shape for p in part.failing)
        text = "has an additional first axis: two shapes were spread to fit each other"
        return text if more else None
    axes = min(pair.expected.dim() for pair in part.pairs)
    for axis in range(axes):
        for other in range(axes):
            if other != axis and _all(
                part, lambda g, w, a=axis, o=other: g.shape[a] == w.shape[o] != w.shape[a]
            ):
                return (
                    f"has along axis {axis} as many entries as along axis {other}: two shapes were "
                    "spread to fit each other"
                )
    return None


def named_axis(part: Part) -> str | None:
    """An axis as long as something else that has a name, where another length is expected."""
    if not part.tensors:
        return None
    pairs = [p for p in part.failing if p.got.shape != p.expected.shape]
    if len(pairs) < 3 or any(p.got.dim() != p.expected.dim() for p in pairs):
        return None
    for axis in range(min(p.got.dim() for p in pairs)):
        if any(p.got.shape[axis] == p.expected.shape[axis] for p in pairs):
            continue
        named = [named_sizes(p.arguments) | _single_lengths(p) for p in pairs]
        for name in named[0]:
            sizes = [found.get(name) for found in named]
            if all(p.got.shape[axis] == size for p, size in zip(pairs, sizes, strict=True)):
                return f"is as long as {name} along axis {axis}, and another length is expected"
    return None


def _single_lengths(pair: Pair) -> dict[str, float]:
    lengths = lengths_in(pair.arguments)
    ends = {"the first length": lengths[0], "the last length": lengths[-1]} if lengths else {}
    return dict(ends)
