"""Explorers: controls wired to a diagram. Notebooks call one function each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from course_utils.controls import Slider
from course_utils.data import SMALL_LENGTHS
from course_utils.diagrams import draw_batch, draw_batches
from course_utils.pictures import Picture, message


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
            picture.value = message(str(error), kind="wrong")
        except Exception as error:
            # The browser shows nothing of an exception in a callback.
            picture.value = message(f"{type(error).__name__}: {error}", kind="wrong")
            raise

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    return widgets.VBox([*controls.values(), picture])


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


def batches_in_buckets(
    lengths: Sequence[int], batch_size: int, bucket_width: int
) -> list[list[int]]:
    """Cut lengths into batches after sorting them into buckets ``bucket_width`` steps wide.

    Within a bucket they keep their order. Width 1 sorts completely; a width of the longest
    length or more leaves the order alone.
    """
    order = sorted(lengths, key=lambda n: (n - 1) // bucket_width)
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def explore_padding(lengths: Sequence[int] = (*SMALL_LENGTHS, 6, 1, 4, 7)) -> widgets.Widget:
    """Lengths, batch size, bucket width and side: see what padding costs.

    Args:
        lengths: what the learner starts from, and may edit.
    """

    def draw(lengths: str, batch_size: float, bucket_width: float, side: str) -> Picture:
        numbers = parse_lengths(lengths)
        batches = batches_in_buckets(numbers, int(batch_size), int(bucket_width))
        return draw_batches(batches, padding_side=side)

    return explorer(
        draw,
        lengths=widgets.Text(
            value=", ".join(map(str, lengths)),
            description="Lengths",
            layout=widgets.Layout(width="480px"),
        ),
        batch_size=Slider(description="Batch size", value=4, min=1, max=16),
        bucket_width=Slider(description="Bucket width", value=30, min=1, max=30),
        side=widgets.Dropdown(options=["right", "left"], description="Pads on the"),
    )


def explore_length() -> widgets.Widget:
    """One length in a batch of three: a first try of a slider."""

    def draw(length: float) -> Picture:
        return draw_batch([5, 3, int(length)])

    return explorer(draw, length=Slider(description="Third length", value=7, min=1, max=12))
