"""Symptoms of arguments: ignored, inverted, exchanged, taken for something else.

The solution itself is run on altered arguments: where what it makes of them is the learner's
result in every case, that is what the learner's code does, however it is written.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from course_utils.lessons.compare import same
from course_utils.lessons.evidence import Part, parts_of
from course_utils.lessons.running import Outcome, run_case, same_outcome
from course_utils.lessons.trials import Bench, Trial

Alter = Callable[[Any], Any]


@dataclass(frozen=True)
class Alteration:
    """Words after "as if", and what becomes of which arguments."""

    text: str
    change: Callable[[Mapping[str, Any]], dict[str, Any]]


def alterations_of(arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Alteration]:
    """What can be done to arguments like these, the most natural first."""
    found: list[Alteration] = []
    for name, value in arguments.items():
        found += [
            Alteration(text, _on_one(name, alter)) for text, alter in _of_one(name, value, defaults)
        ]
    for one, other in combinations(arguments, 2):
        mine, theirs = arguments[one], arguments[other]
        alike = isinstance(mine, Tensor) and isinstance(theirs, Tensor)
        if alike and mine.dtype == theirs.dtype and mine.dim() == theirs.dim():
            text = f"`{one}` and `{other}` were exchanged"
            found.append(Alteration(text, _exchange(one, other)))
    return found + _zeros_at_pads(arguments)


def _zeros_at_pads(arguments: Mapping[str, Any]) -> list[Alteration]:
    """Masks that set another argument to zero, and do no more."""
    tensors = {name: v for name, v in arguments.items() if isinstance(v, Tensor) and v.dim()}
    found = [
        Alteration(text, _with_lengths(name, change))
        for name, values in tensors.items()
        if "lengths" in tensors and values.is_floating_point() and values.dim() == 3
        for text, change in _LENGTHS.items()
    ]
    for mask, real in tensors.items():
        for name, values in tensors.items():
            fits = values.dim() >= real.dim() and values.shape[0] == real.shape[0]
            if real.dtype == torch.bool and values.is_floating_point() and fits:
                text = f"`{mask}` only set `{name}` to zero, and all of it counted from then on"
                found.append(Alteration(text, _zeroed(mask, name)))
    return found


# Words, and what becomes of lengths and of a padded batch.
_LENGTHS: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "every sequence went on to the end of the padded batch": lambda lengths, values: (
        torch.full_like(lengths, values.shape[1]),
        values,
    ),
    "the pads were set to zero, and counted as steps": lambda lengths, values: (
        torch.full_like(lengths, values.shape[1]),
        values.masked_fill(_after(lengths, values)[..., None], 0),
    ),
    "one step more were read of each sequence that has pads": lambda lengths, values: (
        (lengths + 1).clamp(max=values.shape[1]),
        values,
    ),
}


def _after(lengths: Tensor, values: Tensor) -> Tensor:
    return torch.arange(values.shape[1], device=values.device) >= lengths[:, None]


def _with_lengths(name: str, change: Callable) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def changed(arguments: Mapping[str, Any]) -> dict[str, Any]:
        lengths, values = change(arguments["lengths"], arguments[name])
        return {"lengths": lengths, name: values}

    return changed


def _zeroed(mask: str, name: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def change(arguments: Mapping[str, Any]) -> dict[str, Any]:
        real, values = arguments[mask], arguments[name]
        pads = ~real.reshape(*real.shape, *[1] * (values.dim() - real.dim()))
        return {name: values.masked_fill(pads, 0), mask: torch.ones_like(real)}

    return change


def _on_one(name: str, alter: Alter) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def change(arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {name: alter(arguments[name])} if name in arguments else {}

    return change


def _exchange(one: str, other: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def change(arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {one: arguments[other], other: arguments[one]}

    return change


def _of_one(name: str, value: Any, defaults: Mapping[str, Any]) -> Iterator[tuple[str, Alter]]:
    """Alterations of one argument."""
    if name in defaults:
        default = defaults[name]
        yield f"`{name}` were not used", lambda _: default
    if isinstance(value, Tensor):
        yield from _of_tensor(name, value)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield f"`{name}` were 1, whatever is given", lambda _: 1
        yield f"`{name}` were one larger than it is", lambda v: v + 1
        yield f"`{name}` were one smaller than it is", lambda v: v - 1
    elif isinstance(value, float):
        yield f"`{name}` were twice as large as it is", lambda v: 2 * v
        yield f"`{name}` were half as large as it is", lambda v: v / 2
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], (Tensor, int)):
        yield f"`{name}` were in reverse order", lambda v: type(v)(reversed(v))
        if isinstance(value[0], Tensor):
            flipped = f"each entry of `{name}` were in reverse order"
            yield flipped, lambda v: type(v)(entry.flip(0) for entry in v)
        yield f"`{name}` were sorted, the longest first", lambda v: _sorted(v, longest_first=True)
        yield f"`{name}` were sorted, the shortest first", lambda v: _sorted(v, longest_first=False)


def _of_tensor(name: str, value: Tensor) -> Iterator[tuple[str, Alter]]:
    if value.dtype == torch.bool:
        yield f"`{name}` were ignored and all of it taken for True", torch.ones_like
        yield f"`{name}` were inverted, True for False", torch.logical_not
        return
    if name == "lengths":
        yield (
            "all sequences were as long as the longest, so that padding counts",
            lambda v: torch.full_like(v, int(v.max())),
        )
        yield "all lengths were one too large", lambda v: v + 1
        yield "all lengths were one too small", lambda v: v - 1
        return
    if value.is_floating_point():
        yield f"`{name}` were left out, or zero everywhere", lambda v: v * 0
        yield f"`{name}` had the other sign", lambda v: -v
        yield f"`{name}` were without its history", lambda v: v.detach()
        if value.dim() >= 2:
            yield f"`{name}` were transposed", lambda v: v.transpose(-1, -2)
        if value.dim():
            yield f"`{name}` were in reverse order", lambda v: v.flip(0)
            yield f"only the last entry of `{name}` counted", lambda v: _only(v, -1)
            yield f"only the first entry of `{name}` counted", lambda v: _only(v, 0)


def _only(value: Tensor, place: int) -> Tensor:
    kept = torch.zeros_like(value)
    kept[place] = value.detach()[place]
    return kept


def _sorted(values: Sequence[Any], longest_first: bool) -> list[Any]:
    size = (lambda v: len(v)) if isinstance(values[0], Tensor) else (lambda v: v)
    return sorted(values, key=size, reverse=longest_first)


def as_if(
    bench: Bench, outcomes: Sequence[Outcome], failing: Sequence[int], end: float
) -> str | None:
    """Words for the first alteration with which the solution makes the learner's results.

    ``failing`` are the trials to try first; ``end`` is when to give up.
    """
    order = [*failing, *(i for i in range(len(bench.trials)) if i not in failing)]
    for alteration in alterations_of(bench.trials[order[0]].arguments, bench.defaults):
        if time.thread_time() > end:
            return None
        if all(
            _agrees(bench, alteration, bench.trials[i], outcomes[i], i in failing) for i in order
        ):
            return alteration.text
    return None


def _agrees(
    bench: Bench, alteration: Alteration, trial: Trial, outcome: Outcome, wrong: bool
) -> bool:
    """Whether the solution, on the altered arguments, makes what the learner's function made."""
    altered = run_altered(bench.exercise.reference, alteration, trial)
    if altered is None:
        return False
    exact = bench.exercise.solution.exact
    if wrong and same_outcome(altered, trial.right, exact):
        return False
    return same_outcome(replace(altered, changed=outcome.changed), outcome, exact)


