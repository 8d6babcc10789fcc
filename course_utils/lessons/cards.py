"""The card above an exercise: what to do, hints one at a time, the solution on demand."""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from course_utils.html import box, code_block, paragraph, rich
from course_utils.lessons import progress
from course_utils.lessons.buttons import on_click, panel, small_button, text
from course_utils.lessons.entries import Exercise

# A call into compiled code that does not return cannot be stopped from Python.
_IF_STUCK = (
    "<small>A check that takes longer than 10 seconds is stopped. If it is not, choose "
    "<i>Kernel</i>, <i>Interrupt Kernel</i> in the menu.</small>"
)


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
    if os.environ.get("COURSE_SOLUTIONS") != "hidden":
        solution, source = _solution(exercise)
        buttons, below = [hint, solution], [hints, source]
    head = text(f"{_head(exercise)}{paragraph(exercise.task)}{_state(exercise)}")
    return panel(head, widgets.HBox(buttons), *below, text(_IF_STUCK))


def _solution(exercise: Exercise) -> tuple[widgets.Button, widgets.HTML]:
    """The button that shows the solution and hides it again, and the place for it."""
    button, source = small_button("Show solution"), text()

    def toggle() -> None:
        hidden = not source.value
        source.value = code_block(solution_source(exercise)) if hidden else ""
        button.description = "Hide solution" if hidden else "Show solution"

    on_click(button, toggle, source)
    return button, source


def solution_source(exercise: Exercise) -> str:
    """The source of the reference, without its docstring."""
    return plain_source(exercise.reference)


def plain_source(function: Callable[..., Any]) -> str:
    """The source of a function from its ``def`` on, without decorators and docstring."""
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    lines = source.splitlines()
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines[definition.lineno - 1 :])


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
