"""Diagrams of batches as SVG: the grid of real and padded cells, and batches side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import drawsvg as dw
from torch import Tensor

from course_utils.course import NOTEBOOKS, Notebook
from course_utils.pictures import (
    FONT,
    GREEN,
    ON_FILL,
    PURPLE,
    SKY,
    VERMILLION,
    Picture,
    percent,
)
from course_utils.sequences import Lengths, Side, check_lengths, padding_waste

# Each kind of mark has a colour and a line of its own.
_MARKS = ((VERMILLION, "6 3"), (GREEN, "none"), (PURPLE, "2 2"))
_TITLE = 24


def new_drawing(width: float, height: float) -> dw.Drawing:
    """An empty drawing that shrinks with a narrow page."""
    return dw.Drawing(width, height, style=f"max-width:100%;height:auto;font-family:{FONT}")


def to_picture(drawing: dw.Drawing, alt: str) -> Picture:
    """A drawing and its text alternative as a picture."""
    return Picture(drawing.as_svg(header=""), alt)


def text(
    content: str,
    x: float,
    y: float,
    *,
    size: float = 13,
    anchor: str = "middle",
    fill: str = "currentColor",
    **style,
) -> dw.Text:
    """A line of text, centred in height on ``y``, in the page's own colour."""
    return dw.Text(
        content, size, x, y, text_anchor=anchor, dominant_baseline="central", fill=fill, **style
    )


def real_cell(x: float, y: float, width: float, height: float) -> dw.Rectangle:
    """A filled box: a step that is in the data."""
    return dw.Rectangle(x, y, width, height, rx=2, fill=SKY, stroke=ON_FILL, stroke_width=0.7)


def pad_cell(x: float, y: float, width: float, height: float) -> dw.Group:
    """A dashed, crossed-out box: a step that only fills the rectangle."""
    group = dw.Group(stroke="currentColor", stroke_opacity=0.55)
    group.append(
        dw.Rectangle(
            x,
            y,
            width,
            height,
            rx=2,
            fill="currentColor",
            fill_opacity=0.07,
            stroke_dasharray="3 2",
        )
    )
    group.append(dw.Line(x + 2, y + height - 2, x + width - 2, y + 2, stroke_width=0.7))
    return group


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
    lengths = check_lengths(lengths, max_length)
    steps = int(lengths.max()) if max_length is None else max_length
    rows, marks = len(lengths), dict(marks or {})
    names = [f"sequence {i}" for i in range(rows)] if names is None else list(names)
    _check_grid(rows, steps, values, names, marks)
    width, height, gap = (52 if values is not None else 38), 30, 4
    left, top = 16 + 7.5 * max(map(len, names), default=0), 26 + (_TITLE if title else 0)
    legend_width = 200 + sum(40 + 7.2 * len(name) for name in marks)
    drawing = new_drawing(max(left + steps * width + 16, legend_width), top + rows * height + 34)
    if title:
        drawing.append(text(title, 4, 12, anchor="start", size=15, font_weight="bold"))
    for step in range(steps):
        drawing.append(text(str(step), left + (step + 0.5) * width, top - 10, size=12))
    drawing.append(text("step", left - 10, top - 10, size=12, anchor="end"))
    for row, length in enumerate(lengths.tolist()):
        y = top + row * height
        drawing.append(text(names[row], left - 10, y + height / 2, anchor="end"))
        real = real_columns(length, steps, padding_side)
        for step in range(steps):
            box = (left + step * width, y, width - gap, height - gap)
            drawing.append((real_cell if step in real else pad_cell)(*box))
            if values is not None:
                fill = ON_FILL if step in real else "currentColor"
                number = f"{float(values[row, step]):.2f}"
                drawing.append(text(number, box[0] + box[2] / 2, y + box[3] / 2, fill=fill))
    for inset, (cells, (colour, dashes)) in enumerate(zip(marks.values(), _MARKS, strict=False)):
        for row, step in cells:
            x, y = left + step * width + 4 * inset, top + row * height + 4 * inset
            inner = (width - gap - 8 * inset, height - gap - 8 * inset)
            drawing.append(_outline(x, y, *inner, colour, dashes))
    _legend(drawing, 4, top + rows * height + 8, list(marks))
    return to_picture(drawing, _describe_marks(lengths, steps, padding_side, names, marks))


def draw_readers(lengths: Lengths, max_length: int | None = None) -> Picture:
    """Where ``output[:, -1]`` looks in a padded batch, and where the last real steps are."""
    lengths = check_lengths(lengths, max_length, min_length=1)
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
    batches = [check_lengths(batch, min_length=1) for batch in batches]
    longest = [int(batch.max()) for batch in batches]
    cell, gap, left = min(22, 640 / max(longest)), 26, 130
    cell_height = min(cell, 16)
    heights = [len(batch) * cell_height for batch in batches]
    drawing = new_drawing(left + cell * max(longest) + 8, sum(heights) + gap * len(batches) + 28)
    y = 4.0
    for number, (batch, steps, height) in enumerate(zip(batches, longest, heights, strict=True)):
        waste = percent(padding_waste(batch))
        drawing.append(text(f"batch {number}", 4, y + 10, anchor="start", font_weight="bold"))
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


def _depths(notebooks: Sequence[Notebook]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for notebook in notebooks:
        depths[notebook.file] = 1 + max((depths[need] for need in notebook.needs), default=-1)
    return depths


def draw_map(notebooks: Sequence[Notebook] = NOTEBOOKS) -> Picture:
    """The notebooks and what each builds on, from top to bottom."""
    depths = _depths(notebooks)
    width, height, gap = 190, 38, 26
    levels = [
        [n for n in notebooks if depths[n.file] == d] for d in range(max(depths.values()) + 1)
    ]
    total = (width + gap) * max(map(len, levels))
    drawing = new_drawing(total, (height + gap) * len(levels))
    middle = {
        notebook.file: (total * (i + 0.5) / len(level), depth * (height + gap) + height / 2 + 1)
        for depth, level in enumerate(levels)
        for i, notebook in enumerate(level)
    }
    for notebook in notebooks:
        x, y = middle[notebook.file]
        for need in notebook.needs:
            above_x, above_y = middle[need]
            drawing.append(_arrow(above_x, above_y + height / 2, x, y - height / 2))
    for notebook in notebooks:
        x, y = middle[notebook.file]
        box = (x - width / 2, y - height / 2, width, height)
        drawing.append(dw.Rectangle(*box, rx=6, fill=SKY, stroke=ON_FILL))
        drawing.append(text(f"{notebook.number} · {notebook.title}", x, y, fill=ON_FILL))
    numbers = {n.file: str(n.number) for n in notebooks}
    builds = "; ".join(
        f"{n.number} {n.title}, builds on {' and '.join(numbers[need] for need in n.needs)}"
        for n in notebooks
        if n.needs
    )
    start = ", ".join(f"{n.number} {n.title}" for n in notebooks if not n.needs)
    return to_picture(drawing, f"Map of the course. First {start}. Then {builds}.")


def _arrow(x1: float, y1: float, x2: float, y2: float) -> dw.Group:
    """A line with a small head; the head needs no marker, so no id can collide on the page."""
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    group = dw.Group(stroke="currentColor", stroke_width=1.4, fill="currentColor")
    group.append(dw.Line(x1, y1, x2 - 6 * ux, y2 - 6 * uy))
    left, right = ((x2 - 8 * ux + side * 4 * uy, y2 - 8 * uy - side * 4 * ux) for side in (1, -1))
    group.append(dw.Lines(x2, y2, *left, *right, close=True))
    return group
