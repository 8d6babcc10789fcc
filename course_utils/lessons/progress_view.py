"""A picture of what a learner has done, with a way to download and to restore it."""

from __future__ import annotations

import base64

import ipywidgets as widgets

from course_utils.lessons import progress
from course_utils.lessons.controls import panel, text
from course_utils.lessons.entries import Exercise, Quiz
from course_utils.lessons.feedback import box, rich
from course_utils.lessons.topics import exercises, quizzes

_SIGNS = {"right": "●", "not yet": "◐", None: "○"}
_WORDS = {"right": "right", "not yet": "begun", None: "open"}


def progress_panel() -> widgets.VBox:
    """The table of notebooks, a link to download the file, and a button to restore one."""
    table, reply = text(), text()
    # FileUpload's button takes its name from its description.
    upload = widgets.FileUpload(
        description="Restore a downloaded file",
        accept=".json",
        layout=widgets.Layout(width="max-content"),
    )

    def draw() -> None:
        items = progress.load()
        table.value = _table(items) + _download_link(items)

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
    return panel(table, upload, reply)


def _download_link(items: progress.Items) -> str:
    content = base64.b64encode(progress.dump(items).encode()).decode()
    return (
        f'<a download="{progress.FILE_NAME}" style="text-decoration:underline;'
        f'color:var(--jp-content-link-color,#0072B2)" '
        f'href="data:application/json;base64,{content}">Download your progress</a>'
    )


def _table(items: progress.Items) -> str:
    numbers = sorted({e.notebook for e in [*exercises().values(), *quizzes().values()]})
    rows = "".join(_row(number, items) for number in numbers)
    head = "".join(
        f'<th scope="col" style="text-align:left;padding:2px 12px 2px 0">{name}</th>'
        for name in ("Notebook", "Exercises", "Quiz")
    )
    return (
        '<table style="line-height:1.6"><caption style="text-align:left"><b>Your progress</b>: '
        f"● right, ◐ begun, ○ open</caption><tr>{head}</tr>{rows}</table>"
    )


def _row(number: int, items: progress.Items) -> str:
    cells = [
        "<br>".join(_exercise(e, items) for e in exercises().values() if e.notebook == number),
        "<br>".join(_quiz(q, items) for q in quizzes().values() if q.notebook == number),
    ]
    style = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"
    data = "".join(f'<td style="{style}">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row" style="{style}">{number:02d}</th>{data}</tr>'


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
