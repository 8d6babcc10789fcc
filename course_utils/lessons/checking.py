"""Judge a learner's function by the cases of its exercise; no pictures, no files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Literal

from course_utils.lessons.diagnosis import Answer, diagnose, other_names, pattern_of
from course_utils.lessons.entries import Exercise
from course_utils.lessons.faults import Fault, describe_error, faults_of
from course_utils.lessons.running import Outcome, run_case
from course_utils.lessons.solutions import Case, Wrong
from course_utils.lessons.trials import bench_of

Status = Literal["right", "not yet", "not attempted"]
SECONDS = 10.0
PATIENCE = 0.8  # seconds for the search of a diagnosis


@dataclass(frozen=True)
class Verdict:
    """What is told to the learner.

    ``pattern`` says which cases and parts fail, ``remark`` what the code does or where it shows;
    ``problem`` is one sentence on the case that is shown, and ``kind`` its kind: ``"changed"``
    inputs, ``"raises"``, ``"value"``, ``"history"``, ``"gradient"``. ``source`` says where the
    remark comes from, and ``diagnosis`` is the wrong version, if it comes from one.
    ``got`` and ``expected`` are what the problem is about: results, or gradients of ``about``.
    ``also`` holds the names of other cases that fail.
    ``traces`` has words for what the function changed for all that follows, which was set back.
    """

    status: Status
    problem: str = ""
    kind: str = ""
    pattern: str = ""
    remark: str = ""
    source: str = ""
    diagnosis: Wrong | None = None
    case: Case | None = None
    about: str = ""
    expected: Any = None
    got: Any = None
    also: tuple[str, ...] = ()
    outcome: Outcome | None = None
    traces: tuple[str, ...] = ()


def judge(
    exercise: Exercise, function: Any, seconds: float = SECONDS, patience: float = PATIENCE
) -> Verdict:
    """Run a function on all cases of an exercise and compare it with the reference.

    Args:
        exercise: with cases by hand, and random ones if it makes some.
        function: what the learner wrote.
        seconds: how long its own runs may take, together.
        patience: how long to look for what went wrong, in seconds.
    """
    outcomes: list[Outcome] = []
    verdict = _judge(exercise, function, seconds, patience, outcomes)
    traces = dict.fromkeys(words for outcome in outcomes for words in outcome.run.traces)
    return replace(verdict, traces=tuple(traces))


def _judge(
    exercise: Exercise, function: Any, seconds: float, patience: float, outcomes: list[Outcome]
) -> Verdict:
    """The verdict without traces; ``outcomes`` gets what the function made of each case."""
    if getattr(function, "course_reference", None) == exercise.key:
        return Verdict("not attempted")
    if not callable(function):
        kind = type(function).__name__
        return Verdict("not yet", f"a function is checked, and this is of type {kind}")
    bench = bench_of(exercise)
    end = time.monotonic() + seconds
    for trial in bench.trials:
        outcome = run_case(function, trial.case, end - time.monotonic())
        outcomes.append(outcome)
        if _is_stub(exercise, outcome.run.error):
            return Verdict("not attempted")
        if outcome.run.stopped:
            problem = describe_error(function, outcome.run.error, seconds)
            return Verdict("not yet", problem, case=trial.case, outcome=outcome)
    pairs = zip(bench.trials, outcomes, strict=True)
    faults = [faults_of(exercise, function, trial, outcome) for trial, outcome in pairs]
    answer = Answer(bench, function, outcomes, faults)
    return _verdict(answer, patience) if answer.failing else Verdict("right")


def _verdict(answer: Answer, patience: float) -> Verdict:
    """What is said of an answer that is wrong in one case or more."""
    found = diagnose(answer, patience)
    i = _shown_case(answer, found is not None)
    trial, outcome, fault = answer.bench.trials[i], answer.outcomes[i], answer.faults[i][0]
    about, got, expected = _shown(answer, i, fault)
    return Verdict(
        "not yet",
        problem=fault.text,
        kind=fault.kind,
        pattern=pattern_of(answer),
        remark=found.text if found else "",
        source=found.kind if found else "",
        diagnosis=found.wrong if found else None,
        case=trial.case,
        about=about,
        expected=expected,
        got=got,
        also=other_names(answer, i),
        outcome=outcome,
    )


def _shown_case(answer: Answer, told: bool) -> int:
    """The smallest failing case; of those with a changed input, or an exception, if they tell more.

    A changed input comes before its consequences, and an exception before a number that differs
    in a way that has no name.
    """
    changing = [i for i in answer.failing if answer.faults[i][0].kind == "changed"]
    raising = [i for i in answer.failing if answer.faults[i][0].kind == "raises"]
    return (changing or ([] if told else raising) or answer.failing)[0]


def _shown(answer: Answer, i: int, fault: Fault) -> tuple[str, Any, Any]:
    """What a fault is about, as it came and as it is expected: gradients, or the result."""
    trial, outcome = answer.bench.trials[i], answer.outcomes[i]
    if fault.kind == "gradient":
        place = trial.leaves.index(fault.part)
        about = f"the gradient of `{fault.part}`"
        return about, outcome.gradients[place], trial.right.gradients[place]
    if fault.kind == "value" and isinstance(trial.right.value, Mapping) and fault.part:
        return f"`{fault.part}`", outcome.value[fault.part], trial.right.value[fault.part]
    return "", outcome.value, trial.right.value


def hand_out(exercise: Exercise) -> Callable[..., Any]:
    """The reference, marked so that checking it does not count as an attempt."""

    @wraps(exercise.reference)
    def reference(*args: Any, **kwargs: Any) -> Any:
        return exercise.reference(*args, **kwargs)

    reference.course_reference = exercise.key
    return reference


def _is_stub(exercise: Exercise, error: BaseException | None) -> bool:
    return type(error) is NotImplementedError and error.args in ((), (exercise.number,))
