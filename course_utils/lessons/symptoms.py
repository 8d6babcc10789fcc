"""Symptoms: named relations between what came and what was expected.

Each is claimed only where it holds in all failing cases, three at least, and where no right case
contradicts it. What is said is true of any code that behaves so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, permutations

import torch
from torch import Tensor

from course_utils.lessons.compare import same
from course_utils.lessons.evidence import Part
from course_utils.lessons.orders import exchanged_axes, other_order, other_places
from course_utils.lessons.places import (
    explained_places,
    not_a_number,
    wrong_half,
    wrong_places,
)
from course_utils.lessons.relations import (
    another_dtype_alone,
    changed_numbers,
    named_distance,
    named_factor,
    named_number,
    no_way_back,
    nothing_but_zeros,
    one_distance,
    one_factor,
    one_factor_a_row,
    zeros_in_some_places,
)
from course_utils.lessons.shapes import (
    broadcast,
    named_axis,
    only_real_entries,
    other_groups,
    other_list,
    other_shape,
)
from course_utils.lessons.sources import made_of_an_argument

Symptom = Callable[[Part], str | None]

# Symptoms that say what was done, the most telling ones first; then those that say where it shows.
STRONG: tuple[Symptom, ...] = (
    only_real_entries,
    exchanged_axes,
    other_shape,
    other_list,
    no_way_back,
    changed_numbers,
    named_number,
    named_factor,
    named_distance,
    other_order,
    made_of_an_argument,
    broadcast,
)
WEAK: tuple[Symptom, ...] = (
    not_a_number,
    nothing_but_zeros,
    zeros_in_some_places,
    other_groups,
    named_axis,
    one_factor,
    one_distance,
    explained_places,
    wrong_half,
    one_factor_a_row,
    wrong_places,
    other_places,
)


def strong_symptom(parts: Sequence[Part]) -> str | None:
    """One sentence that says what was done."""
    exchanged = exchanged_parts(parts)
    if exchanged:
        return f"{exchanged}."
    return _sentence(parts, STRONG) or rows_of_another(parts)


def weak_symptom(parts: Sequence[Part]) -> str | None:
    """One sentence that says where or how much a result differs."""
    return _sentence(parts, WEAK)


def rows_of_another(parts: Sequence[Part]) -> str | None:
    """A part whose rows are all rows of another part, and not the right ones."""
    for one, other in permutations(parts, 2):
        if one.name and one.telling and one.same_shapes and other.tensors and not other.failing:
            expected = {id(pair.arguments): pair.expected for pair in other.pairs}
            if all(_has_rows(expected[id(p.arguments)], p.got) for p in one.failing):
                return f"{one.subject} holds rows of {_small(other.subject)}, not the right ones."
    return None


def _has_rows(values: Tensor, rows: Tensor) -> bool:
    if values.dim() < 2 or rows.dim() != 2 or values.shape[-1] != rows.shape[-1]:
        return False
    return all(same(row, near) for row, near in zip(rows, _nearest(values, rows), strict=True))


def _nearest(values: Tensor, rows: Tensor) -> Tensor:
    """For each row the one among the values that is most like it."""
    every = values.double().flatten(0, -2)
    place = torch.cdist(rows.double(), every).argmin(1)
    return values.flatten(0, -2)[place]


def _sentence(parts: Sequence[Part], symptoms: Sequence[Symptom]) -> str | None:
    """One sentence on all failing parts, if they share it, or on the first that has one."""
    told = [(p.subject, symptom_of(p, symptoms)) for p in parts if p.failing]
    texts = {text for _, text in told}
    if not any(texts):
        told = [
            (f"Where it is a number, {_small(p.subject)}", _of_numbers(p, symptoms)) for p in parts
        ]
    if len(told) > 1 and any(texts) and len(texts) == 1 and None not in texts:
        return f"{_together([subject for subject, _ in told])} {texts.pop()}."
    return next((f"{subject} {text}." for subject, text in told if text), None)


def _of_numbers(part: Part, symptoms: Sequence[Symptom]) -> str | None:
    """A symptom of the cases in which no NaN and no infinity came."""
    if not part.failing or not part.same_shapes:
        return None
    pairs = [pair for pair in part.pairs if pair.got.isfinite().all()]
    return (
        symptom_of(replace(part, pairs=pairs), symptoms) if len(pairs) < len(part.pairs) else None
    )


def _together(subjects: Sequence[str]) -> str:
    if len(subjects) > 3:
        return "Each of the wrong parts"
    first, *rest = subjects
    return f"{first} and {' and '.join(map(_small, rest))}, each by itself,"


def symptom_of(part: Part, symptoms: Sequence[Symptom] = STRONG + WEAK) -> str | None:
    """What can be said of a part, a predicate that follows its subject, or None."""
    if not part.telling or another_dtype_alone(part):
        return None
    return next((found for symptom in symptoms if (found := symptom(part))), None)


def exchanged_parts(parts: Sequence[Part]) -> str | None:
    """Two parts of the result in each other's place, in every case."""
    failing = [part for part in parts if part.failing and part.telling]
    for one, other in combinations(failing, 2):
        if _stands_for(one, other) and _stands_for(other, one):
            return f"{one.subject} and {_small(other.subject)} stand in each other's place"
    places = [(part, next((p for p in failing if _stands_for(part, p)), None)) for part in failing]
    if len(failing) > 2 and all(other for _, other in places):
        order = ", ".join(f"`{other.name}`" for _, other in places)
        return f"Your results come in another order: {order}"
    return None


def _small(subject: str) -> str:
    return f"{subject[:1].lower()}{subject[1:]}"


def _stands_for(one: Part, other: Part) -> bool:
    """Whether one part holds what is expected of the other."""
    if len(one.pairs) != len(other.pairs):
        return False
    theirs = {id(pair.arguments): pair.expected for pair in other.pairs}
    return all(same(mine.got, theirs.get(id(mine.arguments))) for mine in one.pairs)
