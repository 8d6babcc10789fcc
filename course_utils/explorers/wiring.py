"""What all explorers share: controls wired to a picture, and lengths typed by a learner."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import ipywidgets as widgets

from course_utils.explorers.controls import TextField
from course_utils.html import box, broken, sentence
from course_utils.pictures import Picture


def explorer(draw: Callable[..., Picture], **controls: widgets.DOMWidget) -> widgets.Widget:
    """Controls above a picture that is drawn anew whenever one of them moves.

    Args:
        draw: called with the controls' values by name; returns a picture, or raises
            ``ValueError`` with a sentence for the learner.
        controls: widgets with a ``value``.
    """
    picture = widgets.HTML()

    def redraw(_change: object = None) -> None:
        try:
            picture.value = draw(**{name: control.value for name, control in controls.items()}).html
        except ValueError as error:
            picture.value = box("not drawn", sentence(str(error)), alert=True)
        except Exception as error:
            # The browser shows nothing of an exception in a callback.
            picture.value = broken(error)
            raise

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    return widgets.VBox([*controls.values(), picture])


def lengths_field(lengths: Iterable[int], description: str = "Lengths") -> TextField:
    """A field in which a learner edits lengths; :func:`parse_lengths` reads it."""
    return TextField(", ".join(map(str, lengths)), description)


def parse_lengths(text: str, *, most: int = 60, longest: int = 60) -> list[int]:
    """Lengths typed by a learner, such as ``"5, 3, 7, 2"``.

    Raises:
        ValueError: not whole numbers, none, too many, or out of range.
    """
    try:
        lengths = [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"{text!r} is not a list of whole numbers, such as 5, 3, 7, 2") from None
    if not 1 <= len(lengths) <= most:
        raise ValueError(f"got {len(lengths)} lengths, expected 1 to {most}")
    if not all(1 <= n <= longest for n in lengths):
        raise ValueError(f"every length must lie between 1 and {longest}")
    return lengths
