"""The card above an exercise: what to do, hints one at a time, the solution on demand.

The solution stands beside the learner's own code once that has been checked.
"""

from __future__ import annotations

import os
from typing import Any

import ipywidgets as widgets

from course_utils.html import box, code_block, paragraph, rich
from course_utils.lessons import progress
from course_utils.lessons.buttons import on_click, panel, small_button, text
from course_utils.lessons.entries import Exercise
from course_utils.lessons.solutions import plain_source

# A call into compiled code that does not return cannot be stopped from Python.
_IF_STUCK = (
    "<small>A check that takes longer than 10 seconds is stopped. If it is not, choose "
    "<i>Kernel</i>, <i>Interrupt Kernel</i> in the menu.</small>"
)

# What the learner wrote last, by the exercise's key.
_own_code: dict[str, str] = {}


def exercise_card(exercise: Exercise) -> widgets.VBox:
    """The card of an exercise, as a widget."""
    hint, hints = small_button(""), text()
    shown: list[str] = []

    def label_hint() -> None:
        left = len(exercise.hints) - len(shown)
        hint.description = (
            f"Hint {len(shown) + 1} of {len(exercise.hints)}" if left else "No more hints"
        )
        hint.disabled = not left

    def show_hint() -> None:
        shown.append(exercise.hints[len(shown)])
        entries = "".join(f"<li>{rich(sentence)}</li>" for sentence in shown)
        hints.value = f'<ol role="status" style="line-height:1.5;margin:4px 0">{entries}</ol>'
        label_hint()

    label_hint()
    on_click(hint, show_hint, hints)
    buttons, below = [hint], [hints]
    if not _solutions_hidden():
        solution, source = _solution(exercise)
        buttons, below = [hint, solution], [hints, source]
    head = text(f"{_head(exercise)}{paragraph(exercise.task)}{_state(exercise)}")
    return panel(head, widgets.HBox(buttons), *below, text(_IF_STUCK))


def _solution(exercise: Exercise) -> tuple[widgets.Button, widgets.HTML]:
    """The button that shows the solution and hides it again, and the place for it."""
    button, source = small_button("Show solution"), text()

    def toggle() -> None:
        hidden = not source.value
        source.value = solution_beside(exercise) if hidden else ""
        button.description = "Hide solution" if hidden else "Show solution"

    on_click(button, toggle, source)
    return button, source


def remember_code(exercise: Exercise, function: Any) -> None:
    """Keep a learner's code, to show it beside the solution; what has no source is not kept."""
    try:
        _own_code[exercise.key] = plain_source(function)
    except Exception:  # a class, a built-in function, a line typed elsewhere: anything may come
        _own_code.pop(exercise.key, None)


def solution_beside(exercise: Exercise) -> str:
    """The shown solution, with the learner's own code where it is known, as HTML.

    Both stand side by side where the width allows, else one below the other.
    """
    parts = [("The solution:", exercise.solution.source)]
    if exercise.key in _own_code:
        parts.insert(0, ("Your code:", _own_code[exercise.key]))
    columns = "".join(
        f'<div style="flex:1 1 22em;min-width:0">{paragraph(head)}{code_block(code)}</div>'
        for head, code in parts
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:0 12px">{columns}</div>'


def solution_offer(exercise: Exercise) -> str:
    """What unfolds under a verdict: the solution beside the learner's code; "" if withheld."""
    if _solutions_hidden():
        return ""
    label = "Your code and the solution" if exercise.key in _own_code else "The solution"
    return f"<details><summary>{label}</summary>{solution_beside(exercise)}</details>"


def _solutions_hidden() -> bool:
    return os.environ.get("COURSE_SOLUTIONS") == "hidden"


def _head(exercise: Exercise) -> str:
    dots = "●" * exercise.difficulty + "○" * (3 - exercise.difficulty)
    return (
        f"<b>Exercise {exercise.number} · {rich(exercise.title)}</b> "
        f'<span role="img" aria-label="difficulty {exercise.difficulty} of 3">{dots}</span> '
        f"<span>about {exercise.minutes} minutes</span>"
    )


def _state(exercise: Exercise) -> str:
    status = progress.load().get(f"exercise:{exercise.key}", {}).get("status")
    if status == "right":
        return box("right", "You have solved this exercise.")
    return box("not yet", "You have begun this exercise.") if status else ""
