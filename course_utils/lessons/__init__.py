"""Exercises, quizzes, guesses, progress and the glossary: what notebooks call.

Every function here shows something in the notebook and returns nothing, except :func:`check`,
which returns a working function, and :func:`collect_progress`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from IPython.display import display

from course_utils.html import Message
from course_utils.lessons import progress
from course_utils.lessons.cards import exercise_card, remember_code, solution_offer
from course_utils.lessons.checking import Verdict, hand_out, judge
from course_utils.lessons.feedback import verdict_message
from course_utils.lessons.progress import collect_progress
from course_utils.lessons.progress_view import progress_panel
from course_utils.lessons.questions import guess_answer, guess_card, quiz_card
from course_utils.lessons.terms import glossary_message
from course_utils.lessons.topics import find, find_exercise, guesses, quizzes
from course_utils.lessons.traces import leaving_no_traces

__all__ = [
    "WrongAnswer",
    "check",
    "collect_progress",
    "exercise",
    "glossary",
    "guess",
    "quiz",
    "show_progress",
]


class WrongAnswer(AssertionError):
    """A wrong answer under ``COURSE_STRICT=1``."""


def exercise(key: str) -> None:
    """Show an exercise's card: what to do, hints one at a time, the solution on demand."""
    display(exercise_card(find_exercise(key)))


def check(key: str) -> Callable[[Any], Callable[..., Any]]:
    """Decorator that judges a learner's function the moment its cell runs.

    The function stays in place if it is right; otherwise its name gets a working version, so
    that the notebook runs on. With ``COURSE_STRICT=1`` a wrong answer raises
    :class:`WrongAnswer`; an exercise that nobody has begun does not.
    """
    entry = find_exercise(key)

    def decorate(function: Any) -> Callable[..., Any]:
        try:
            verdict = judge(entry, function)
        except Exception as error:  # a fault of the course must not stop the learner
            verdict = Verdict("not yet", f"the check itself failed ({error!r}); please report it")
        saved, offer = "", ""
        if verdict.status != "not attempted":
            saved = progress.record("exercise", key, verdict.status)
            remember_code(entry, function)
            offer = solution_offer(entry)
        message = verdict_message(entry, verdict, saved)
        display(Message(message.html + offer, message.text))
        if verdict.status == "not yet" and os.environ.get("COURSE_STRICT") == "1":
            raise WrongAnswer(message.text)
        if verdict.status != "right":
            return hand_out(entry)
        return leaving_no_traces(function) if verdict.traces else function

    return decorate


def quiz(key: str) -> None:
    """Show a quiz; every option answers at once with a reason."""
    display(quiz_card(find(quizzes(), key, "quiz")))


def guess(key: str, *, reveal: Any = None) -> None:
    """Ask for a guess before a cell is run; with ``reveal``, come back to it afterwards.

    Args:
        key: which guess.
        reveal: what the cell found, to be shown beside the guess, or True to show the answer
            alone.
    """
    entry = find(guesses(), key, "guess")
    display(guess_card(entry) if reveal is None else guess_answer(entry, reveal))


def show_progress() -> None:
    """Show what has been done, with a link to download it and a button to restore it."""
    display(progress_panel())


def glossary(*terms: str) -> None:
    """Show what these terms mean; without arguments, all terms."""
    display(glossary_message(terms))
