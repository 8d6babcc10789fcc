"""The report as HTML, with the leak over the grid of sequences and steps."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from course_utils.colours import BLUE, GREEN, ORANGE, VERMILLION
from course_utils.padcheck.answers import QUESTIONS, SIGNS, Cause, Row, Verdict

if TYPE_CHECKING:  # the check itself loads nothing that draws
    from course_utils.pictures import Picture

_COLOURS = {
    "passed": GREEN,
    "failed": VERMILLION,
    "warning": ORANGE,
    "inconclusive": ORANGE,
    "not asked": BLUE,
}
# A bigger batch is drawn from its top left corner.
_MOST_ROWS, _MOST_STEPS = 16, 40


def leak_picture(leak: Tensor, real: Tensor) -> Picture:
    """Size of the result's gradient at every cell ``(B, T)``; ``real`` is True at real steps."""
    shown = leak[:_MOST_ROWS, :_MOST_STEPS]
    cut = "" if shown.shape == leak.shape else f" (the first {len(shown)} rows)"
    from course_utils.pictures import draw_heat

    return draw_heat(
        shown,
        real[:_MOST_ROWS, :_MOST_STEPS],
        title=f"How strongly the result depends on every cell{cut}",
        names=[f"row {i}" for i in range(len(shown))],
    )


def report_html(
    title: str,
    verdict: Verdict,
    rows: Sequence[Row],
    cause: Cause | None,
    picture: Picture | None,
    remarks: Sequence[str],
) -> str:
    """Table of answers, likely cause, picture of the leak and remarks."""
    parts = [
        '<div style="color:var(--jp-content-font-color1,#222);line-height:1.45">',
        f"<p>{_badge(verdict)} <strong>{html.escape(title)}</strong></p>",
        '<table style="text-align:left"><thead><tr><th>question</th><th>verdict</th>'
        "<th>deviation</th><th>what it means</th></tr></thead><tbody>",
        *(_table_row(row) for row in rows),
        "</tbody></table>",
    ]
    if cause:
        parts.append(f"<p><strong>Likely cause:</strong> {html.escape(str(cause))}</p>")
    if picture:
        parts.append(picture.html)
    if remarks:
        items = "".join(f"<li>{html.escape(remark)}</li>" for remark in remarks)
        parts.append(f"<ul>{items}</ul>")
    return "".join(parts) + "</div>"


def _badge(verdict: str) -> str:
    return (
        f'<span aria-hidden="true" style="border-left:5px solid {_COLOURS[verdict]};'
        f'padding-left:6px;font-weight:bold">{SIGNS[verdict]}</span>'
    )


def _table_row(row: Row) -> str:
    size = "" if row.deviation is None else f"{row.deviation:.1e}"
    left = ' style="text-align:left"'
    return (
        f"<tr><td{left}><strong>{row.question}</strong>: {QUESTIONS[row.question]}</td>"
        f"<td{left}>{_badge(row.verdict)} {row.verdict}</td><td>{size}</td>"
        f"<td{left}>{html.escape(row.meaning)}</td></tr>"
    )
