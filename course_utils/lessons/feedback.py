"""What learners read after a check, as HTML for notebooks and as text for terminals."""

from __future__ import annotations

from course_utils.html import Message, box, code_block, paragraph, sentence
from course_utils.lessons.checking import Verdict
from course_utils.lessons.compare import brief
from course_utils.lessons.entries import Exercise
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
    problem = sentence(verdict.problem)
    told = [verdict.diagnosis.explanation, problem] if verdict.diagnosis else [problem]
    told += _remarks(verdict)
    sections = _sections(exercise, verdict)
    after = f"Until it is right, later cells use a working version. {saved}"
    details = "".join(f"{paragraph(head)}{code_block(text)}" for head, text in sections)
    body = "".join(map(paragraph, told[1:])) + details + paragraph(after)
    text = "\n".join([*told, *(f"{head}\n{text}" for head, text in sections), after])
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
    """Inputs, expected and got of the smallest failing case, and what the function printed."""
    if verdict.case is None:
        return []
    found = [("Smallest case that fails, the inputs:", describe_call(exercise, verdict.case))]
    if verdict.outcome.run.error is None:
        found.append(("Expected:", brief(verdict.expected)))
        found.append(("Got:", brief(verdict.outcome.value)))
    if verdict.outcome.run.printed:
        found.append(("Your function printed:", verdict.outcome.run.printed))
    return found


def describe_call(exercise: Exercise, case: Case) -> str:
    """The inputs of a case, one a paragraph, under the names that the reference gives them."""
    code = exercise.reference.__code__
    names = code.co_varnames[: code.co_argcount]
    named = dict(zip(names, case.args, strict=False)) | case.kwargs
    lines = []
    for name, value in named.items():
        text = brief(value)
        lines.append(f"{name} =\n{text}" if "\n" in text else f"{name} = {text}")
    return "\n".join(lines)
