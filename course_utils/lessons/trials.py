"""An exercise's cases, by hand and random, each with what the solution makes of it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

from torch import Tensor, nn

from course_utils.lessons.draws import Draw
from course_utils.lessons.entries import Exercise
from course_utils.lessons.running import Outcome, leaf_names, named_arguments, run_case
from course_utils.lessons.solutions import Case
from course_utils.lessons.traits import traits_of

RANDOM_CASES = 14


@dataclass(frozen=True)
class Trial:
    """One case with its arguments by name, what is right for it, its traits and its size."""

    case: Case
    arguments: Mapping[str, Any]
    right: Outcome
    traits: Mapping[str, bool]
    size: int

    @property
    def leaves(self) -> list[str]:
        """Names of the tensors whose gradients are compared."""
        return leaf_names(dict(self.arguments)) if self.case.gradients else []


@dataclass
class Bench:
    """The trials of an exercise, and what wrong versions and mutants make of them, once known."""

    exercise: Exercise
    trials: list[Trial]
    known: dict[tuple[Callable[..., Any], int], Outcome] = field(default_factory=dict)

    def outcome(self, function: Callable[..., Any], i: int) -> Outcome:
        """What a function of the course makes of trial ``i``; it is run once."""
        if (function, i) not in self.known:
            with warnings.catch_warnings(action="ignore"):  # mutants earn some
                self.known[function, i] = run_case(function, self.trials[i].case)
        return self.known[function, i]

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of the arguments that have one."""
        parameters = inspect.signature(self.exercise.reference).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}


_benches: dict[int, Bench] = {}


def bench_of(exercise: Exercise) -> Bench:
    """The exercise's trials, made once."""
    bench = _benches.get(id(exercise))
    if bench is None or bench.exercise is not exercise:
        trials = [_trial(exercise, case) for case in all_cases(exercise)]
        bench = _benches[id(exercise)] = Bench(exercise, trials)
    return bench


def all_cases(exercise: Exercise) -> list[Case]:
    """The cases by hand, and random ones, the same every time."""
    cases = list(exercise.cases())
    if exercise.solution.draw_case is not None:
        seed = crc32(exercise.key.encode())
        cases += [exercise.solution.draw_case(Draw(seed + i)) for i in range(RANDOM_CASES)]
    if exercise.solution.gradients is False:
        cases = [replace(case, gradients=False) for case in cases]
    return cases


def _trial(exercise: Exercise, case: Case) -> Trial:
    outcome = run_case(exercise.reference, case)
    if outcome.run.error is not None:
        raise outcome.run.error
    arguments = named_arguments(exercise.reference, case)
    size = sum(_sizes(list(arguments.values())))
    return Trial(case, arguments, outcome, traits_of(exercise, arguments), size)


def _sizes(value: Any) -> Iterator[int]:
    """How many numbers a value holds, to find the smallest case."""
    if isinstance(value, Tensor):
        yield value.numel()
    elif isinstance(value, nn.Module):
        yield from (parameter.numel() for parameter in value.parameters())
    elif isinstance(value, (list, tuple)):
        yield from (size for entry in value for size in _sizes(entry))
    elif isinstance(value, Mapping):
        yield from _sizes(list(value.values()))
    else:
        yield 1
