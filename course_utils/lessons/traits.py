"""Properties of cases in plain words, by which right cases are told from wrong ones."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils.lessons.entries import Exercise
from course_utils.lessons.evidence import lengths_in


def traits_of(exercise: Exercise, arguments: Mapping[str, Any]) -> dict[str, bool]:
    """Whether each trait holds: the exercise's own first, then those that arguments have."""
    found: dict[str, bool] = {}
    for trait in exercise.solution.traits:
        wanted = inspect.signature(trait.holds).parameters
        given = {name: arguments.get(name) for name in wanted}
        found[trait.text] = bool(trait.holds(**given))
    parameters = inspect.signature(exercise.reference).parameters
    for name in [*parameters, *(n for n in arguments if n not in parameters)]:
        optional = name in parameters and parameters[name].default is not inspect.Parameter.empty
        if optional:
            found |= _both(f"`{name}` is given", f"`{name}` is not given", name in arguments)
        if name in arguments:
            found |= dict(_of_value(name, arguments[name]))
    if lengths := lengths_in(arguments):
        found |= dict(_of_lengths(lengths))
    return found


def _both(text: str, opposite: str, holds: bool) -> dict[str, bool]:
    return {text: holds, opposite: not holds}


def _of_lengths(lengths: Sequence[int]) -> Iterator[tuple[str, bool]]:
    yield "a length is 0", min(lengths) == 0
    yield "no length is 0", min(lengths) > 0
    yield "there is only one sequence", len(lengths) == 1
    yield "there is more than one sequence", len(lengths) > 1
    yield "the sequences differ in length", len(set(lengths)) > 1
    yield "all sequences are equally long", len(set(lengths)) == 1
    in_order = list(lengths) == sorted(lengths, reverse=True)
    yield "the sequences do not come with the longest first", not in_order
    yield "a sequence has a single step", 1 in lengths


def _of_value(name: str, value: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(value, Tensor) and value.dtype == torch.bool and value.dim():
        rows = value.any(-1)
        yield f"a row of `{name}` has no real step", not bool(rows.all())
        yield f"every row of `{name}` has a real step", bool(rows.all())
        yield f"a step of `{name}` is padding", not bool(value.all())
        yield f"no step of `{name}` is padding", bool(value.all())
        both = bool(rows.any()) and not bool(rows.all())
        yield f"some rows of `{name}` have real steps and others have none", both
        to_come = value.flip(-1).cumsum(-1).flip(-1) > 0
        yield f"a pad of `{name}` comes before a real step", bool((to_come & ~value).any())
        yield f"`{name}` has more than one row", value.dim() > 1 and value.shape[0] > 1
    elif isinstance(value, Tensor):
        yield from _of_numbers(name, value)
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Tensor):
        yield from _of_numbers(f"{name}[0]", value[0])


def _of_numbers(name: str, value: Tensor) -> Iterator[tuple[str, bool]]:
    if value.is_floating_point() and value.numel():
        yield f"`{name}` holds NaN", bool(value.isnan().any())
        yield f"`{name}` holds an infinite number", bool(value.isinf().any())
        yield f"`{name}` holds numbers above 100", bool((value.abs() > 100).any())
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            yield f"`{name}` is of type {str(dtype)[6:]}", value.dtype == dtype
    for axes in (1, 2, 3, 4):
        yield f"`{name}` has {axes} {'axis' if axes == 1 else 'axes'}", value.dim() == axes
    if value.dim() >= 1:
        row = "entry" if value.dim() == 1 else "row"
        yield f"`{name}` has one {row}", value.shape[0] == 1
        yield f"`{name}` has more than one {row}", value.shape[0] > 1
    if value.dim() >= 2 and value.is_floating_point():
        which = "row" if value.dim() == 2 else "step"
        yield f"a {which} of `{name}` is zero", bool((value == 0).all(-1).any())
    if value.dim() >= 2:
        yield f"the last axis of `{name}` is of size 1", value.shape[-1] == 1
        yield f"the last axis of `{name}` is longer than 1", value.shape[-1] > 1


def telling_trait(traits: Sequence[Mapping[str, bool]], failing: Sequence[int]) -> str | None:
    """The first trait that holds in all failing cases and in no other; two failing ones or more."""
    if len(failing) < 2 or len(failing) == len(traits):
        return None
    wrong = set(failing)
    for text in traits[failing[0]]:
        if all(found.get(text) is (i in wrong) for i, found in enumerate(traits)):
            return text
    return None
