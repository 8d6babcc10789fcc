"""What learners read after a check, as HTML for notebooks and as text for terminals."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from course_utils.lessons.checking import Verdict
from course_utils.lessons.compare import brief
from course_utils.lessons.entries import Exercise
from course_utils.lessons.running import named_arguments
from course_utils.lessons.solutions import Case
from course_utils.pictures import BLUE, GREEN, VERMILLION

# kind -> (colour of the border, sign, word): the colour never stands alone
_KINDS = {
    "right": (GREEN, "✓", "Right"),
    "not yet": (VERMILLION, "✗", "Not yet"),
    "not attempted": (BLUE, "○", "Not attempted yet"),
    "note": (BLUE, "ℹ", "Note"),
}


@dataclass(frozen=True)
class Message:
    """Something shown in a cell's output: HTML in a notebook, text elsewhere."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def rich(text: str) -> str:
    """Escaped text in which `words in backticks` are code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def box(kind: str, title: str, body: str = "", *, alert: bool = False) -> str:
    """HTML of a message; ``body`` is HTML, ``alert`` has screen readers say it at once."""
    colour, sign, word = _KINDS[kind]
    role = ' role="alert"' if alert else ""
    return (
        f'<div{role} style="border-left:4px solid {colour};padding:4px 12px;margin:6px 0;'
        'max-width:46em;line-height:1.5;color:var(--jp-content-font-color1,inherit)">'
        f'<div><span aria-hidden="true">{sign} </span><b>{word}.</b> {rich(title)}</div>'
        f"{body}</div>"
    )


def note(text: str) -> Message:
    """A plain message that is about neither right nor wrong."""
    return Message(box("note", text), text)


def paragraph(text: str) -> str:
    """One paragraph of HTML from plain text."""
    return f'<p style="margin:4px 0;line-height:1.5">{rich(text)}</p>'


def code_block(text: str) -> str:
    """Preformatted HTML that wraps nothing and scrolls sideways, by the arrow keys, too."""
    return (
        '<pre tabindex="0" style="margin:2px 0 6px;padding:4px 8px;overflow-x:auto;white-space:pre;'
        "font-size:12px;border:1px solid var(--jp-border-color2,#888);background:transparent;"
        'color:inherit">'
        f"{html.escape(text)}</pre>"
    )


def verdict_message(exercise: Exercise, verdict: Verdict, saved: str) -> Message:
    """The verdict on an exercise; ``saved`` says what became of the progress."""
    if verdict.status == "not attempted":
        title = (
            f"Exercise {exercise.number}: write your code in place of the line that raises "
            "NotImplementedError, and run the cell again. Until then the name holds a working "
            "version."
        )
        return Message(box("not attempted", title), f"Not attempted yet. {title}")
    if verdict.status == "right":
        title = f"Well done: exercise {exercise.number} is right in every case. {saved}"
        return Message(box("right", title, alert=True), f"Right. {title}")
    return _not_yet(exercise, verdict, saved)


def _not_yet(exercise: Exercise, verdict: Verdict, saved: str) -> Message:
    """Pattern, remark, the smallest case; what else there is, folded."""
    told = [verdict.pattern, verdict.remark, _sentence(verdict.problem)]
    if verdict.kind == "changed":  # before its consequences
        told[1:] = reversed(told[1:])
    told = [sentence for sentence in told if sentence]
    sections, folded = _sections(exercise, verdict), _folded_sections(verdict)
    after = f"Until it is right, later cells use a working version. {saved}"
    blocks = [f"{paragraph(head)}{code_block(text)}" for head, text in sections]
    hidden = [
        f"<details><summary>{rich(head)}</summary>{code_block(text)}</details>"
        for head, text in folded
    ]
    body = "".join([*map(paragraph, told[1:]), *blocks, *hidden, paragraph(after)])
    text = "\n".join([*told, *(f"{head}\n{text}" for head, text in sections + folded), after])
    return Message(box("not yet", told[0], body, alert=True), f"Not yet. {text}")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(("?", "!", ".")) else f"{text}."


def _sections(exercise: Exercise, verdict: Verdict) -> list[tuple[str, str]]:
    """Inputs, expected and got of the smallest failing case."""
    if verdict.case is None:
        return []
    name = f" ({verdict.case.name})" if verdict.case.name else ""
    call = describe_call(exercise, verdict.case)
    found = [(f"Smallest case that fails{name}, the inputs:", call)]
    if verdict.outcome.run.error is None:
        about = f", {verdict.about}" if verdict.about else ""
        found.append((f"Expected{about}:", brief(verdict.expected)))
        found.append((f"Got{about}:", brief(verdict.got)))
    return found


def _folded_sections(verdict: Verdict) -> list[tuple[str, str]]:
    """Other cases that fail, and what the function printed in the one that is shown."""
    printed = verdict.outcome.run.printed if verdict.outcome else ""
    others = [("Other cases that fail:", "\n".join(verdict.also))] if verdict.also else []
    return others + ([("Your function printed:", printed)] if printed else [])


def describe_call(exercise: Exercise, case: Case) -> str:
    """The inputs of a case, one a paragraph, under the names that the reference gives them."""
    lines = []
    for name, value in named_arguments(exercise.reference, case).items():
        text = brief(value)
        lines.append(f"{name} =\n{text}" if "\n" in text else f"{name} = {text}")
    return "\n".join(lines)
