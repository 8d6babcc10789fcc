"""Explorer of packing: one time step a click."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from course_utils.data import SMALL_LENGTHS
from course_utils.explorers.controls import Slider
from course_utils.explorers.wiring import explorer, lengths_field, parse_lengths
from course_utils.pictures import Picture, draw_packing


def explore_packing(lengths: Sequence[int] = SMALL_LENGTHS) -> widgets.Widget:
    """Walk over the steps of a batch, and see the packed data grow.

    Args:
        lengths: what the learner starts from, and may edit: at most 8.
    """
    step = Slider(description="Step", value=0, min=0, max=max(lengths) - 1)

    def draw(lengths: str, step: float) -> Picture:
        numbers = parse_lengths(lengths, most=8)
        return draw_packing(numbers, min(int(step), max(numbers) - 1))

    typed = lengths_field(lengths)

    def fit(change: dict) -> None:
        # The slider goes as far as the longest sequence; what cannot be read leaves it alone.
        try:
            step.max = max(parse_lengths(change["new"], most=8)) - 1
        except ValueError:
            return
        step.value = min(step.value, step.max)

    typed.observe(fit, "value")
    return explorer(draw, lengths=typed, step=step)
