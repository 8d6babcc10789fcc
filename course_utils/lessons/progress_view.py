"""A picture of what a learner has done, with a way to download and to restore it."""

from __future__ import annotations

import ipywidgets as widgets

from course_utils.html import box, download_link, rich, table
from course_utils.lessons import progress
from course_utils.lessons.buttons import panel, text
from course_utils.lessons.entries import Exercise, Quiz
from course_utils.lessons.topics import exercises, quizzes

_SIGNS = {"right": "●", "not yet": "◐", None: "○"}
_WORDS = {"right": "right", "not yet": "begun", None: "open"}


def progress_panel() -> widgets.VBox:
    """The table of notebooks, a link to download the file, and a button to restore one."""
    shown, reply = text(), text()
    # FileUpload's button takes its name from its description.
    upload = widgets.FileUpload(
        description="Restore a downloaded file",
        accept=".json",
        layout=widgets.Layout(width="max-content"),
    )

    def draw() -> None:
        items = progress.load()
        shown.value = _table(items) + _download_link(items)

    def restore(change: dict) -> None:
        if not change["new"]:
            return
        try:
            said = progress.restore(bytes(change["new"][0]["content"]))
            draw()
        except Exception as error:
            said = f"The file could not be restored: {type(error).__name__}: {error}"
        reply.value = box("note", said, alert=True)
        upload.value = ()  # so that the same file can be chosen again

    upload.observe(restore, "value")
    draw()
    return panel(shown, upload, reply)


def _download_link(items: progress.Items) -> str:
    content = progress.dump(items)
    return download_link(
        "Download your progress", progress.FILE_NAME, content, media="application/json"
    )


def _table(items: progress.Items) -> str:
    numbers = sorted({e.notebook for e in [*exercises().values(), *quizzes().values()]})
    rows = [_row(number, items) for number in numbers]
    caption = "<b>Your progress</b>: ● right, ◐ begun, ○ open"
    return table(("Notebook", "Exercises", "Quiz"), rows, caption=caption)


def _row(number: int, items: progress.Items) -> list[str]:
    mine = [e for e in exercises().values() if e.notebook == number]
    asked = [q for q in quizzes().values() if q.notebook == number]
    return [
        f"<b>{number:02d}</b>",
        "<br>".join(_exercise(e, items) for e in mine),
        "<br>".join(_quiz(q, items) for q in asked),
    ]


def _status(name: str, items: progress.Items) -> str | None:
    return items.get(name, {}).get("status")


def _exercise(exercise: Exercise, items: progress.Items) -> str:
    status = _status(f"exercise:{exercise.key}", items)
    sign = f'<span aria-hidden="true">{_SIGNS[status]}</span>'
    return f"{sign} {exercise.number} {rich(exercise.title)}: {_WORDS[status]}"


def _quiz(quiz: Quiz, items: progress.Items) -> str:
    names = [f"quiz:{quiz.key}/{number}" for number in range(1, len(quiz.questions) + 1)]
    states = [_status(name, items) for name in names]
    signs = "".join(_SIGNS[state] for state in states)
    right = states.count("right")
    return f'<span aria-hidden="true">{signs}</span> {right} of {len(states)} right'
