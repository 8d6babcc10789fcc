"""Signs: what an exercise says of a result, each of its parts by itself.

A sign is judged by what a learner's function returned, not by what is right: whether a mean is
taken over all columns is asked of the learner's own outputs. So a part is told apart from what it
was made of.
"""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from course_utils.lessons.altered import as_if_part
from course_utils.lessons.compare import same
from course_utils.lessons.evidence import Pair, Part, parts_of
from course_utils.lessons.mutants import mutants_of
from course_utils.lessons.running import Outcome
from course_utils.lessons.solutions import Sign
from course_utils.lessons.symptoms import STRONG, WEAK, symptom_of
from course_utils.lessons.trials import Bench

Results = Mapping[int, Any]  # by the identity of a trial's arguments


def told_by_signs(
    bench: Bench, outcomes: Sequence[Outcome], parts: Sequence[Part], end: float
) -> str | None:
    """What signs say of the failing parts; of other parts beside them what is seen.

    None where no sign holds, or one part alone fails and no sign says why.
    """
    signs = bench.exercise.solution.signs
    failing = [p for p in parts if p.failing and not p.subject.startswith("The gradient")]
    pairs = zip(bench.trials, outcomes, strict=True)
    results = {id(trial.arguments): outcome.value for trial, outcome in pairs}
    told = {part.name: _sign(signs, part, results) for part in failing}
    if not any(told.values()) and not (len(failing) > 1 and any(s.part for s in signs)):
        return None
    sentences = [
        f"{part.subject} {told[part.name] or _otherwise(bench, part, end)}." for part in failing
    ]
    return " ".join(sentences)


def _sign(signs: Sequence[Sign], part: Part, results: Results) -> str | None:
    """The first sign that holds in all failing cases of a part; in all cases if one alone fails."""
    pairs = part.failing if len(part.failing) > 1 else part.pairs
    mine = [sign for sign in signs if sign.part == part.name]
    return next((s.text for s in mine if all(_holds(s, p, results) for p in pairs)), None)


def _holds(sign: Sign, pair: Pair, results: Results) -> bool:
    names = list(inspect.signature(sign.holds).parameters)[1:]
    given = {name: pair.arguments.get(name) for name in names}
    try:
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            return bool(sign.holds(results[id(pair.arguments)], **given))
    except Exception:  # a result of another kind or shape
        return False


def _otherwise(bench: Bench, part: Part, end: float) -> str:
    """What else is seen of a part: a symptom, an argument, a mutant, or nothing."""
    if text := symptom_of(part, STRONG):
        return text
    searches: tuple[Callable[[Bench, Part, float], str | None], ...] = (as_if_part, _as_mutant)
    for search in searches:
        if part.telling and time.thread_time() < end and (text := search(bench, part, end)):
            return f"is as if {text}"
    return symptom_of(part, WEAK) or "differs"


def _as_mutant(bench: Bench, part: Part, end: float) -> str | None:
    """The mutant of the solution that makes the same of this part in every case."""
    places = {id(trial.arguments): i for i, trial in enumerate(bench.trials)}
    names = bench.exercise.solution.parts
    for mutant in mutants_of(bench.exercise.reference):
        if time.thread_time() > end:
            return None
        for pair in part.pairs:
            theirs = bench.outcome(mutant.function, places[id(pair.arguments)])
            if theirs.run.error or not same(pair.got, parts_of(theirs.value, names).get(part.name)):
                break
        else:
            return mutant.text
    return None
