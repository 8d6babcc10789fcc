"""The grid of a padded batch, and several batches side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import drawsvg as dw
from torch import Tensor

from course_utils.checks import check_some_lengths
from course_utils.colours import GREEN, ON_FILL, PURPLE, VERMILLION
from course_utils.pictures.base import (
    Picture,
    new_drawing,
    pad_cell,
    percent,
    real_cell,
    text,
    to_picture,
)
from course_utils.sequences import Lengths, Side, padding_waste

# Each kind of mark has a colour and a line of its own.
_MARKS = ((VERMILLION, "6 3"), (GREEN, "none"), (PURPLE, "2 2"))
_TITLE, _ROW, _GAP = 24, 30, 4


def real_columns(length: int, steps: int, padding_side: Side) -> range:
    """The columns of a row of ``steps`` cells that hold its real steps."""
    return range(length) if padding_side == "right" else range(steps - length, steps)


def describe_batch(lengths: Tensor, steps: int, padding_side: Side) -> str:
    """One sentence about a padded batch: its size, its lengths and its padding."""
    pads = len(lengths) * steps - int(lengths.sum())
    return (
        f"A padded batch of {len(lengths)} sequences and {steps} steps, padded on the "
        f"{padding_side}. Lengths {', '.join(map(str, lengths.tolist()))}; {pads} of "
        f"{len(lengths) * steps} cells are padding ({percent(padding_waste(lengths, steps))})."
    )


def _legend(drawing: dw.Drawing, x: float, y: float, marks: Sequence[str]) -> None:
    drawing.append(real_cell(x, y, 16, 16))
    drawing.append(text("real step", x + 22, y + 8, anchor="start"))
    drawing.append(pad_cell(x + 100, y, 16, 16))
    drawing.append(text("padding", x + 122, y + 8, anchor="start"))
    x += 195
    for name, (colour, dashes) in zip(marks, _MARKS, strict=False):
        drawing.append(_outline(x, y, 16, 16, colour, dashes))
        drawing.append(text(name, x + 22, y + 8, anchor="start"))
        x += 40 + 7.2 * len(name)


def _outline(x: float, y: float, width: float, height: float, colour: str, dashes: str):
    return dw.Rectangle(
        x, y, width, height, rx=3, fill="none", stroke=colour, stroke_width=3.5,
        stroke_dasharray=dashes,
    )  # fmt: skip


def draw_batch(
    lengths: Lengths,
    max_length: int | None = None,
    *,
    padding_side: Side = "right",
    values: Tensor | None = None,
    names: Sequence[str] | None = None,
    marks: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    title: str = "",
) -> Picture:
    """The grid of a padded batch: a row for each sequence, a column for each time step.

    Args:
        lengths: real steps of each sequence, ``(B,)``.
        max_length: the padded length ``T``; the longest length if not given.
        padding_side: where the pads are.
        values: numbers ``(B, T)`` to write into the cells.
        names: a name for each row.
        marks: up to three kinds of outlined cells: what the outline means -> its
            ``(row, step)`` pairs.
        title: a line above the grid.

    Raises:
        ValueError: lengths, values, names or marks that do not fit the grid.
    """
    lengths = check_some_lengths(lengths, max_length)
    steps = int(lengths.max()) if max_length is None else max_length
    rows, marks = len(lengths), dict(marks or {})
    names = [f"sequence {i}" for i in range(rows)] if names is None else list(names)
    _check_grid(rows, steps, values, names, marks)
    width = 52 if values is not None else 38
    left, top = 16 + 7.5 * max(map(len, names), default=0), 26 + (_TITLE if title else 0)
    legend_width = 200 + sum(40 + 7.2 * len(name) for name in marks)
    widest = max(left + steps * width + 16, legend_width, 9 * len(title))
    drawing = new_drawing(widest, top + rows * _ROW + 34)
    if title:
        drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    _add_header(drawing, steps, left, top, width)
    for row, length in enumerate(lengths.tolist()):
        y = top + row * _ROW
        drawing.append(text(names[row], left - 10, y + _ROW / 2, anchor="end"))
        real = real_columns(length, steps, padding_side)
        for step in range(steps):
            number = "" if values is None else f"{float(values[row, step]):.2f}"
            _add_cell(drawing, left + step * width, y, width, step in real, number)
    for inset, (cells, (colour, dashes)) in enumerate(zip(marks.values(), _MARKS, strict=False)):
        for row, step in cells:
            x, y = left + step * width + 4 * inset, top + row * _ROW + 4 * inset
            inner = (width - _GAP - 8 * inset, _ROW - _GAP - 8 * inset)
            drawing.append(_outline(x, y, *inner, colour, dashes))
    _legend(drawing, 4, top + rows * _ROW + 8, list(marks))
    return to_picture(drawing, _describe_marks(lengths, steps, padding_side, names, marks))


def _add_header(drawing: dw.Drawing, steps: int, left: float, top: float, width: float) -> None:
    for step in range(steps):
        drawing.append(text(str(step), left + (step + 0.5) * width, top - 10, size=12))
    drawing.append(text("step", left - 10, top - 10, size=12, anchor="end"))


def _add_cell(
    drawing: dw.Drawing, x: float, y: float, width: float, real: bool, number: str
) -> None:
    box = (x, y, width - _GAP, _ROW - _GAP)
    drawing.append((real_cell if real else pad_cell)(*box))
    if number:
        fill = ON_FILL if real else "currentColor"
        drawing.append(text(number, x + box[2] / 2, y + box[3] / 2, fill=fill))


def draw_readers(lengths: Lengths, max_length: int | None = None) -> Picture:
    """Where ``output[:, -1]`` looks in a padded batch, and where the last real steps are."""
    lengths = check_some_lengths(lengths, max_length, min_length=1)
    steps = int(lengths.max()) if max_length is None else max_length
    marks = {
        "output[:, -1]": [(row, steps - 1) for row in range(len(lengths))],
        "last real step": [(row, length - 1) for row, length in enumerate(lengths.tolist())],
    }
    return draw_batch(lengths, steps, marks=marks)


def _check_grid(rows: int, steps: int, values: Tensor | None, names: list, marks: dict) -> None:
    if values is not None and tuple(values.shape) != (rows, steps):
        raise ValueError(f"values have shape {tuple(values.shape)}, expected {(rows, steps)}")
    if len(names) != rows:
        raise ValueError(f"got {len(names)} names for {rows} rows")
    if len(marks) > len(_MARKS):
        raise ValueError(
            f"got {len(marks)} kinds of marks, at most {len(_MARKS)} can be told apart"
        )
    for cells in marks.values():
        for row, step in cells:
            if not (0 <= row < rows and 0 <= step < steps):
                raise ValueError(f"mark {(row, step)} lies outside the grid {(rows, steps)}")


def _describe_marks(
    lengths: Tensor, steps: int, padding_side: Side, names: list[str], marks: dict
) -> str:
    parts = [describe_batch(lengths, steps, padding_side)]
    for name, cells in marks.items():
        where = ", ".join(f"step {step} of {names[row]}" for row, step in cells)
        parts.append(f"Outlined as “{name}”: {where}.")
    return " ".join(parts)


def draw_batches(batches: Sequence[Lengths], *, padding_side: Side = "right") -> Picture:
    """Several batches, each a block of rows padded to its own longest sequence.

    Args:
        batches: the lengths of each batch, each ``(B_i,)``.
        padding_side: where the pads go.
    """
    batches = [check_some_lengths(batch, min_length=1) for batch in batches]
    longest = [int(batch.max()) for batch in batches]
    cell, gap, left = min(22, 640 / max(longest)), 26, 130
    cell_height = min(cell, 16)
    heights = [len(batch) * cell_height for batch in batches]
    drawing = new_drawing(left + cell * max(longest) + 8, sum(heights) + gap * len(batches) + 28)
    y = 4.0
    for number, (batch, steps, height) in enumerate(zip(batches, longest, heights, strict=True)):
        waste = percent(padding_waste(batch))
        drawing.append(text(f"batch {number}", 4, y + 10, anchor="start", weight="bold"))
        if height > 26:
            drawing.append(text(f"{waste} padding", 4, y + 27, anchor="start"))
        for row, length in enumerate(batch.tolist()):
            real = real_columns(length, steps, padding_side)
            for step in range(steps):
                box = (left + step * cell, y + row * cell_height, cell - 2, cell_height - 2)
                drawing.append((real_cell if step in real else pad_cell)(*box))
        y += height + gap
    _legend(drawing, 4, y - 4, ())
    return to_picture(drawing, _describe_batches(batches, padding_side))


def _describe_batches(batches: Sequence[Tensor], padding_side: Side) -> str:
    cells = sum(len(batch) * int(batch.max()) for batch in batches)
    real = sum(int(batch.sum()) for batch in batches)
    shares = ", ".join(percent(padding_waste(batch)) for batch in batches)
    return (
        f"{len(batches)} batches padded on the {padding_side}, {cells} cells in all, of which "
        f"{cells - real} are padding ({percent(1 - real / cells)}). Batch by batch: {shares}."
    )
