"""The map of the course: its notebooks and what each builds on."""

from __future__ import annotations

from collections.abc import Sequence

import drawsvg as dw

from course_utils.colours import ON_FILL, SKY
from course_utils.course import NOTEBOOKS, Notebook
from course_utils.pictures.base import Picture, arrow, new_drawing, text, to_picture


def _depths(notebooks: Sequence[Notebook]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for notebook in notebooks:
        depths[notebook.file] = 1 + max((depths[need] for need in notebook.needs), default=-1)
    return depths


def _mean_place(notebook: Notebook, middle: dict[str, tuple[float, float]]) -> float:
    """Mean horizontal place of what a notebook builds on; 0 if it builds on nothing."""
    places = [middle[need][0] for need in notebook.needs]
    return sum(places) / max(len(places), 1)


def draw_map(notebooks: Sequence[Notebook] = NOTEBOOKS) -> Picture:
    """The notebooks and what each builds on, from top to bottom."""
    depths = _depths(notebooks)
    width, height, gap = 190, 38, 30
    levels = [
        [n for n in notebooks if depths[n.file] == d] for d in range(max(depths.values()) + 1)
    ]
    total = (width + gap) * max(map(len, levels))
    drawing = new_drawing(total, (height + gap) * len(levels))
    middle: dict[str, tuple[float, float]] = {}
    for depth, level in enumerate(levels):
        # Below what they build on, so that arrows neither cross nor run through a box.
        level.sort(key=lambda n: _mean_place(n, middle))
        for i, notebook in enumerate(level):
            alone = len(level) == 1 and notebook.needs
            x = _mean_place(notebook, middle) if alone else total * (i + 0.5) / len(level)
            middle[notebook.file] = x, depth * (height + gap) + height / 2 + 1
    for notebook in notebooks:
        x, y = middle[notebook.file]
        needs = sorted(notebook.needs, key=lambda need: middle[need][0])
        for i, need in enumerate(needs):
            end = x + 30 * (i - (len(needs) - 1) / 2)
            drawing.append(
                arrow(middle[need][0], middle[need][1] + height / 2, end, y - height / 2)
            )
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
