"""A hidden state over time, real steps and pads, with the gradient of every step below it."""

from __future__ import annotations

import drawsvg as dw
from torch import Tensor

from course_utils.colours import BLUE, GREEN, VERMILLION
from course_utils.pictures.base import Picture, new_drawing, text, to_picture
from course_utils.pictures.heat import heat_cell
from course_utils.sequences import Lengths, check_lengths

_LEFT, _TOP, _CURVE, _SCALE, _GAP = 96, 34, 46, 20, 14


def draw_masking(
    states: Tensor, goals: Tensor, errors: Tensor, sizes: Tensor, lengths: Lengths, *, title: str
) -> Picture:
    """One unit of the hidden state over time, and what each step's gradient weighs.

    Args:
        states: the unit's value after every step, ``(B, T)``, from -1 to 1.
        goals: its value after each sequence's last real step when it runs alone, ``(B,)``.
        errors: how far each final state is from the one alone, over all units, ``(B,)``.
        sizes: size of the gradient at every step, ``(B, T)``.
        lengths: real steps of each row, ``(B,)``, at least 1.
        title: a line above the picture.

    Raises:
        ValueError: shapes that do not fit.
    """
    rows, steps = states.shape
    lengths = check_lengths(lengths, steps, batch_size=rows, min_length=1).tolist()
    for name, tensor, shape in (
        ("goals", goals, (rows,)), ("errors", errors, (rows,)), ("sizes", sizes, (rows, steps))
    ):  # fmt: skip
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} are {tuple(tensor.shape)}, expected {shape}")
    column = min(34.0, 560 / steps)
    height = _CURVE + min(column, 22) + _GAP
    width = max(_LEFT + steps * column + 110, 560)
    drawing = new_drawing(width, _TOP + rows * height + 50)
    drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    largest = float(sizes.max()) or 1.0
    for row, length in enumerate(lengths):
        y = _TOP + row * height
        drawing.append(text(f"sequence {row}", _LEFT - 12, y + _CURVE / 2, anchor="end"))
        _add_curve(drawing, states[row].tolist(), float(goals[row]), length, y, column)
        for step in range(steps):
            share = float(sizes[row, step]) / largest
            cell = heat_cell(
                _LEFT + step * column, y + _CURVE, min(column, 22) - 2, share, step < length
            )
            drawing.append(cell)
        drawing.append(_verdict(float(errors[row]), _LEFT + steps * column + 10, y + _CURVE / 2))
    _add_legend(drawing, _TOP + rows * height + 4)
    return to_picture(drawing, _describe(title, errors, sizes, lengths))


def _verdict(error: float, x: float, y: float) -> dw.Text:
    words = "✓ as alone" if error < 1e-9 else f"✗ off by {error:.2f}"
    return text(words, x, y, anchor="start")


def _add_curve(
    drawing: dw.Drawing, values: list[float], goal: float, length: int, top: float, column: float
) -> None:
    """Real steps as a solid line with dots, pads as a dashed one with boxes, the goal as a bar."""
    middle = top + _CURVE / 2
    points = [
        (_LEFT + (step + 0.4) * column, middle - _SCALE * value)
        for step, value in enumerate(values)
    ]
    end, level = points[length - 1][0], middle - _SCALE * goal
    right = _LEFT + len(values) * column
    drawing.append(
        dw.Line(_LEFT, middle, right, middle, stroke="currentColor", stroke_opacity=0.25)
    )
    drawing.append(
        dw.Line(end, level, right, level, stroke=GREEN, stroke_width=5, stroke_opacity=0.75)
    )
    for part, colour, dashes in (
        (points[:length], BLUE, "none"),
        (points[length - 1 :], VERMILLION, "5 3"),
    ):
        line = dw.Lines(*[c for p in part for c in p], fill="none", stroke=colour,
                        stroke_width=2, stroke_dasharray=dashes)  # fmt: skip
        drawing.append(line)
    size = 2.5 if column > 12 else 1.2
    for step, (x, y) in enumerate(points):
        if step < length:
            drawing.append(dw.Circle(x, y, size, fill=BLUE))
        else:
            drawing.append(dw.Rectangle(x - size, y - size, 2 * size, 2 * size, fill=VERMILLION))


def _add_legend(drawing: dw.Drawing, y: float) -> None:
    drawing.append(dw.Line(4, y + 8, 28, y + 8, stroke=BLUE, stroke_width=2))
    drawing.append(dw.Circle(16, y + 8, 2.5, fill=BLUE))
    drawing.append(text("state, real step", 34, y + 8, anchor="start"))
    pads = dw.Line(
        164, y + 8, 188, y + 8, stroke=VERMILLION, stroke_width=2, stroke_dasharray="5 3"
    )
    drawing.append(pads)
    drawing.append(dw.Rectangle(173.5, y + 5.5, 5, 5, fill=VERMILLION))
    drawing.append(text("state, pad", 194, y + 8, anchor="start"))
    goal = dw.Line(294, y + 8, 318, y + 8, stroke=GREEN, stroke_width=5, stroke_opacity=0.75)
    drawing.append(goal)
    drawing.append(text("final state alone", 324, y + 8, anchor="start"))
    drawing.append(heat_cell(8, y + 22, 16, 1.0, True))
    drawing.append(text("gradient, real step", 34, y + 30, anchor="start"))
    drawing.append(heat_cell(168, y + 22, 16, 1.0, False))
    drawing.append(text("gradient, pad", 194, y + 30, anchor="start"))


def _describe(title: str, errors: Tensor, sizes: Tensor, lengths: list[int]) -> str:
    rows = "; ".join(
        f"sequence {row}, length {length}: "
        + ("final state as alone" if error < 1e-9 else f"final state off by {error:.2f}")
        for row, (length, error) in enumerate(zip(lengths, errors.tolist(), strict=True))
    )
    leaks = [sizes[row, length:] for row, length in enumerate(lengths)]
    pads = sum(part.numel() for part in leaks)
    leaking = sum(int((part != 0).sum()) for part in leaks)
    return f"{title}. {rows}. Gradient reaches {leaking} of {pads} pads."
