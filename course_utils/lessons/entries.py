"""What an exercise, a quiz and a guess are made of.

Texts are plain; words in `backticks` are shown as code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils.lessons.solutions import Case, Solution, Wrong, solution_of


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Args:
        key: topic and function name: ``"padding.pad_batch"``.
        number: the notebook's number and the exercise's: ``"3.1"``. The stub raises
            ``NotImplementedError`` with it.
        title, difficulty, minutes, task: what the card shows; difficulty is 1 to 3.
        hints: shown one at a time, from vague to exact.
    """

    key: str
    number: str
    title: str
    difficulty: int
    minutes: int
    task: str
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
    def wrong(self) -> Sequence[Wrong]:
        """The solution's wrong versions."""
        return self.solution.wrong_versions

    def cases(self) -> list[Case]:
        """The solution's cases, built anew."""
        return self.solution.all_cases()

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
