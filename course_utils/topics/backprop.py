"""Gradients by hand, by finite differences, and kept in the graph."""

from __future__ import annotations

import torch

from course_utils import backprop
from course_utils.lessons.solutions import solution


@solution("backprop.layer_backward", careful=backprop.layer_backward)
def layer_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of tanh(x @ weight.T + bias): for x, for weight and for bias."""
    output = torch.tanh(x @ weight.T + bias)
    through_tanh = grad * (1 - output**2)
    return through_tanh @ weight, through_tanh.T @ x, through_tanh.sum(0)


@solution("backprop.shared_layer_backward")
def shared_layer_backward(
    grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Gradient for the weight of tanh(tanh(x @ weight.T) @ weight.T)."""
    hidden = torch.tanh(x @ weight.T)
    output = torch.tanh(hidden @ weight.T)
    through_second = grad * (1 - output**2)
    through_first = (through_second @ weight) * (1 - hidden**2)
    return through_second.T @ hidden + through_first.T @ x


@solution("backprop.numerical_gradient", careful=backprop.numerical_gradient)
def numerical_gradient_by_hand(function, x: torch.Tensor, epsilon: float = 1e-6) -> torch.Tensor:
    """Gradient of function at x by central differences, computed in float64."""
    flat = x.double().flatten()
    slopes = torch.zeros_like(flat)
    for i in range(len(flat)):
        nudge = torch.zeros_like(flat)
        nudge[i] = epsilon
        up = function((flat + nudge).view(x.shape))
        down = function((flat - nudge).view(x.shape))
        slopes[i] = (up - down) / (2 * epsilon)
    return slopes.view(x.shape).to(x.dtype)


@solution("backprop.scaled_loss")
def scaled_loss(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Mean square of tanh(x @ weight.T) after division by its largest absolute value."""
    hidden = torch.tanh(x @ weight.T)
    return (hidden / hidden.abs().max()).square().mean()
