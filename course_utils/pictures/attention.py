"""Who looks at whom: attention weights, or a mask, as a square of queries and keys."""

from __future__ import annotations

import drawsvg as dw
from torch import Tensor

from course_utils.colours import BLUE, ORANGE, VERMILLION
from course_utils.documents import NO_DOCUMENT
from course_utils.pictures.base import Picture, new_drawing, text, to_picture

# What a key can be to its query: its colour and its name in the legend.
_KINDS = {
    "own": (BLUE, "its own document"),
    "other": (ORANGE, "another document"),
    "pad": (VERMILLION, "a pad"),
}


def draw_attention(weights: Tensor, documents: Tensor, *, title: str) -> Picture:
    """Weights of one row, queries downwards and keys to the right, as marks that grow with them.

    A square is a weight on the query's own document, a diamond one on another document, a ring
    one on a pad. Lines divide the documents. Queries at pads are left out: nobody reads them.

    Args:
        weights: ``(T, T)``, not negative; a boolean mask is drawn as ones and zeros.
        documents: the document of each step, ``(T,)``, ``NO_DOCUMENT`` at pads.
        title: a line above the square.

    Raises:
        ValueError: shapes that do not fit.
    """
    steps = len(documents)
    if documents.dim() != 1 or tuple(weights.shape) != (steps, steps):
        raise ValueError(
            f"weights {tuple(weights.shape)} and documents {tuple(documents.shape)} do not fit: "
            "expected (T, T) and (T,)"
        )
    numbers = documents.tolist()
    values = weights.detach().cpu().double()
    cell, left, top = min(24.0, 420 / steps), 64, 62
    side = steps * cell
    drawing = new_drawing(max(left + side + 20, 9 * len(title), 480), top + side + 44)
    drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    _add_frame(drawing, numbers, left, top, cell)
    marks = _marks(values, numbers, left, top, cell)
    for kind, parts in marks.items():
        drawing.append(_shape(kind, " ".join(parts)))
    _add_legend(drawing, top + side + 22)
    return to_picture(drawing, _describe(title, values, documents.cpu()))


def _kind(query: int, key: int) -> str:
    if key == NO_DOCUMENT:
        return "pad"
    return "own" if query == key else "other"


def _marks(
    values: Tensor, numbers: list[int], left: float, top: float, cell: float
) -> dict[str, list[str]]:
    """For each kind the path pieces of its marks: one path each is quick to draw."""
    largest = float(values.max()) or 1.0
    marks: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for row, (query, line) in enumerate(zip(numbers, values.tolist(), strict=True)):
        if query == NO_DOCUMENT:
            continue
        for column, (key, value) in enumerate(zip(numbers, line, strict=True)):
            if value > 0:
                kind = _kind(query, key)
                size = max((cell - 3) * (value / largest) ** 0.5, 1.0)
                x, y = left + (column + 0.5) * cell, top + (row + 0.5) * cell
                marks[kind].append(_mark(kind, x, y, size))
    return marks


def _mark(kind: str, x: float, y: float, size: float) -> str:
    """Path of one mark, centred on a point: a square, a diamond, or a ring."""
    half = size / 2
    if kind == "own":
        return f"M{x - half:.1f} {y - half:.1f}h{size:.1f}v{size:.1f}h{-size:.1f}z"
    if kind == "other":
        return f"M{x:.1f} {y - half:.1f}l{half:.1f} {half:.1f}l{-half:.1f} {half:.1f}" + (
            f"l{-half:.1f} {-half:.1f}z"
        )
    arc = f"a{half:.1f} {half:.1f} 0 1 0"
    return f"M{x - half:.1f} {y:.1f}{arc} {size:.1f} 0{arc} {-size:.1f} 0"


def _shape(kind: str, path: str) -> dw.Path:
    colour = _KINDS[kind][0]
    fill = "none" if kind == "pad" else colour
    return dw.Path(path, fill=fill, stroke=colour, stroke_width=2 if kind == "pad" else 0.5)


def _add_frame(
    drawing: dw.Drawing, numbers: list[int], left: float, top: float, cell: float
) -> None:
    """The square, lines between documents, and the documents' names above and beside it."""
    steps, side = len(numbers), len(numbers) * cell
    drawing.append(text("keys: looked at", left, top - 30, anchor="start", size=12))
    box = dw.Rectangle(left, top, side, side, fill="none", stroke="currentColor")
    drawing.append(box)
    starts = [t for t in range(steps) if t == 0 or numbers[t] != numbers[t - 1]]
    for start, end in zip(starts, [*starts[1:], steps], strict=True):
        at, middle = start * cell, (start + end) * cell / 2
        if start:
            for line in (
                (left, top + at, left + side, top + at),
                (left + at, top, left + at, top + side),
            ):
                drawing.append(dw.Line(*line, stroke="currentColor", stroke_opacity=0.45))
        name = "pads" if numbers[start] == NO_DOCUMENT else f"{numbers[start]}"
        if (end - start) * cell >= (28 if name == "pads" else 10):
            drawing.append(text(name, left + middle, top - 10, size=12))
            drawing.append(text(name, left - 8, top + middle, size=12, anchor="end"))


def _add_legend(drawing: dw.Drawing, y: float) -> None:
    drawing.append(text("weight on", 4, y, anchor="start"))
    for x, (kind, (_, name)) in zip((90, 250, 405), _KINDS.items(), strict=True):
        drawing.append(_shape(kind, _mark(kind, x, y, 12)))
        drawing.append(text(name, x + 14, y, anchor="start"))


def shares(weights: Tensor, documents: Tensor) -> dict[str, float]:
    """How much of the real queries' weight falls on their own document, on others, on pads.

    Args:
        weights: ``(T, T)``.
        documents: ``(T,)``, ``NO_DOCUMENT`` at pads.
    """
    real = documents != NO_DOCUMENT
    own = (documents[:, None] == documents[None, :])[real]
    rows = weights[real].double()
    total = float(rows.sum()) or 1.0
    pads = rows[:, ~real].sum()
    mine = rows[own].sum()
    return {
        "own": float(mine) / total,
        "other": float(rows.sum() - mine - pads) / total,
        "pad": float(pads) / total,
    }


def _describe(title: str, weights: Tensor, documents: Tensor) -> str:
    found = shares(weights, documents)
    spread = ", ".join(f"{100 * found[kind]:.0f} % on {name}" for kind, (_, name) in _KINDS.items())
    count = int(documents.max()) + 1
    return (
        f"{title}. Square of {len(documents)} queries and keys in {count} "
        f"{'document' if count == 1 else 'documents'}. Of all weight: {spread}."
    )
