"""What a reader of a recurrent layer reads, and which steps reach it."""

from __future__ import annotations

from collections.abc import Sequence

import drawsvg as dw
from torch import Tensor

from course_utils.colours import BLUE, ORANGE, VERMILLION
from course_utils.pictures.base import Picture, new_drawing, percent, text, to_picture
from course_utils.pictures.heat import heat_cell
from course_utils.sequences import Lengths, check_lengths, lengths_to_mask

_NAMES = ("forward half", "backward half")
_TITLE, _HEADER, _NOTE = 26, 26, 130


def draw_reading(
    shares: Tensor, lengths: Lengths, read: Sequence[Sequence[int]], *, title: str = ""
) -> Picture:
    """The step that each row's vector is read from, and where its gradient goes.

    One grid for each direction. A square's area is the step's share of its row's gradient; an
    orange frame marks the step that is read. Rows without any gradient stay empty.

    Args:
        shares: ``(directions, B, T)``, not negative; each row sums to 1, or to 0.
        lengths: real steps of each row, ``(B,)``.
        read: for each direction the step read in each row.
        title: a line above the grids.

    Raises:
        ValueError: lengths or steps that do not fit the shares.
    """
    directions, rows, steps = shares.shape
    lengths = check_lengths(lengths, steps, batch_size=rows).cpu()
    if [len(row) for row in read] != [rows] * directions:
        raise ValueError(
            f"read has {[len(row) for row in read]} steps, expected {rows} a direction"
        )
    real = lengths_to_mask(lengths, steps)
    shares = shares.detach().cpu().double()
    cell, left = min(32.0, 560 / steps), 114
    height = _HEADER + rows * cell + 14
    width = max(left + steps * cell + _NOTE, 9 * len(title), 480)
    drawing = new_drawing(width, _TITLE + directions * height + 26)
    drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    for half in range(directions):
        top = _TITLE + half * height + _HEADER
        if directions > 1:
            drawing.append(text(_NAMES[half], left - 10, top - 10, anchor="end", weight="bold"))
        _add_grid(drawing, shares[half], real, read[half], left, top, cell)
    _add_legend(drawing, _TITLE + directions * height)
    return to_picture(drawing, _describe(shares, lengths, read, real, title))


def _add_grid(
    drawing: dw.Drawing,
    shares: Tensor,
    real: Tensor,
    read: Sequence[int],
    left: float,
    top: float,
    cell: float,
) -> None:
    rows, steps = shares.shape
    for step in range(0, steps, 1 if cell > 20 else 5):
        drawing.append(text(str(step), left + (step + 0.5) * cell, top - 10, size=12))
    for row in range(rows):
        y = top + row * cell
        drawing.append(text(f"sequence {row}", left - 10, y + cell / 2, anchor="end"))
        for step in range(steps):
            share = float(shares[row, step])
            drawing.append(heat_cell(left + step * cell, y, cell - 3, share, bool(real[row, step])))
        drawing.append(_frame(left + read[row] * cell, y, cell - 3))
        note = _on_pads(shares[row], real[row])
        drawing.append(text(note, left + steps * cell + 8, y + cell / 2, anchor="start"))


def _frame(x: float, y: float, side: float) -> dw.Rectangle:
    return dw.Rectangle(
        x - 1, y - 1, side + 2, side + 2, rx=3, fill="none", stroke=ORANGE, stroke_width=3.5
    )


def _on_pads(shares: Tensor, real: Tensor) -> str:
    if not shares.any():
        return "no gradient"
    return f"{percent(float(shares[~real].sum()))} on pads"


def _add_legend(drawing: dw.Drawing, y: float) -> None:
    for x, colour, name in ((4, BLUE, "gradient at a real step"), (200, VERMILLION, "at a pad")):
        drawing.append(heat_cell(x, y, 16, 1.0, colour == BLUE))
        drawing.append(text(name, x + 22, y + 8, anchor="start"))
    drawing.append(_frame(310, y + 1, 14))
    drawing.append(text("step that is read", 332, y + 8, anchor="start"))


def _describe(
    shares: Tensor, lengths: Tensor, read: Sequence[Sequence[int]], real: Tensor, title: str
) -> str:
    parts = [f"{title}." if title else "", f"Lengths {', '.join(map(str, lengths.tolist()))}."]
    for half in range(len(shares)):
        name = f"{_NAMES[half]}, " if len(shares) > 1 else ""
        parts += [
            f"Sequence {row}, {name}reads step {read[half][row]}, "
            f"{_on_pads(shares[half, row], real[row])}."
            for row in range(len(lengths))
        ]
    return " ".join(part for part in parts if part)
