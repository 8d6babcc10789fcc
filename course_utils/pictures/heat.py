"""Numbers over the grid of a padded batch: which steps matter, and whether padding does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import drawsvg as dw
import torch
from torch import Tensor

from course_utils.colours import BLUE, VERMILLION
from course_utils.pictures.base import Picture, new_drawing, text, to_picture
from course_utils.sequences import Lengths, check_lengths, lengths_to_mask


def draw_heat(
    values: Tensor,
    real: Lengths | Tensor,
    *,
    title: str,
    quantity: str = "gradient",
    names: Sequence[str] | None = None,
) -> Picture:
    """Sizes ``|values|`` over the ``(B, T)`` grid, as squares that grow with the size.

    Real steps are blue and have a solid border; pads are vermillion and have a dashed one. A pad
    without any size stays empty, so that a leak of padding is seen at a glance.

    Args:
        values: ``(B, T)``, or ``(B, T, ...)``, whose norm over the last axes is taken.
        real: real steps of each row, ``(B,)``, or a boolean mask ``(B, T)``, True = real.
        title: a line above the grid.
        quantity: what the numbers are, for the legend and the text alternative.
        names: a name for each row.

    Raises:
        ValueError: lengths, a mask or names that do not fit the values.
    """
    sizes = values.detach().cpu().double().abs()
    if sizes.dim() > 2:
        sizes = sizes.flatten(2).norm(dim=2)
    rows, steps = sizes.shape
    mask = _to_mask(real, rows, steps)
    names = [f"sequence {i}" for i in range(rows)] if names is None else list(names)
    if len(names) != rows:
        raise ValueError(f"got {len(names)} names for {rows} rows")
    largest = float(sizes.nan_to_num(0.0, 0.0, 0.0).max()) or 1.0
    cell, left, top = min(34.0, 640 / steps), 16 + 7.5 * max(map(len, names)), 50
    widest = max(left + steps * cell + 16, 9 * len(title), 420)
    drawing = new_drawing(widest, top + rows * cell + 34)
    drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    for step in range(0, steps, 1 if cell > 20 else 5):
        drawing.append(text(str(step), left + (step + 0.5) * cell, top - 10, size=12))
    for row in range(rows):
        y = top + row * cell
        drawing.append(text(names[row], left - 10, y + cell / 2, anchor="end"))
        for step in range(steps):
            share = float(sizes[row, step]) / largest
            drawing.append(heat_cell(left + step * cell, y, cell - 3, share, bool(mask[row, step])))
    _add_legend(drawing, top + rows * cell + 10, quantity)
    return to_picture(drawing, _describe(title, quantity, sizes, mask))


def _to_mask(real: Lengths | Tensor, rows: int, steps: int) -> Tensor:
    if isinstance(real, Tensor) and real.dtype == torch.bool:
        if tuple(real.shape) != (rows, steps):
            raise ValueError(f"the mask is {tuple(real.shape)}, the values are {(rows, steps)}")
        return real.cpu()
    return lengths_to_mask(check_lengths(real, steps, batch_size=rows), steps, device="cpu")


def _add_legend(drawing: dw.Drawing, y: float, quantity: str) -> None:
    drawing.append(heat_cell(4, y, 16, 1.0, True))
    drawing.append(text(f"{quantity} at a real step", 26, y + 8, anchor="start"))
    drawing.append(heat_cell(226, y, 16, 1.0, False))
    drawing.append(text(f"{quantity} at a pad", 248, y + 8, anchor="start"))


def heat_cell(x: float, y: float, side: float, share: float, real: bool) -> dw.Group:
    """A bordered cell with a square in it whose area is ``share`` of the cell's."""
    group = dw.Group()
    dashes = "none" if real else "3 2"
    box = dw.Rectangle(x, y, side, side, rx=2, fill="none", stroke="currentColor",
                       stroke_opacity=0.5, stroke_dasharray=dashes)  # fmt: skip
    group.append(box)
    if not math.isfinite(share):
        word = "NaN" if math.isnan(share) else "inf"
        group.append(text(word, x + side / 2, y + side / 2, size=10))
    elif share > 0:
        inner = max(side * share**0.5, 1.0)
        edge, colour = (side - inner) / 2, BLUE if real else VERMILLION
        square = dw.Rectangle(x + edge, y + edge, inner, inner, fill=colour)
        group.append(square)
    return group


def _describe(title: str, quantity: str, sizes: Tensor, real: Tensor) -> str:
    def largest(chosen: Tensor) -> str:
        picked = sizes[chosen]
        return f"{float(picked.max()):.2g}" if picked.numel() else "none"

    leaking = int(((sizes != 0) & ~real).sum())
    pads = int((~real).sum())
    return (
        f"{title}. Size of the {quantity} over {sizes.shape[0]} sequences and {sizes.shape[1]} "
        f"steps: largest at real steps {largest(real)}, largest at pads {largest(~real)}; "
        f"{leaking} of {pads} pads are not zero."
    )
