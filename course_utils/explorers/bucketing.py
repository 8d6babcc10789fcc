"""Explorers of lengths and padding."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from course_utils.data import SMALL_LENGTHS
from course_utils.explorers.controls import Choice, Slider
from course_utils.explorers.wiring import explorer, lengths_field, parse_lengths
from course_utils.pictures import Picture, draw_batch, draw_batches


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
        lengths=lengths_field(lengths),
        batch_size=Slider(description="Batch size", value=4, min=1, max=16),
        bucket_width=Slider(description="Bucket width", value=30, min=1, max=30),
        side=Choice(["right", "left"], description="Pads on the"),
    )


def explore_length() -> widgets.Widget:
    """One length in a batch of three: a first try of a slider."""

    def draw(length: float) -> Picture:
        return draw_batch([5, 3, int(length)])

    return explorer(draw, length=Slider(description="Third length", value=7, min=1, max=12))
