"""What is wrong with one case's outcome, in sentences, and in which part of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from course_utils.lessons.compare import difference, same
from course_utils.lessons.entries import Exercise
from course_utils.lessons.evidence import Pair, Part, parts_of, subject_of
from course_utils.lessons.guard import TimeUp
from course_utils.lessons.running import Outcome, arrived
from course_utils.lessons.trials import Trial

Kind = Literal["changed", "raises", "value", "history", "gradient"]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: its kind, the part of the result or the gradient, a sentence."""

    kind: Kind
    part: str
    text: str


def faults_of(
    exercise: Exercise, function: Callable[..., Any], trial: Trial, outcome: Outcome
) -> list[Fault]:
    """All that is wrong in one case, the causes before their consequences."""
    changed = [key for key in outcome.changed if key not in trial.right.changed]
    found = [_change_of(trial, key) for key in changed]
    if outcome.run.error is not None:
        return [*found, Fault("raises", "", describe_error(function, outcome.run.error))]
    values = list(_value_faults(exercise, outcome.value, trial.right.value))
    if values or found:  # gradients of what was changed say nothing
        return found + values
    return list(_gradient_faults(exercise, trial, outcome))


def _change_of(trial: Trial, key: int | str) -> Fault:
    name = list(trial.arguments)[key] if isinstance(key, int) else key
    value = trial.arguments[name]
    text = f"your function changes its inputs: `{name}`"
    if isinstance(value, Tensor):
        text += f"; work on a copy, such as `{name}.clone()`"
    elif isinstance(value, list):
        text += f"; work on a copy, such as `list({name})`, and change no entry in place"
    return Fault("changed", name, text)


def _value_faults(exercise: Exercise, got: Any, expected: Any) -> Iterator[Fault]:
    """A fault for each wrong part, or one for the whole where the parts do not fit."""
    whole = _difference(got, expected, "your result", exercise.solution.exact)
    if whole is None:
        return
    if isinstance(expected, Mapping) and isinstance(got, Mapping) and set(got) == set(expected):
        for name, right in expected.items():
            if found := _difference(got[name], right, f"your `{name}`", exercise.solution.exact):
                yield Fault("value", name, found)
        return
    names = exercise.solution.parts or getattr(expected, "_fields", ())
    lists = isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple))
    if lists and names and len(got) == len(expected):
        for name, mine, right in zip(names, got, expected, strict=False):
            if found := _difference(mine, right, f"your `{name}`", exercise.solution.exact):
                yield Fault("value", name, found)
        return
    yield Fault("value", "", whole + _one_part_alone(got, expected, names))


def _one_part_alone(got: Any, expected: Any, names: Sequence[str]) -> str:
    """Which of several expected parts came alone, in words; nothing where none did."""
    if not isinstance(expected, (list, tuple)) or isinstance(got, (list, tuple)):
        return ""
    for i, part in enumerate(expected):
        if isinstance(part, Tensor) and same(got, part):
            name = f"`{names[i]}`" if i < len(names) else f"entry [{i}]"
            return f": it is {name} alone, one of {len(expected)}"
    return ""


def _gradient_faults(exercise: Exercise, trial: Trial, outcome: Outcome) -> Iterator[Fault]:
    right = trial.right
    if right.gradients is None:
        return
    if outcome.gradients is None:
        pairs = zip(trial.leaves, right.gradients, strict=True)
        needed = [gradient for leaf, gradient in pairs if wanted(exercise, leaf)]
        if arrived(needed) or (needed and "history" in exercise.solution.exact):
            text = "no gradient flows through your result: its history is lost"
            yield Fault("history", "", text)
        return
    for i, leaf in enumerate(trial.leaves):
        if not wanted(exercise, leaf):
            continue
        name = f"the gradient of `{leaf}`"
        if "history" in exercise.solution.exact and right.reached[i] and not outcome.reached[i]:
            yield Fault("history", leaf, f"{name} is missing: your result does not depend on it")
        elif found := _difference(outcome.gradients[i], right.gradients[i], name):
            yield Fault("gradient", leaf, found)


def wanted(exercise: Exercise, leaf: str) -> bool:
    """Whether a tensor's gradient is compared."""
    argument = leaf.split("[")[0].split(".")[0]
    return exercise.solution.gradients is True or (
        exercise.solution.gradients is not False and argument in exercise.solution.gradients
    )


def _difference(got: Any, expected: Any, name: str, exact: Any = ()) -> str | None:
    """As :func:`difference`, for values that may misbehave when they are compared."""
    try:
        return difference(got, expected, name, exact)
    except Exception as error:
        return f"{name} could not be compared with the expected one ({type(error).__name__})"


def describe_error(
    function: Callable[..., Any], error: BaseException, seconds: float = 10.0
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


def evidence_of(exercise: Exercise, trials: list[Trial], outcomes: list[Outcome]) -> list[Part]:
    """The parts of all results, failing cases first; gradients only where values are right.

    Cases that raised are left out, and so are parts that not every case has.
    """
    valued = [(t, o) for t, o in zip(trials, outcomes, strict=True) if o.run.error is None]
    found: dict[str, list[Pair]] = {}
    for trial, outcome in valued:
        mine = parts_of(outcome.value, exercise.solution.parts)
        for name, right in parts_of(trial.right.value, exercise.solution.parts).items():
            found.setdefault(name, []).append(Pair(trial.arguments, mine.get(name), right))
    parts = [_part(subject_of(name), name, pairs) for name, pairs in found.items()]
    if any(part.failing for part in parts):
        return parts
    gradients: dict[str, list[Pair]] = {}
    for trial, outcome in valued:
        if outcome.gradients is None or trial.right.gradients is None or outcome.changed:
            continue
        pairs = zip(trial.leaves, outcome.gradients, trial.right.gradients, strict=True)
        for leaf, mine, right in pairs:
            if wanted(exercise, leaf):
                pair = Pair(trial.arguments, mine, right)
                gradients.setdefault(leaf, []).append(pair)
    return parts + [_part(f"The gradient of `{leaf}`", leaf, p) for leaf, p in gradients.items()]


def _part(subject: str, name: str, pairs: list[Pair]) -> Part:
    return Part(subject, sorted(pairs, key=lambda pair: pair.right), name)
