"""Explorer of masked losses: what every position weighs."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets
import torch
from torch import Tensor

from course_utils.data import SMALL_LENGTHS
from course_utils.explorers.controls import Choice, Slider
from course_utils.explorers.wiring import explorer
from course_utils.masked import position_weights
from course_utils.pictures import Picture, draw_heat, percent
from course_utils.sequences import lengths_to_mask

# What a learner chooses -> its name here.
DIVISORS = {
    "real steps: a mean per token": "token",
    "sequences: a mean per sequence": "sequence",
    "time steps: a mean per step": "step",
    "all cells, errors at pads included (wrong)": "grid",
    "all cells, errors at pads left out (wrong)": "masked grid",
}


def loss_weights(mask: Tensor, divisor: str) -> Tensor:
    """What each position's error is multiplied by in the loss, ``(B, T)``.

    Args:
        mask: boolean ``(B, T)``.
        divisor: one of the values of ``DIVISORS``.
    """
    if divisor == "grid":
        return torch.full(mask.shape, 1 / mask.numel(), device=mask.device)
    if divisor == "masked grid":
        return mask / mask.numel()
    return position_weights(mask, divisor)


def explore_masked_loss(lengths: Sequence[int] = SMALL_LENGTHS) -> widgets.Widget:
    """Four lengths, more padding and a divisor: see what each position weighs in the gradient.

    Args:
        lengths: what the sliders start from, each from 1 to 12.
    """

    def draw(divisor: str, extra: float, **lengths: float) -> Picture:
        numbers = [int(length) for length in lengths.values()]
        mask = lengths_to_mask(numbers, max(numbers) + int(extra))
        weights = loss_weights(mask, DIVISORS[divisor])
        real = weights[mask]
        title = (
            f"Together {percent(weights.sum())}, on pads {percent(weights[~mask].sum())}; "
            f"real steps weigh {_span(real)}"
        )
        return draw_heat(weights, numbers, title=title, quantity="weight")

    sliders = {
        f"length_{i}": Slider(description=f"Length of sequence {i}", value=n, min=1, max=12)
        for i, n in enumerate(lengths)
    }
    return explorer(
        draw,
        divisor=Choice(DIVISORS, description="Divide by"),
        extra=Slider(description="More pads", value=0, min=0, max=8),
        **sliders,
    )


def _span(weights: Tensor) -> str:
    low, high = (f"{100 * float(w):.1f}" for w in (weights.min(), weights.max()))
    return f"{low} % each" if low == high else f"{low} to {high} %"
