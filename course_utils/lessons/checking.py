"""Judge a learner's function by the cases of its exercise; no pictures, no files."""

from __future__ import annotations

import copy
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Literal

import torch
from torch import Tensor, nn

from course_utils.lessons.compare import difference
from course_utils.lessons.entries import Exercise
from course_utils.lessons.guard import Run, TimeUp, run_guarded
from course_utils.lessons.solutions import Case, Wrong

Status = Literal["right", "not yet", "not attempted"]
SECONDS = 10.0
_CHANGED = "your function changes its inputs: work on a copy, such as `x.clone()`"


@dataclass(frozen=True)
class Outcome:
    """What a function made of one case: a value and gradients, or the exception that it raised."""

    value: Any
    gradients: list[Tensor] | None
    changed_inputs: bool
    run: Run


@dataclass(frozen=True)
class Verdict:
    """What is told to the learner.

    ``problem`` is one sentence on the smallest failing case, ``diagnosis`` the wrong version
    that gives the same answers, if there is one, and ``traces`` has words for what the function
    changed for all that follows, which was set back.
    """

    status: Status
    problem: str = ""
    diagnosis: Wrong | None = None
    case: Case | None = None
    expected: Any = None
    outcome: Outcome | None = None
    traces: tuple[str, ...] = ()


def judge(exercise: Exercise, function: Any, seconds: float = SECONDS) -> Verdict:
    """Run a function on all cases of an exercise and compare it with the reference."""
    outcomes: list[Outcome] = []
    verdict = _judge(exercise, function, seconds, outcomes)
    traces = dict.fromkeys(words for outcome in outcomes for words in outcome.run.traces)
    return replace(verdict, traces=tuple(traces))


def _judge(exercise: Exercise, function: Any, seconds: float, outcomes: list[Outcome]) -> Verdict:
    """The verdict without traces; ``outcomes`` gets what the function made of each case."""
    if getattr(function, "course_reference", None) == exercise.key:
        return Verdict("not attempted")
    if not callable(function):
        kind = type(function).__name__
        return Verdict("not yet", f"a function is checked, and this is of type {kind}")
    cases = list(exercise.cases())
    expected = [_expected(exercise, case) for case in cases]
    end = time.monotonic() + seconds
    for case in cases:
        outcomes.append(run_case(function, case, end - time.monotonic()))
        if _is_stub(exercise, outcomes[-1].run.error):
            return Verdict("not attempted")
        if outcomes[-1].run.stopped:
            problem = _describe_error(function, outcomes[-1].run.error, seconds)
            return Verdict("not yet", problem, case=case, outcome=outcomes[-1])
    for case, outcome, right in zip(cases, outcomes, expected, strict=True):
        if problem := _problem(function, outcome, right):
            diagnosis = diagnose(exercise, cases, outcomes, expected)
            return Verdict("not yet", problem, diagnosis, case, right.value, outcome)
    return Verdict("right")


def _expected(exercise: Exercise, case: Case) -> Outcome:
    outcome = run_case(exercise.reference, case)
    if outcome.run.error is not None:
        raise outcome.run.error
    return outcome


def hand_out(exercise: Exercise) -> Callable[..., Any]:
    """The reference, marked so that checking it does not count as an attempt."""

    @wraps(exercise.reference)
    def reference(*args: Any, **kwargs: Any) -> Any:
        return exercise.reference(*args, **kwargs)

    reference.course_reference = exercise.key
    return reference


def run_case(function: Callable[..., Any], case: Case, seconds: float = 3600) -> Outcome:
    """Call a function with its own copy of a case's inputs, and take gradients where asked."""
    args, kwargs = _copied(case.args), _copied(case.kwargs)
    before = _copied((args, kwargs))
    start = time.monotonic()
    run = run_guarded(lambda: function(*args, **kwargs), seconds)
    leaves = list(_leaves((args, kwargs)))
    gradients = None
    if run.error is None and leaves:
        left = seconds - (time.monotonic() - start)
        backward = run_guarded(lambda: _gradients(run.value, leaves), left)
        gradients = backward.value
        printed, traces = run.printed + backward.printed, run.traces + backward.traces
        run = Run(run.value, backward.error, printed, traces)
    return Outcome(_snapshot(run.value), gradients, _changed((args, kwargs), before), run)


def diagnose(
    exercise: Exercise, cases: list[Case], outcomes: list[Outcome], expected: list[Outcome]
) -> Wrong | None:
    """The wrong version with the learner's answers wherever it differs from the reference.

    Where several fit, the one that differs in most cases explains most.
    """
    counts = [_cases_explained(wrong, cases, outcomes, expected) for wrong in exercise.wrong]
    most = max(counts, default=0)
    return exercise.wrong[counts.index(most)] if most else None


def _cases_explained(
    wrong: Wrong, cases: list[Case], outcomes: list[Outcome], expected: list[Outcome]
) -> int:
    """In how many cases a wrong version errs as the learner does; 0 if it errs otherwise once."""
    count = 0
    for case, mine, right in zip(cases, outcomes, expected, strict=True):
        theirs = run_case(wrong.function, case)
        if same_outcome(theirs, right):
            continue
        if not same_outcome(mine, theirs):
            return 0
        count += 1
    return count


