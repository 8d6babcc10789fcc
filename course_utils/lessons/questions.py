"""Quizzes at the end of a notebook, and guesses before a cell is run."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from course_utils.html import Message, box, paragraph, rich
from course_utils.lessons import progress
from course_utils.lessons.buttons import mark, on_click, option_button, panel, small_button, text
from course_utils.lessons.entries import Guess, Option, Question, Quiz


def quiz_card(quiz: Quiz) -> widgets.VBox:
    """A quiz as a widget: every option answers at once, with its own reason."""
    summary = text()
    answers: dict[int, bool] = {}
    children = [text(f"<b>Quiz · {rich(quiz.title)}</b>{_earlier(quiz)}")]
    for number, question in enumerate(quiz.questions):

        def answered(right: bool, number: int = number) -> None:
            answers.setdefault(number, right)  # the first answer counts
            if len(answers) == len(quiz.questions):
                summary.value = box("note", _advice(quiz, answers), alert=True)

        children += _question(quiz, number, question, answered)
    return panel(*children, summary)


def _earlier(quiz: Quiz) -> str:
    items = progress.load()
    names = [f"quiz:{quiz.key}/{number}" for number in range(1, len(quiz.questions) + 1)]
    right = sum(items.get(name, {}).get("status") == "right" for name in names)
    if not any(name in items for name in names):
        return ""
    return paragraph(f"So far you have answered {right} of {len(names)} questions right.")


def _question(quiz: Quiz, number: int, question: Question, answered: Any) -> list[widgets.Widget]:
    reason = text()
    title = f"<b>{number + 1}.</b> {rich(question.text)}"
    rows: list[widgets.Widget] = [
        text(f'<div style="line-height:1.5;margin-top:8px">{title}</div>')
    ]
    for option in question.options:
        button = option_button(option.text)

        def choose(option: Option = option, button: widgets.Button = button) -> None:
            mark(button, option.right)
            status = "right" if option.right else "not yet"
            progress.record("quiz", f"{quiz.key}/{number + 1}", status, answer=option.text)
            reason.value = box(status, _reason(quiz, question, option), alert=True)
            answered(option.right)

        on_click(button, choose, reason)
        rows.append(button)
    return [*rows, reason]


def _reason(quiz: Quiz, question: Question, option: Option) -> str:
    elsewhere = not option.right and question.notebook != quiz.notebook and not quiz.placement
    return f"{option.why} See notebook {question.notebook:02d}." if elsewhere else option.why


def _advice(quiz: Quiz, answers: dict[int, bool]) -> str:
    """What all first answers together say."""
    right = sum(answers.values())
    score = f"{right} of {len(answers)} right at the first try."
    missed = [quiz.questions[number].notebook for number, ok in answers.items() if not ok]
    if not quiz.placement:
        return score
    if not missed:
        return f"{score} {quiz.placement}"
    return f"{score} Start with notebook {min(missed):02d}."


def guess_card(guess: Guess) -> widgets.VBox:
    """A question to answer before a cell is run; the answer is kept, not judged."""
    reply = text(_remembered(guess))

    def keep(answer: str) -> None:
        progress.record("guess", guess.key, "done", answer=answer)
        reply.value = f'<div role="status">{_remembered(guess)}</div>'

    head = text(f"<b>Your guess first</b>{paragraph(guess.text)}")
    if guess.unit is not None:
        return panel(head, _number_row(guess, keep, reply), reply)
    buttons = [option_button(option.text) for option in guess.options]
    for button, option in zip(buttons, guess.options, strict=True):
        on_click(button, lambda answer=option.text: keep(answer), reply)
    return panel(head, *buttons, reply)


def _number_row(guess: Guess, keep: Any, reply: widgets.HTML) -> widgets.HBox:
    label = f"Your guess, in {guess.unit}:"
    number = widgets.FloatText(description=label, style={"description_width": "initial"})
    button = small_button("Guess")
    on_click(button, lambda: keep(f"{number.value:g}"), reply)
    return widgets.HBox([number, button])


def _answer(guess: Guess) -> str | None:
    return progress.load().get(f"guess:{guess.key}", {}).get("answer")


def _remembered(guess: Guess) -> str:
    answer = _answer(guess)
    unit = f" {guess.unit}" if guess.unit else ""
    return paragraph(f"You guess: {answer}{unit}. Now run the next cell.") if answer else ""


def guess_answer(guess: Guess, found: Any) -> Message:
    """What the run showed beside what was guessed; ``found`` is True or the cell's result."""
    answer = _answer(guess)
    unit = f" {guess.unit}" if guess.unit else ""
    chosen = next((option for option in guess.options if option.text == answer), None)
    parts = [f"You guessed: {answer}{unit}." if answer else "You made no guess this time."]
    if chosen and not chosen.right:
        parts.append(chosen.why)
    if found is not True:
        shown = f"{found:.3g}" if isinstance(found, float) else str(found)
        parts.append(f"The run says: {shown}{unit}.")
    right = next((option for option in guess.options if option.right), None)
    if right:
        parts.append("That is right." if chosen is right else f"The answer: {right.text}.")
    kind = "right" if chosen is right and right else "note"
    title, body = " ".join(parts), guess.why
    return Message(box(kind, title, paragraph(body)), f"{title}\n{body}")
