"""A padded batch, the same rows sorted, and the packed data, side by side."""

from __future__ import annotations

import drawsvg as dw
from torch import Tensor

from course_utils.checks import check_some_lengths
from course_utils.colours import ON_FILL, VERMILLION
from course_utils.pictures.base import Picture, new_drawing, pad_cell, real_cell, text, to_picture
from course_utils.sequences import Lengths, lengths_to_mask

_LETTERS = "ABCDEFGHIJKL"
_ROW, _LEFT, _DATA, _TALLEST = 24, 34, 58, 24


def draw_packing(lengths: Lengths, step: int | None = None) -> Picture:
    """How a padded batch becomes packed data: sort, then go step by step without the pads.

    Sequences are called A, B, C and so on, in the order of the batch; ``C4`` is step 4 of
    sequence C. Data that come after ``step`` are still empty.

    Args:
        lengths: real steps of each sequence, ``(B,)``, at least 1; at most 12 sequences.
        step: the time step that is being packed; all of them if not given.

    Raises:
        ValueError: too many sequences, lengths below 1, or a step outside the batch.
    """
    lengths = check_some_lengths(lengths, min_length=1)
    steps = int(lengths.max())
    if len(lengths) > len(_LETTERS):
        raise ValueError(f"got {len(lengths)} sequences, at most {len(_LETTERS)} have a letter")
    if step is not None and not 0 <= step < steps:
        raise ValueError(f"step is {step}, expected 0 to {steps - 1}")
    order = lengths.argsort(descending=True, stable=True)
    batch_sizes = lengths_to_mask(lengths).sum(0).tolist()
    cell = min(34.0, 420 / steps)
    block = 44 + _ROW * len(lengths)
    right = max(_LEFT + steps * cell + 50, 330)
    tall = max(_TALLEST, -(-int(lengths.sum()) // 8))
    columns = -(-int(lengths.sum()) // tall)
    height = max(2 * block + 96, 52 + 18 * min(tall, int(lengths.sum())))
    drawing = new_drawing(right + columns * _DATA + 60, height)
    _add_grid(drawing, "padded batch", lengths, range(len(lengths)), 0, cell, step)
    _add_grid(drawing, "sorted, longest first", lengths, order.tolist(), block, cell, step)
    _add_sizes(drawing, batch_sizes, 2 * block + 8, cell, step)
    indices = f"sorted_indices {order.tolist()}"
    drawing.append(text(indices, 4, 2 * block + 48, anchor="start"))
    back = f"unsorted_indices {order.argsort().tolist()}"
    drawing.append(text(back, 4, 2 * block + 68, anchor="start"))
    _add_data(drawing, order.tolist(), batch_sizes, right, tall, step)
    return to_picture(drawing, _describe(lengths, order.tolist(), batch_sizes, step))


def _frame(x: float, y: float, width: float, height: float) -> dw.Rectangle:
    return dw.Rectangle(x, y, width, height, rx=4, fill="none", stroke=VERMILLION, stroke_width=3)


def _add_grid(
    drawing: dw.Drawing, title: str, lengths: Tensor, rows: range | list[int], y: float,
    cell: float, step: int | None,
) -> None:  # fmt: skip
    drawing.append(text(title, 4, y + 12, anchor="start", weight="bold"))
    steps = int(lengths.max())
    for place, row in enumerate(rows):
        top = y + 26 + place * _ROW
        drawing.append(text(_LETTERS[row], _LEFT - 14, top + _ROW / 2 - 2))
        for t in range(steps):
            box = (_LEFT + t * cell, top, cell - 3, _ROW - 4)
            drawing.append((real_cell if t < lengths[row] else pad_cell)(*box))
            if t < lengths[row] and cell > 24:
                middle = (box[0] + box[2] / 2, top + _ROW / 2 - 2)
                drawing.append(text(f"{_LETTERS[row]}{t}", *middle, size=11, fill=ON_FILL))
    if step is not None:
        box = (_LEFT + step * cell - 3, y + 22, cell + 3, _ROW * len(lengths) + 4)
        drawing.append(_frame(*box))


def _add_sizes(
    drawing: dw.Drawing, batch_sizes: list[int], y: float, cell: float, step: int | None
) -> None:
    """The number of rows that are left at each step, below its column."""
    every = 1 if cell > 14 else 5
    for t in range(0, len(batch_sizes), every):
        weight = "bold" if t == step else "normal"
        x = _LEFT + (t + 0.5) * cell - 1
        drawing.append(text(str(batch_sizes[t]), x, y, weight=weight))
    drawing.append(text("batch_sizes: rows left at each step", 4, y + 20, anchor="start"))


def _add_data(
    drawing: dw.Drawing, order: list[int], batch_sizes: list[int], left: float, tall: int,
    step: int | None,
) -> None:  # fmt: skip
    drawing.append(text("packed data", left, 12, anchor="start", weight="bold"))
    place = 0
    for t, size in enumerate(batch_sizes):
        for row in order[:size]:
            x, y = left + (place // tall) * _DATA, 26 + 18 * (place % tall)
            if step is None or t <= step:
                drawing.append(real_cell(x, y, 40, 15))
                drawing.append(text(f"{_LETTERS[row]}{t}", x + 20, y + 8, size=11, fill=ON_FILL))
                if t == step:
                    drawing.append(_frame(x - 1, y - 1, 42, 17))
            else:
                empty = dw.Rectangle(x, y, 40, 15, rx=2, fill="none", stroke="currentColor",
                                     stroke_opacity=0.3)  # fmt: skip
                drawing.append(empty)
            place += 1


def _describe(lengths: Tensor, order: list[int], batch_sizes: list[int], step: int | None) -> str:
    names = [_LETTERS[row] for row in order]
    parts = [
        f"Sequences {', '.join(_LETTERS[: len(lengths)])} of lengths "
        f"{', '.join(map(str, lengths.tolist()))}. Longest first: {', '.join(names)}.",
        f"batch_sizes {', '.join(map(str, batch_sizes))}; {sum(batch_sizes)} rows of packed data.",
    ]
    if step is not None:
        here = ", ".join(f"{name}{step}" for name in names[: batch_sizes[step]])
        parts.append(f"At step {step} the data get {here}; then {sum(batch_sizes[: step + 1])} "
                     "rows are filled.")  # fmt: skip
    return " ".join(parts)
