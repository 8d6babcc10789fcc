"""Explorer of a recurrent network through time: length, recurrent weight, gradient."""

from __future__ import annotations

import ipywidgets as widgets
import torch
from torch import Tensor

from course_utils.backprop import state_gradients
from course_utils.explorers.controls import Choice, Slider
from course_utils.explorers.wiring import explorer
from course_utils.pictures import Picture, draw_gradient_flow

_ACTIVATIONS = {"tanh": torch.tanh, "none": torch.clone}


def gradient_over_time(length: int, weight: float, activation: str = "tanh") -> Tensor:
    """How much the last state of a network with one unit depends on each state, ``(length,)``.

    Args:
        length: number of steps.
        weight: the recurrent weight.
        activation: ``"tanh"`` or ``"none"``.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    inputs = 0.1 * torch.randn(
        length, generator=generator, dtype=torch.float64, device="cpu", requires_grad=True
    )
    states, state = [], torch.zeros((), dtype=torch.float64, device="cpu")
    for step in inputs:
        state = _ACTIVATIONS[activation](step + weight * state)
        states.append(state)
    return state_gradients(states)


def explore_unrolling() -> widgets.Widget:
    """Length and recurrent weight: watch the gradient vanish or explode on its way back."""

    def draw(length: float, weight: float, activation: str) -> Picture:
        sizes = gradient_over_time(int(length), weight, activation)
        return draw_gradient_flow(
            sizes, title=f"Recurrent weight {weight:.2f}, {int(length)} steps"
        )

    return explorer(
        draw,
        length=Slider(description="Length", value=7, min=1, max=30),
        weight=Slider(description="Recurrent weight", value=0.6, min=0, max=2, step=0.05),
        activation=Choice(_ACTIVATIONS, description="Activation"),
    )
