"""The report as HTML, with the leak over the grid of sequences and steps."""

from __future__ import annotations

import html

from course_utils.diagrams import draw_heat
from course_utils.padcheck.report import QUESTIONS, SIGNS, Report, Row
from course_utils.pictures import BLUE, GREEN, ORANGE, VERMILLION, Picture

_COLOURS = {
    "passed": GREEN,
    "failed": VERMILLION,
    "warning": ORANGE,
    "inconclusive": ORANGE,
    "not asked": BLUE,
}
# A bigger batch is drawn from its top left corner.
_MOST_ROWS, _MOST_STEPS = 16, 40


def leak_picture(report: Report) -> Picture | None:
    """Size of the result's gradient at every cell; None where it could not be had."""
    if report.leak is None:
        return None
    shown = report.leak[:_MOST_ROWS, :_MOST_STEPS]
    cut = "" if shown.shape == report.leak.shape else f" (the first {len(shown)} rows)"
    return draw_heat(
        shown,
        report.real[:_MOST_ROWS, :_MOST_STEPS],
        title=f"How strongly the result depends on every cell{cut}",
        names=[f"row {i}" for i in range(len(shown))],
    )


def report_html(report: Report) -> str:
    """Table of answers, likely cause, picture of the leak and remarks."""
    verdict = {True: "passed", False: "failed", None: "inconclusive"}[report.ok]
    parts = [
        '<div style="color:var(--jp-content-font-color1,#222);line-height:1.45">',
        f"<p>{_badge(verdict)} <strong>padcheck in {report.mode} mode:</strong> "
        f"{html.escape(report.headline)}</p>",
        '<table style="text-align:left"><thead><tr><th>question</th><th>verdict</th>'
        "<th>deviation</th><th>what it means</th></tr></thead><tbody>",
        *(_table_row(row) for row in report.rows),
        "</tbody></table>",
    ]
    if report.cause:
        parts.append(f"<p><strong>Likely cause:</strong> {html.escape(str(report.cause))}</p>")
    picture = leak_picture(report)
    if picture:
        parts.append(picture.html)
    if report.remarks:
        items = "".join(f"<li>{html.escape(remark)}</li>" for remark in report.remarks)
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
