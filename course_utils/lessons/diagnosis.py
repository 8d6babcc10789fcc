"""Say what a learner's function does: a pattern over the cases, and a symptom or a belief."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from course_utils.lessons.altered import as_if, as_if_part, ignored_argument
from course_utils.lessons.compare import same
from course_utils.lessons.entries import Exercise
from course_utils.lessons.evidence import Part, parts_of
from course_utils.lessons.faults import Fault, evidence_of
from course_utils.lessons.mutants import Mutant, cuts_of, mutants_of
from course_utils.lessons.running import Outcome, same_outcome
from course_utils.lessons.signs import told_by_signs
from course_utils.lessons.solutions import Wrong
from course_utils.lessons.sources import row_by_row
from course_utils.lessons.symptoms import strong_symptom, weak_symptom
from course_utils.lessons.traits import common_trait, telling_trait
from course_utils.lessons.trials import Bench

MOST_CASES_FOR_ALTERED_ARGUMENTS = 6


@dataclass(frozen=True)
class Diagnosis:
    """One sentence on what the code does; ``wrong`` is the wrong version that says it, if any.

    ``kind`` tells where the sentence comes from: a wrong version's belief, a symptom, a mutant
    of the solution, or a weaker symptom that says where or how much, not what.
    """

    kind: Literal["belief", "symptom", "mutant", "weak"]
    text: str
    wrong: Wrong | None = None


@dataclass(frozen=True)
class Answer:
    """A learner's function with its outcomes and faults, one for each trial of the bench."""

    bench: Bench
    function: Callable[..., Any]
    outcomes: Sequence[Outcome]
    faults: Sequence[Sequence[Fault]]

    @cached_property
    def parts(self) -> list[Part]:
        """The parts of all results, beside what is expected."""
        return evidence_of(self.bench.exercise, self.bench.trials, list(self.outcomes))

    @cached_property
    def failing(self) -> list[int]:
        """The trials with a fault, the smallest first."""
        found = [i for i, faults in enumerate(self.faults) if faults]
        return sorted(found, key=lambda i: self.bench.trials[i].size)


def diagnose(answer: Answer, patience: float) -> Diagnosis | None:
    """The sentence that explains most; ``patience`` in seconds of computing bounds the search.

    A wrong version comes first where it explains every failing case, and last where it explains
    some of them.
    """
    end = time.thread_time() + patience
    count, wrong = _most_explaining(answer)
    if wrong is not None and count == len(answer.failing):
        return Diagnosis("belief", wrong.explanation, wrong)
    for search in (_signs, _strong, _altered, _cut, _mutant, _altered_part, _ignored):
        if time.thread_time() < end and (found := search(answer, end)) is not None:
            return found
    if (found := _weak(answer)) is not None:
        return found
    if wrong is not None and 2 * count >= len(answer.failing):
        return Diagnosis("belief", wrong.explanation, wrong)
    return None


def _most_explaining(answer: Answer) -> tuple[int, Wrong | None]:
    """The wrong version with the learner's answers in most failing cases, and in how many."""
    wrongs = answer.bench.exercise.wrong
    counts = [_cases_explained(answer, wrong) for wrong in wrongs]
    most = max(counts, default=0)
    return most, wrongs[counts.index(most)] if most else None


def _cases_explained(answer: Answer, wrong: Wrong) -> int:
    """In how many cases a wrong version errs as the learner does; 0 if it errs otherwise once."""
    bench, count = answer.bench, 0
    exact = bench.exercise.solution.exact
    for i, (trial, mine) in enumerate(zip(bench.trials, answer.outcomes, strict=True)):
        theirs = bench.outcome(wrong.function, i)
        if same_outcome(theirs, trial.right, exact):
            continue
        if not _alike(mine, theirs, trial.right, exact):
            return 0
        count += 1
    return count


def _alike(mine: Outcome, theirs: Outcome, right: Outcome, exact: Sequence[str]) -> bool:
    """Whether two functions err alike; gradients count where the values are right."""
    if same(theirs.value, right.value, exact):
        return same_outcome(mine, theirs, exact)
    without = [replace(outcome, gradients=None, reached=()) for outcome in (mine, theirs)]
    return same_outcome(*without, exact)


def _signs(answer: Answer, end: float) -> Diagnosis | None:
    text = told_by_signs(answer.bench, answer.outcomes, answer.parts, end)
    return Diagnosis("symptom", text) if text else None


def _strong(answer: Answer, end: float) -> Diagnosis | None:
    text = strong_symptom(answer.parts)
    if text is None and (whole := [part for part in answer.parts if part.failing]):
        text = _row_by_row(whole[0], answer.bench.exercise)
    return Diagnosis("symptom", text) if text else None


def _row_by_row(part: Part, exercise: Exercise) -> str | None:
    """One number made of the rows' own numbers, at least where it is a number."""
    names = exercise.solution.parts
    if rows := row_by_row(part, exercise.reference, names):
        return f"{part.subject} {rows}."
    if not part.same_shapes:
        return None
    finite = replace(part, pairs=[pair for pair in part.pairs if pair.got.isfinite().all()])
    fewer = len(finite.pairs) < len(part.pairs)
    rows = row_by_row(finite, exercise.reference, names) if fewer else None
    return f"Where it is a number, your result {rows}." if rows else None


def _weak(answer: Answer) -> Diagnosis | None:
    text = weak_symptom(answer.parts)
    return Diagnosis("weak", text) if text else None


def _valued(answer: Answer, least: int = 3) -> bool:
    """Whether so many failing cases came to a result, whatever it is."""
    return sum(answer.outcomes[i].run.error is None for i in answer.failing) >= least


