"""What every picture of the course is made of: a text alternative, cells, text, arrows.

A :class:`Picture` is inline SVG. Text and lines take the colour of the page around them, so it
reads well on light and dark themes alike.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

import drawsvg as dw

from course_utils.colours import ON_FILL, SKY

FONT = "system-ui, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Picture:
    """An inline SVG with its text alternative."""

    svg: str
    """One ``<svg>`` element."""
    alt: str
    """What the picture shows, with its numbers."""

    @property
    def html(self) -> str:
        """The picture as HTML, named by its text alternative."""
        style = "color:var(--jp-content-font-color1,#1f1f1f);overflow-x:auto"
        return f'<div style="{style}">{self._named()}</div>'

    def _named(self, behind: str = "") -> str:
        """The picture's SVG with its name, and with what is drawn behind it."""
        label = html.escape(self.alt, quote=True)
        head, body = re.match(r"<svg\b([^>]*)>(.*)\Z", self.svg, re.DOTALL).groups()
        return f'<svg role="img" aria-label="{label}"{head}>{behind}{body}'

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.alt

    def save(self, path: str | Path) -> None:
        """Write a stand-alone SVG file on a white card, readable on any page."""
        card = '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>'
        Path(path).write_text(f"{self._named(card)}\n", encoding="utf-8")


def percent(share: float) -> str:
    """A share from 0 to 1 as text, such as ``32 %``."""
    return f"{100 * share:.0f} %"


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
    weight: str = "normal",
) -> dw.Text:
    """A line of text, centred in height on ``y``, in the page's own colour."""
    return dw.Text(
        content, size, x, y, text_anchor=anchor, dominant_baseline="central", fill=fill,
        font_weight=weight,
    )  # fmt: skip


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


def arrow(x1: float, y1: float, x2: float, y2: float) -> dw.Group:
    """A line with a small head; the head needs no marker, so no id can collide on the page."""
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    group = dw.Group(stroke="currentColor", stroke_width=1.4, fill="currentColor")
    group.append(dw.Line(x1, y1, x2 - 6 * ux, y2 - 6 * uy))
    left, right = ((x2 - 8 * ux + side * 4 * uy, y2 - 8 * uy - side * 4 * ux) for side in (1, -1))
    group.append(dw.Lines(x2, y2, *left, *right, close=True))
    return group
