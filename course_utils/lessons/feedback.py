"""What learners read after a check, as HTML for notebooks and as text for terminals."""

from __future__ import annotations

from course_utils.html import Message, box, code_block, paragraph, rich, sentence
from course_utils.lessons.checking import Verdict
from course_utils.lessons.compare import brief
from course_utils.lessons.entries import Exercise
from course_utils.lessons.running import named_arguments
from course_utils.lessons.solutions import Case


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
        remarks = _remarks(verdict)
        body = "".join(map(paragraph, remarks))
        return Message(
            box("right", title, body, alert=True), "\n".join([f"Right. {title}", *remarks])
        )
    return _not_yet(exercise, verdict, saved)


def _not_yet(exercise: Exercise, verdict: Verdict, saved: str) -> Message:
    """Pattern, remark, the smallest case; what else there is, folded."""
    told = [verdict.pattern, verdict.remark, sentence(verdict.problem)]
    if verdict.kind == "changed":  # before its consequences
        told[1:] = reversed(told[1:])
    told = [*filter(None, told), *_remarks(verdict)]
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


def _remarks(verdict: Verdict) -> list[str]:
    """One sentence on what the function left changed, if anything."""
    if not verdict.traces:
        return []
    return [
        f"Your function also changes {' and '.join(verdict.traces)}, and leaves it so: that was "
        "set back, because the cells below would compute something else."
    ]


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