def same_outcome(one: Outcome, other: Outcome) -> bool:
    """Whether two functions made the same of a case, in value, gradients and side effects."""
    if one.run.error is not None or other.run.error is not None:
        return type(one.run.error) is type(other.run.error)
    return (
        _difference(one.value, other.value) is None
        and _difference(one.gradients, other.gradients) is None
        and one.changed_inputs == other.changed_inputs
    )


def _difference(got: Any, expected: Any, name: str = "your result") -> str | None:
    """As :func:`difference`, for values that may misbehave when they are compared."""
    try:
        return difference(got, expected, name)
    except Exception as error:
        return f"{name} could not be compared with the expected one ({type(error).__name__})"


def _problem(function: Callable[..., Any], outcome: Outcome, right: Outcome) -> str | None:
    changed = outcome.changed_inputs and not right.changed_inputs
    if outcome.run.error is not None:
        # With a value but an error, the backward pass failed: it may miss what was overwritten.
        if changed and outcome.value is not None:
            return _CHANGED
        return _describe_error(function, outcome.run.error)
    if found := _difference(outcome.value, right.value):
        return found
    if outcome.gradients is None and right.gradients is not None:
        return "no gradient flows through your result: was it rebuilt from plain numbers?"
    pairs = zip(outcome.gradients or (), right.gradients or (), strict=False)
    for i, (mine, wanted) in enumerate(pairs):
        if found := _difference(mine, wanted, f"the gradient of input tensor {i}"):
            return found
    return _CHANGED if changed else None


def _is_stub(exercise: Exercise, error: BaseException | None) -> bool:
    return type(error) is NotImplementedError and error.args in ((), (exercise.number,))


def _describe_error(
    function: Callable[..., Any], error: BaseException, seconds: float = SECONDS
) -> str:
    """One sentence on an exception, with the line of the learner's code that raised it."""
    line = _learners_line(function, error)
    if isinstance(error, TimeUp):
        return f"your function was stopped after {seconds:g} seconds{line}: does a loop never end?"
    if isinstance(error, KeyboardInterrupt):
        return f"you interrupted your function{line}"
    if isinstance(error, SystemExit):
        return f"your function ends the program (exit){line}: return a result instead"
    try:
        text = str(error)
    except Exception:
        text = ""
    text = text if len(text) <= 300 else f"{text[:300]} ..."
    return f"your function raises {type(error).__name__}{f': {text}' if text else ''}{line}"


def _learners_line(function: Callable[..., Any], error: BaseException) -> str:
    """Where the exception passed the learner's file, such as `` (line 3: `x = y`)``."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if code is not None and f.filename == code.co_filename]
    if not mine:
        return ""
    text = f": `{mine[-1].line}`" if mine[-1].line else ""
    return f" (line {mine[-1].lineno}{text})"


def _copied(value: Any) -> Any:
    """A copy in which tensors and modules are new ones; gradients are wanted as before."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) in (list, tuple):
        return type(value)(_copied(entry) for entry in value)
    if type(value) is dict:
        return {key: _copied(entry) for key, entry in value.items()}
    return copy.deepcopy(value)


def _snapshot(value: Any) -> Any:
    """The value as it is now, safe from what later calls do to it."""
    try:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(_snapshot(entry) for entry in value))
        if type(value) in (list, tuple):
            return type(value)(_snapshot(entry) for entry in value)
        if type(value) is dict:
            return {key: _snapshot(entry) for key, entry in value.items()}
        return value.detach().clone() if isinstance(value, Tensor) else value
    except Exception:
        return value


def _walk(value: Any) -> Iterator[Any]:
    """All tensors and modules in nested lists, tuples and dictionaries."""
    if isinstance(value, (Tensor, nn.Module)):
        yield value
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _walk(entry)
    elif isinstance(value, dict):
        yield from _walk(list(value.values()))


def _leaves(value: Any) -> Iterator[Tensor]:
    for found in _walk(value):
        for tensor in [found] if isinstance(found, Tensor) else found.parameters():
            if tensor.requires_grad:
                yield tensor


def _gradients(value: Any, leaves: list[Tensor]) -> list[Tensor] | None:
    """Gradients of a random combination of the results, or None where no result has a history."""
    results = [t for t in _walk(value) if isinstance(t, Tensor) and t.requires_grad]
    if not results:
        return None
    generator = torch.Generator("cpu").manual_seed(0)
    total = sum(
        (t * torch.randn(t.shape, generator=generator, device="cpu").to(t)).sum() for t in results
    )
    found = torch.autograd.grad(total, leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if gradient is None else gradient
        for leaf, gradient in zip(leaves, found, strict=True)
    ]


def _changed(inputs: Any, before: Any) -> bool:
    """Whether the inputs differ from their copies."""
    try:
        return difference(_plain(inputs), _plain(before)) is not None
    except Exception:
        return True


def _plain(value: Any) -> Any:
    """What can be compared of an input: modules as their parameters, other objects not at all."""
    if isinstance(value, nn.Module):
        return dict(value.state_dict())
    if type(value) in (list, tuple):
        return [_plain(entry) for entry in value]
    if type(value) is dict:
        return {key: _plain(entry) for key, entry in value.items()}
    return value if isinstance(value, (Tensor, int, float, str)) else None
