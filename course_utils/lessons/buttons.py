"""Buttons and texts that cards, quizzes and guesses are built from."""

from __future__ import annotations

import functools
from collections.abc import Callable

import ipywidgets as widgets

from course_utils.colours import GREEN, VERMILLION
from course_utils.html import broken

# Long code scrolls inside the panel, and a button's text is not cut at one line.
_STYLE = """<style>
.course-panel .widget-html-content { min-width: 0; }
.course-option { white-space: normal !important; height: auto !important; text-align: left;
  line-height: 1.4 !important; padding: 6px 12px !important; }
.course-option.course-right { outline: 2px solid GREEN !important; outline-offset: -2px; }
.course-option.course-wrong { outline: 2px solid VERMILLION !important; outline-offset: -2px; }
</style>""".replace("GREEN", GREEN).replace("VERMILLION", VERMILLION)


def panel(*children: widgets.Widget) -> widgets.VBox:
    """Widgets below each other, in a frame."""
    frame = widgets.Layout(
        border="1px solid var(--jp-border-color2, #888)", padding="8px 12px", max_width="50em"
    )
    whole = widgets.VBox([widgets.HTML(_STYLE), *children], layout=frame)
    whole.add_class("course-panel")
    return whole


def text(html: str = "") -> widgets.HTML:
    """A place for HTML."""
    return widgets.HTML(html)


def plain(label: str) -> str:
    """A text for a button, which cannot show code."""
    return label.replace("`", "")


def option_button(label: str) -> widgets.Button:
    """A button as wide as the panel, for a sentence of any length."""
    button = widgets.Button(description=plain(label), layout=widgets.Layout(width="100%"))
    button.add_class("course-option")
    return button


def mark(button: widgets.Button, right: bool) -> None:
    """Show on an option's button whether it is right, by a sign and a frame."""
    label = button.description.removeprefix("✓ ").removeprefix("✗ ")
    button.description = f"{'✓' if right else '✗'} {label}"
    button.add_class("course-right" if right else "course-wrong")


def small_button(label: str) -> widgets.Button:
    """A button as wide as its label."""
    return widgets.Button(description=label, layout=widgets.Layout(width="auto"))


def on_click(button: widgets.Button, action: Callable[[], None], place: widgets.HTML) -> None:
    """Call ``action`` on a click; an exception is shown in ``place``, where it can be seen."""

    @functools.wraps(action)
    def act(_: widgets.Button) -> None:
        try:
            action()
        except Exception as error:
            place.value = broken(error)

    button.on_click(act)
