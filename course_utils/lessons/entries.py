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
    """One exercise: what is read of it; what runs is found by its key, when it is asked for.

    Args:
        key: such as ``"padding.pad_batch"``; progress files hold it.
        number: the notebook's number and the exercise's: ``"3.1"``. The stub raises
            ``NotImplementedError`` with it.
        title, difficulty, minutes, task: what the card shows; difficulty is 1 to 3.
        hints: shown one at a time, from vague to exact.
        topic: the name of the file that it stands in; what runs is in the module of that name.
    """

    key: str
    number: str
    title: str
    difficulty: int
    minutes: int
    task: str
    hints: Sequence[str]
    topic: str = ""

    @property
    def solution(self) -> Solution:
        """The solution that is shown, from the topic's module."""
        return solution_of(self.key, self.topic)

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
    """Questions at the end of a notebook.

    A placement quiz ends in advice where to start; ``placement`` is what it advises who has
    everything right.
    """

    key: str
    notebook: int
    title: str
    questions: Sequence[Question]
    placement: str = ""


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


@dataclass(frozen=True)
class Term:
    """A word of the course, what it means, and the number of the notebook that teaches it."""

    name: str
    meaning: str
    notebook: int


@dataclass(frozen=True)
class PatientText:
    """What is read of a patient of the clinic.

    Args:
        name: under which it is admitted.
        symptom: as people report it.
        test: how to find out, in a few words.
        notebook: the number of the notebook that explains it.
    """

    name: str
    symptom: str
    test: str
    notebook: int


@dataclass(frozen=True)
class Saying:
    """A row of the field guide: what is asked or said, what to do, the notebook's number."""

    said: str
    advice: str
    notebook: int
