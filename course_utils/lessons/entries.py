"""What an exercise, a quiz and a guess are made of.

Texts are plain; words in `backticks` are shown as code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from course_utils.lessons.solutions import Solution, solution_of
from course_utils.pitfalls.wrong import Wrong


@dataclass(frozen=True)
class Case:
    """Arguments to call a learner's function with.

    Tensors that require a gradient, and the parameters of modules, also have their gradients
    compared, unless ``gradients`` is False: where they are not determined, as in a tie.
    ``name`` says in plain words what is special: ``"a row without real steps"``.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    gradients: bool = True


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Args:
        key: topic and function name: ``"padding.pad_batch"``.
        number: the notebook's number and the exercise's: ``"3.1"``. The stub raises
            ``NotImplementedError`` with it.
        title, difficulty, minutes, task: what the card shows; difficulty is 1 to 3.
        cases: builds the cases when they are needed, always the same ones, the smallest first.
        wrong: wrong versions; no two of them agree on all cases.
        hints: shown one at a time, from vague to exact.
    """

    key: str
    number: str
    title: str
    difficulty: int
    minutes: int
    task: str
    cases: Callable[[], Sequence[Case]]
    wrong: Sequence[Wrong]
    hints: Sequence[str]

    @property
    def solution(self) -> Solution:
        """The solution that is shown, from the topics."""
        return solution_of(self.key)

    @property
    def reference(self) -> Callable[..., Any]:
        """The solution's function, by which answers are judged."""
        return self.solution.function

    @property
    def notebook(self) -> int:
        """The number of the notebook that the exercise stands in."""
        return int(self.number.split(".")[0])


@dataclass(frozen=True)
class Option:
    """One answer that can be chosen, and the reason why it is right or wrong."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with two or more options, exactly one of them right.

    ``notebook`` is the number of the notebook that teaches the answer.
    """

    text: str
    options: Sequence[Option]
    notebook: int


@dataclass(frozen=True)
class Quiz:
    """Questions at the end of a notebook; a placement quiz ends in advice where to start."""

    key: str
    notebook: int
    title: str
    questions: Sequence[Question]
    placement: bool = False


@dataclass(frozen=True)
class Guess:
    """A question asked before a cell is run.

    Give either ``options`` (one of them right), or ``unit`` to ask for a number in that unit;
    ``why`` is the answer in a sentence, shown after the cell has run.
    """

    key: str
    notebook: int
    text: str
    why: str
    options: Sequence[Option] = ()
    unit: str | None = None
