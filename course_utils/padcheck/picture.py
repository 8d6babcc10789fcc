"""The report as HTML, with the leak over the grid of sequences and steps."""

from __future__ import annotations

import html

import drawsvg as dw

from course_utils.diagrams import new_drawing, pad_cell, text, to_picture
from course_utils.padcheck.report import QUESTIONS, SIGNS, Report, Row
from course_utils.pictures import BLUE, GREEN, ON_FILL, ORANGE, SKY, VERMILLION, Picture

_COLOURS = {
    "passed": GREEN,
    "failed": VERMILLION,
    "warning": ORANGE,
    "inconclusive": ORANGE,
    "not asked": BLUE,
}
_CELL = 26
# A bigger batch is drawn from its top left corner.
_MOST_ROWS, _MOST_STEPS = 16, 40


def leak_picture(report: Report) -> Picture | None:
    """The gradient's size at every cell: real steps filled, pads dashed, leaks outlined.

    None where the gradient could not be had.
    """
    if report.leak is None:
        return None
    largest = report.leak.max().item() or 1.0
    tolerance = report["leak"].tolerance or 0.0
    leaking = ~report.real & (report.leak > tolerance * largest)
    rows, steps = (min(n, most) for n, most in zip(report.real.shape, (_MOST_ROWS, _MOST_STEPS)))  # noqa: B905
    drawing = new_drawing(70 + steps * _CELL, 50 + rows * _CELL)
    for step in range(0, steps, 5 if steps > 12 else 1):
        drawing.append(text(str(step), 66 + (step + 0.5) * _CELL, 10, size=11))
    for row in range(rows):
        drawing.append(text(f"row {row}", 58, 20 + (row + 0.5) * _CELL, size=12, anchor="end"))
        for step in range(steps):
            share = report.leak[row, step].item() / largest
            place = (66 + step * _CELL + 1, 20 + row * _CELL + 1, _CELL - 2, _CELL - 2)
            real, leaks = bool(report.real[row, step]), bool(leaking[row, step])
            drawing.append(_cell(place, share, real, leaks))
    _legend(drawing, 34 + rows * _CELL)
    return to_picture(drawing, _describe(report, leaking.sum().item(), (rows, steps)))


def _cell(place: tuple[float, ...], share: float, real: bool, leaks: bool) -> dw.Group:
    x, y, width, height = place
    group = dw.Group()
    if real:
        group.append(
            dw.Rectangle(*place, rx=2, fill=SKY, fill_opacity=0.08 + 0.92 * share**0.5,
                         stroke="currentColor", stroke_width=0.8)
        )  # fmt: skip
    else:
        group.append(pad_cell(*place))
    if leaks:
        group.append(
            dw.Rectangle(*place, rx=2, fill=VERMILLION, fill_opacity=0.25 + 0.75 * share**0.5,
                         stroke=VERMILLION, stroke_width=2)
        )  # fmt: skip
        group.append(text("×", x + width / 2, y + height / 2, size=17, fill=ON_FILL))
    return group


def _legend(drawing: dw.Drawing, y: float) -> None:
    for x, real, leaks, name in (
        (4, True, False, "real"),
        (64, False, False, "pad"),
        (118, False, True, "leak"),
    ):
        drawing.append(_cell((x, y - 7, 14, 14), 0.8, real, leaks))
        drawing.append(text(name, x + 19, y, size=12, anchor="start"))


def _describe(report: Report, leaks: int, shown: tuple[int, int]) -> str:
    rows, steps = report.real.shape
    pads = int((~report.real).sum())
    alt = (
        f"Size of the result's gradient at every cell of {rows} sequences and {steps} steps: "
        f"it reaches {leaks} of {pads} pads"
    )
    if leaks:
        ratio = report.leak[~report.real].max() / report.leak[report.real].max()
        alt += f", at most {ratio:.2g} times as large as at the strongest real step"
    return alt + ("." if shown == (rows, steps) else f"; the first {shown[0]} x {shown[1]} shown.")


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
        parts.append("<p>How strongly the result depends on every cell:</p>" + picture.html)
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