def as_if_part(bench: Bench, part: Part, end: float) -> str | None:
    """As :func:`as_if`, for one part of the results: the others may err in other ways."""
    trials = {id(trial.arguments): trial for trial in bench.trials}
    name = part.name
    for alteration in alterations_of(part.pairs[0].arguments, bench.defaults):
        if time.thread_time() > end:
            return None
        for pair in part.pairs:
            altered = run_altered(
                bench.exercise.reference, alteration, trials[id(pair.arguments)], gradients=False
            )
            if altered is None:
                break
            found = parts_of(altered.value, bench.exercise.solution.parts).get(name)
            if not same(pair.got, found) or (not pair.right and same(found, pair.expected)):
                break
        else:
            return alteration.text
    return None


def run_altered(
    reference: Callable[..., Any],
    alteration: Alteration,
    trial: Trial,
    *,
    gradients: bool = True,
) -> Outcome | None:
    """The solution on altered arguments, or None where they cannot be altered so, or it fails.

    Gradients still belong to the arguments as they were given.
    """

    def altered(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(trial.arguments, [*args, *kwargs.values()], strict=True))
        return reference(**(given | alteration.change(given)))

    case = trial.case if gradients else replace(trial.case, gradients=False)
    with warnings.catch_warnings(action="ignore"):
        outcome = run_case(altered, case)
    return None if outcome.run.error is not None else outcome


def ignored_argument(
    bench: Bench,
    function: Callable[..., Any],
    outcomes: Sequence[Outcome],
    chosen: Sequence[int],
) -> str | None:
    """The first argument whose value makes no difference to a function, and should.

    The arguments of the chosen trials are changed one by one; a function that reads them would
    show it.
    """
    for name in bench.trials[chosen[0]].arguments:
        if all(_makes_no_difference(bench, function, name, i, outcomes[i]) for i in chosen):
            return name
    return None


def _makes_no_difference(
    bench: Bench, function: Callable[..., Any], name: str, i: int, mine: Outcome
) -> bool:
    trial = bench.trials[i]
    if any(_holds_infinity(part) for part in parts_of(mine.value).values()):
        return False  # whatever goes in, infinity may come out
    other = _something_else(trial.arguments.get(name))
    if other is None:
        return False
    places = len(trial.case.args)
    values = {**trial.arguments, name: other}
    args, kwargs = list(values.values())[:places], dict(list(values.items())[places:])
    case = replace(trial.case, args=tuple(args), kwargs=kwargs, gradients=False)
    theirs = run_case(bench.exercise.reference, case)
    if theirs.run.error is not None or _same_value(theirs, trial.right):
        return False
    return _same_value(run_case(function, case), mine)


def _holds_infinity(value: Any) -> bool:
    """Whether there is NaN or infinity in a plain tensor of floating-point numbers."""
    plain = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
    return plain and value.is_floating_point() and not bool(value.isfinite().all())


def _same_value(one: Outcome, other: Outcome) -> bool:
    return same_outcome(
        replace(one, gradients=None, changed=()), replace(other, gradients=None, changed=())
    )


def _something_else(value: Any) -> Any:
    """A value of the same kind and shape that differs; None where there is none."""
    if isinstance(value, Tensor) and value.dtype == torch.bool:
        return value.logical_not()
    if isinstance(value, Tensor) and value.is_floating_point():
        with torch.no_grad():
            # Downwards, so that the largest is no longer the largest.
            return (0.5 - value * 1.25).requires_grad_(value.requires_grad)
    if isinstance(value, float):
        return value + 1.5
    return None
