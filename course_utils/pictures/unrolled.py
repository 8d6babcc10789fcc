"""Recurrent networks unrolled through time: one box a step, all with the same weights."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import drawsvg as dw
from torch import Tensor

from course_utils.colours import BLUE, ON_FILL, ORANGE, SKY, VERMILLION
from course_utils.pictures.base import Picture, arrow, new_drawing, text, to_picture

_CELL, _STEP, _LEFT = 40, 82, 92
_BARS, _DECADES = 64, 8
_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _below(letter: str, number: int) -> str:
    return f"{letter}{str(number).translate(_DIGITS)}"


def draw_unrolled(
    lengths: Sequence[int], *, cuts: Collection[int] = (), title: str = ""
) -> Picture:
    """One unrolled network for each length, a box for each step.

    Args:
        lengths: number of steps of each sequence, at least 1.
        cuts: steps before which the graph is cut with ``detach``.
        title: a line above the picture.

    Raises:
        ValueError: a length below 1, or a cut that no sequence has.
    """
    if not lengths or min(lengths) < 1:
        raise ValueError(f"lengths are {list(lengths)}, expected at least one step in each")
    if any(not 0 < cut < max(lengths) for cut in cuts):
        raise ValueError(f"cuts are {sorted(cuts)}, expected steps 1 to {max(lengths) - 1}")
    top, height = (30 if title else 6), 104
    drawing = new_drawing(
        max(_LEFT + max(lengths) * _STEP + 60, 8.5 * len(title), 480),
        top + height * len(lengths) + 26,
    )
    if title:
        drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    for row, length in enumerate(lengths):
        _add_network(drawing, top + row * height, length, cuts)
    y = top + height * len(lengths) + 4
    drawing.append(_cell(4, y, 16))
    note = f"the same weights W in all boxes, used {_times(sum(lengths))}"
    drawing.append(text(note, 28, y + 8, anchor="start"))
    if cuts:
        _add_cut(drawing, 380, y + 8, 16)
        drawing.append(text("detach: no gradient passes", 396, y + 8, anchor="start"))
    return to_picture(drawing, _describe(lengths, cuts, title))


def _cell(x: float, y: float, side: float) -> dw.Rectangle:
    return dw.Rectangle(x, y, side, side, rx=4, fill=ORANGE, stroke=ON_FILL)


def _add_network(drawing: dw.Drawing, y: float, length: int, cuts: Collection[int]) -> None:
    middle, inputs = y + 30, y + 76
    drawing.append(text(f"length {length}", 4, middle, anchor="start", weight="bold"))
    for t in range(length):
        x = _LEFT + t * _STEP
        drawing.append(_cell(x, middle - _CELL / 2, _CELL))
        drawing.append(text("W", x + _CELL / 2, middle, fill=ON_FILL, weight="bold", size=15))
        drawing.append(arrow(x + _CELL / 2, inputs, x + _CELL / 2, middle + _CELL / 2))
        drawing.append(dw.Rectangle(x + 4, inputs, _CELL - 8, 22, rx=4, fill=SKY,
                                    stroke=ON_FILL))  # fmt: skip
        drawing.append(text(_below("x", t), x + _CELL / 2, inputs + 11, fill=ON_FILL))
        drawing.append(arrow(x + _CELL, middle, x + _STEP, middle))
        # A cut needs the place of the state's name.
        if t + 1 in cuts and t + 1 < length:
            _add_cut(drawing, x + (_CELL + _STEP) / 2 - 3, middle, 26)
        else:
            drawing.append(text(_below("h", t), x + (_CELL + _STEP) / 2 - 3, middle - 12))
    drawing.append(text("loss", _LEFT + length * _STEP + 6, middle, anchor="start"))


def _add_cut(drawing: dw.Drawing, x: float, middle: float, height: float) -> None:
    for shift in (-4, 4):
        drawing.append(
            dw.Line(x + shift - 3, middle + height / 2, x + shift + 3, middle - height / 2,
                    stroke=VERMILLION, stroke_width=3)
        )  # fmt: skip


def _describe(lengths: Sequence[int], cuts: Collection[int], title: str) -> str:
    head = f"{title}. " if title else ""
    networks = "; ".join(
        f"length {length}: inputs x0 to x{length - 1} enter {length} boxes in a row, each passes "
        "its state to the next, and the last one to the loss"
        if length > 1
        else "length 1: input x0 enters one box, which passes its state to the loss"
        for length in lengths
    )
    cut = " and before step ".join(map(str, sorted(cuts)))
    detached = f" The graph is cut before step {cut}." if cuts else ""
    return (
        f"{head}Unrolled networks, one for each sequence. {networks}. The weights W are the same "
        f"in every box, and used {_times(sum(lengths))}.{detached}"
    )


def draw_gradient_flow(sizes: Tensor, *, title: str = "") -> Picture:
    """An unrolled network above the size of the gradient at every step, on a logarithmic scale.

    A bar upwards is a gradient above 1, a bar downwards one below 1. Bars end at a hundred
    million and at a hundred-millionth.

    Args:
        sizes: how much the last state depends on each state, ``(L,)``.
        title: a line above the picture.
    """
    values = sizes.detach().cpu().double().tolist()
    steps = len(values)
    step = min(_STEP, 700 / steps)
    cell = min(_CELL, 0.55 * step)
    top, left = (30 if title else 6), 104
    base = top + cell + 40 + _BARS
    drawing = new_drawing(max(left + steps * step + 20, 8.5 * len(title)), base + _BARS + 30)
    if title:
        drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    every = math.ceil(58 / step)
    _add_scale(drawing, left, base, left + steps * step)
    for t, value in enumerate(values):
        x, middle = left + t * step, top + cell / 2 + 2
        drawing.append(_cell(x, middle - cell / 2, cell))
        if cell > 20:
            drawing.append(text("W", x + cell / 2, middle, fill=ON_FILL, weight="bold"))
        if t + 1 < steps:
            drawing.append(arrow(x + cell, middle, x + step, middle))
        label_y = _add_bar(drawing, x, base, cell, value)
        if (steps - 1 - t) % every == 0:
            drawing.append(text(_short(value), x + cell / 2, label_y, size=12))
            drawing.append(text(str(t), x + cell / 2, base + _BARS + 22, size=12))
    drawing.append(text("step", left - 10, base + _BARS + 22, size=12, anchor="end"))
    return to_picture(drawing, _describe_flow(values, title))


def _add_scale(drawing: dw.Drawing, left: float, base: float, right: float) -> None:
    drawing.append(dw.Line(left - 8, base, right, base, stroke="currentColor", stroke_width=1))
    for name, y in (("10⁸", base - _BARS), ("1", base), ("10⁻⁸", base + _BARS)):
        drawing.append(text(name, left - 14, y, size=12, anchor="end"))
    drawing.append(text("gradient", 4, base, size=12, anchor="start"))


def _add_bar(drawing: dw.Drawing, x: float, base: float, width: float, value: float) -> float:
    """Draw the bar of one step; returns the height at which its number goes."""
    decades = math.log10(value) if value > 0 else -math.inf
    height = max(-1.0, min(1.0, decades / _DECADES)) * _BARS
    y = base - max(height, 0)
    colour, dashes = (BLUE, "none") if height < 0 else (VERMILLION, "3 2")
    drawing.append(
        dw.Rectangle(x, y, width, max(abs(height), 1), fill=colour, stroke="currentColor",
                     stroke_width=1, stroke_dasharray=dashes)
    )  # fmt: skip
    # The number stands on the other side of the line, so that no bar covers it.
    return base + (10 if height >= 0 else -10)


def _short(value: float) -> str:
    if value == 0:
        return "0"
    if 0.01 <= value < 1000:
        return f"{value:.2g}" if value < 100 else f"{value:.0f}"
    mantissa, exponent = f"{value:.0e}".split("e")
    signs = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return f"{mantissa}·10{str(int(exponent)).translate(signs)}"


def _describe_flow(values: Sequence[float], title: str) -> str:
    head = f"{title}. " if title else ""
    first, last = values[0], values[-1]
    change = "stays as it is"
    if first < 0.5 * last:
        change = "vanishes"
    elif first > 2 * last:
        change = "explodes"
    return (
        f"{head}An unrolled network of {len(values)} steps and the size of the gradient at each. "
        f"On its way back it {change}: {last:.2g} at step {len(values) - 1}, "
        f"{values[len(values) // 2]:.2g} at step {len(values) // 2}, {first:.2g} at step 0."
    )