def _altered(answer: Answer, end: float) -> Diagnosis | None:
    bench = answer.bench
    if not _valued(answer):
        return None
    text = as_if(bench, answer.outcomes, answer.failing, end)
    return Diagnosis("symptom", f"It is as if {text}.") if text else None


def _altered_part(answer: Answer, end: float) -> Diagnosis | None:
    if not _valued(answer):
        return None
    parts = [part for part in answer.parts if part.name]
    for part in parts:
        gradient = part.subject.startswith("The gradient")
        if part.telling and not gradient and (text := as_if_part(answer.bench, part, end)):
            return Diagnosis("symptom", f"{part.subject} is as if {text}.")
    return None


def _mutant(answer: Answer, end: float) -> Diagnosis | None:
    """The mutant of the solution that makes the same of every case."""
    if not _valued(answer, 2):
        return None
    return _first_alike(answer, mutants_of(answer.bench.exercise.reference), end)


def _cut(answer: Answer, end: float) -> Diagnosis | None:
    """Where the history was lost, if gradients arrive, and not the right ones."""
    faults = [fault for i in answer.failing for fault in answer.faults[i]]
    if any(f.kind not in ("gradient", "history") for f in faults) or not any(
        f.part for f in faults
    ):
        return None
    return _first_alike(answer, cuts_of(answer.bench.exercise.reference), end)


def _first_alike(answer: Answer, mutants: Sequence[Mutant], end: float) -> Diagnosis | None:
    for mutant in mutants:
        if time.thread_time() > end:
            return None
        if _same_everywhere(answer, mutant.function):
            return Diagnosis("mutant", f"It is as if {mutant.text}.")
    return None


def _same_everywhere(answer: Answer, function: Callable[..., Any]) -> bool:
    failing = answer.failing
    order = [*failing, *(i for i in range(len(answer.outcomes)) if i not in failing)]
    exact = answer.bench.exercise.solution.exact
    agreeing = 0
    for i in order:
        theirs, right = answer.bench.outcome(function, i), answer.bench.trials[i].right
        if _alike(answer.outcomes[i], theirs, right, exact):
            agreeing += i in failing and theirs.run.error is None
        elif i not in failing or _kinds(theirs.value) == _kinds(right.value):
            return False
    return agreeing >= 2


def _kinds(value: Any) -> dict[str, tuple[type, Any]]:
    """The kinds and shapes of a result's parts: where a mutant's differ, it says nothing."""
    parts = parts_of(value).items()
    return {name: (type(part), getattr(part, "shape", None)) for name, part in parts}


def _ignored(answer: Answer, end: float) -> Diagnosis | None:
    if not _valued(answer):
        return None
    values = any(fault.kind == "value" for i in answer.failing for fault in answer.faults[i])
    valued = [i for i in answer.failing if answer.outcomes[i].run.error is None]
    chosen = valued[:MOST_CASES_FOR_ALTERED_ARGUMENTS]
    if not values:
        return None
    name = ignored_argument(answer.bench, answer.function, answer.outcomes, chosen)
    return Diagnosis("symptom", f"Your result does not depend on `{name}`.") if name else None


def pattern_of(answer: Answer) -> str:
    """One sentence: in how many cases it is right, in which parts, and what failing ones share."""
    failing, total = answer.failing, len(answer.faults)
    first = _what_is_right(answer)
    count = f"right in {total - len(failing)} of {total} cases"
    if len(failing) == total:
        count = f"wrong in all {total} cases"
    raising = sum(answer.outcomes[i].run.error is not None for i in failing)
    if 0 < raising < len(failing):
        count += f", an exception in {raising}"
    sentence = f"{first}: {count}" if first else count[:1].upper() + count[1:]
    traits = [trial.traits for trial in answer.bench.trials]
    trait = telling_trait(traits, sorted(failing))
    name = answer.bench.trials[failing[0]].case.name
    if trait:
        return f"{sentence}; wrong where {trait}."
    if name and len(failing) == 1:
        return f"{sentence}; wrong in one: {name}."
    if trait := common_trait(traits, failing):
        return f"{sentence}; in every one that is wrong {trait}."
    return f"{sentence}."


def _what_is_right(answer: Answer) -> str:
    """Words on parts that are right everywhere beside others that are not."""
    faults = [fault for i in answer.failing for fault in answer.faults[i]]
    kinds = {fault.kind for fault in faults}
    if kinds <= {"gradient", "history"}:
        leaves = list(dict.fromkeys(f.part.split("[")[0] for f in faults if f.part))
        which = f" of {_listed(leaves)}" if leaves else ""
        gradient = "gradients" if len(leaves) > 1 else "gradient"
        verb = "are" if len(leaves) > 1 else "is"
        return f"Your values are right, the {gradient}{which} {verb} not"
    names = _part_names(answer)
    wrong = {fault.part for fault in faults}
    if kinds != {"value"} or len(names) < 2 or not wrong <= set(names) or wrong == set(names):
        return ""
    return ", ".join(f"for `{name}` {'✗' if name in wrong else '✓'}" for name in names)


def _part_names(answer: Answer) -> list[str]:
    exercise, expected = answer.bench.exercise, answer.bench.trials[0].right.value
    if isinstance(expected, Mapping):
        return list(expected)
    return list(exercise.solution.parts or getattr(expected, "_fields", ()))


def _listed(names: Sequence[str]) -> str:
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last}" if first else last


def other_names(answer: Answer, shown: int) -> tuple[str, ...]:
    """Names of the failing cases that have one, apart from the one that is shown."""
    names = (answer.bench.trials[i].case.name for i in answer.failing if i != shown)
    return tuple(dict.fromkeys(name for name in names if name))
