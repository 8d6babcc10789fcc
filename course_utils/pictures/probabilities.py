"""Probabilities of classes as bars, one panel a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import drawsvg as dw
from torch import Tensor

from course_utils.colours import BLUE, ORANGE
from course_utils.pictures.base import Picture, new_drawing, percent, text, to_picture

_ROW, _LEFT, _BAR, _PANEL = 22, 90, 170, 330


def draw_probabilities(
    models: Mapping[str, Tensor], *, true: int, names: Sequence[str], title: str
) -> Picture:
    """A row for each class and a panel for each model; the true class is marked with a star.

    Args:
        models: model's name -> probabilities ``(C,)``.
        true: the true class.
        names: a name for each class.
        title: a line above the panels.

    Raises:
        ValueError: probabilities of another number of classes.
    """
    drawing = new_drawing(_PANEL * len(models), 60 + _ROW * len(names))
    drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    said = []
    for panel, (model, chances) in enumerate(models.items()):
        if len(chances) != len(names):
            raise ValueError(f"{model} has {len(chances)} classes, but {len(names)} have names")
        best = int(chances.argmax())
        verdict = "right" if best == true else "wrong"
        heading = f"{model}: says {names[best]}, {verdict}"
        drawing.append(text(heading, _PANEL * panel + 4, 38, anchor="start"))
        for row, chance in enumerate(chances.tolist()):
            _add_bar(drawing, _PANEL * panel, 52 + _ROW * row, names[row], chance, row == true)
        said.append(
            f"{model} gives {percent(chances[true].item())} to the true class and says "
            f"{names[best]} ({percent(chances[best].item())}), {verdict}"
        )
    return to_picture(drawing, f"{title}. True class: {names[true]}. {'; '.join(said)}.")


def _add_bar(
    drawing: dw.Drawing, x: float, y: float, name: str, chance: float, is_true: bool
) -> None:
    label = f"{name} ★" if is_true else name
    drawing.append(text(label, x + _LEFT - 6, y + _ROW / 2, anchor="end"))
    fill = BLUE if is_true else ORANGE
    drawing.append(dw.Rectangle(x + _LEFT, y + 3, max(chance * _BAR, 1), _ROW - 6, fill=fill))
    drawing.append(
        text(percent(chance), x + _LEFT + chance * _BAR + 6, y + _ROW / 2, anchor="start")
    )
