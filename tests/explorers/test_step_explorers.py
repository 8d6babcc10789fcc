"""Explorers of a graph and of a network through time: what they show is what was computed."""

from __future__ import annotations

import re

import pytest
import torch

from course_utils.backprop import numerical_gradient
from course_utils.explorers import explore_graph, explore_unrolling
from course_utils.explorers.gradient_flow import gradient_over_time


def shown(box) -> str:
    return re.search(r'aria-label="([^"]*)"', box.children[-1].value).group(1)


def test_graph_goes_forward_then_backward_one_operation_a_click():
    box = explore_graph()
    click, graph, _ = box.children
    assert click.buttons
    assert shown(box).startswith("0 of 14: the leaves have values")
    click.value = 1
    assert shown(box).startswith("1 of 14, forward: compute u.")
    click.value = 7
    assert "gradient" not in shown(box)
    click.value = 8
    assert shown(box).startswith("8 of 14, backward: loss sends gradients to e.")
    assert "loss = e², value 0.264, gradient 1.000" in shown(box)
    click.value = 14
    # 2 (p - y) w2 (1 - h²) x, with p = 1.0139..., by hand
    assert "w1, value 0.800, gradient 0.777" in shown(box)
    graph.value = "one weight used twice"
    assert shown(box).startswith("10 of 10, backward: a sends gradients to w and x.")
    assert "w is used 2 times and gets 0.122 and 0.278" in shown(box)


@pytest.mark.parametrize("length", [1, 2, 7, 30])
@pytest.mark.parametrize("weight", [0.0, 0.6, 1.3])
def test_without_activation_the_gradient_is_a_power_of_the_weight(length: int, weight: float):
    distances = torch.arange(length - 1, -1, -1, dtype=torch.float64)
    found = gradient_over_time(length, weight, "none")
    torch.testing.assert_close(found, weight**distances)


@pytest.mark.parametrize("weight", [0.6, 1.3, 2.0])
def test_with_tanh_the_gradient_is_what_finite_differences_measure(weight: float):
    """Moving a state is moving the input of the tanh that made it, over tanh's slope there."""
    length = 6
    generator = torch.Generator("cpu").manual_seed(0)
    inputs = 0.1 * torch.randn(length, generator=generator, dtype=torch.float64)
    found = gradient_over_time(length, weight)
    states, state = [], torch.zeros((), dtype=torch.float64)
    for step in inputs:
        state = torch.tanh(step + weight * state)
        states.append(state)

    def last(start: torch.Tensor, after: int) -> torch.Tensor:
        for step in inputs[after + 1 :]:
            start = torch.tanh(step + weight * start)
        return start

    for t in range(length):
        measured = numerical_gradient(lambda v, t=t: last(v, t), states[t])
        torch.testing.assert_close(found[t], measured.abs(), rtol=1e-6, atol=1e-9)


def test_unrolling_says_that_the_gradient_vanishes_or_explodes():
    box = explore_unrolling()
    length, weight, activation, _ = box.children
    length.value, weight.value = 20, 0.5
    assert "it vanishes" in shown(box)
    activation.value, weight.value = "none", 1.5
    assert "it explodes" in shown(box)
    assert "Recurrent weight 1.50, 20 steps" in shown(box)
