"""Gradients by hand: of a layer, of a network over time, and by finite differences.

One sequence has inputs ``(L, F)`` and states ``(L, H)``; a state is
``h_t = tanh(w_x x_t + w_h h_(t-1) + b)`` with ``w_x`` ``(H, F)``, ``w_h`` ``(H, H)`` and ``b``
``(H,)``, and the state before the first step is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def compare(name: str, got: Tensor, tolerance: float = 1e-6, **others: Tensor) -> str:
    """One line that compares a gradient with others: shapes, and how far apart the numbers are.

    Args:
        name: what is compared.
        got: the gradient in question.
        tolerance: largest distance allowed, as a share of the gradient's largest entry, or of
            0.001 if all entries are smaller: finite differences see no finer.
        others: what it must agree with, by name: ``autograd=...``, ``differences=...``.

    Raises:
        AssertionError: a shape differs, or a number by more than the tolerance.
    """
    parts = [f"{name:<13} {tuple(got.shape)!s:<8}"]
    for other, expected in others.items():
        if got.shape != expected.shape:
            raise AssertionError(
                f"{name} has shape {tuple(got.shape)}, but {other} has {tuple(expected.shape)}"
            )
        apart = float((got - expected).detach().abs().max())
        size = max(float(expected.detach().abs().max()), 1e-3)
        verdict = "equal" if apart <= tolerance * size else "DIFFERENT"
        parts.append(f"{other} {verdict}, off by {apart:.0e}")
        if verdict != "equal":
            raise AssertionError("  ".join(parts))
    return "  ".join(parts)


def numerical_gradient(
    function: Callable[[Tensor], Tensor], x: Tensor, epsilon: float = 1e-6
) -> Tensor:
    """Gradient of a function by central differences, in the shape and dtype of ``x``.

    Args:
        function: takes a tensor like ``x``, in float64, and returns one number.
        x: where to take the gradient; not changed.
        epsilon: how far each entry is moved, up and down.
    """
    flat = x.detach().double().flatten()
    slopes = torch.zeros_like(flat)
    for i in range(len(flat)):
        nudge = torch.zeros_like(flat)
        nudge[i] = epsilon
        up = function((flat + nudge).view(x.shape))
        down = function((flat - nudge).view(x.shape))
        slopes[i] = (up - down).detach() / (2 * epsilon)
    return slopes.view(x.shape).to(x.dtype)


def layer_backward(
    grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the layer ``tanh(x @ weight.T + bias)``: for ``x``, ``weight`` and ``bias``.

    Args:
        grad: gradient of the loss for the layer's output, ``(B, H)``.
        x: inputs ``(B, F)``.
        weight: ``(H, F)``.
        bias: ``(H,)``.
    """
    output = torch.tanh(x @ weight.T + bias)
    through_tanh = grad * (1 - output**2)
    return through_tanh @ weight, through_tanh.T @ x, through_tanh.sum(0)


def rnn_forward(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
    """All states ``(L, H)`` of a recurrent network that reads one sequence ``x`` ``(L, F)``."""
    state = torch.zeros_like(b)
    states = []
    for step in x:
        state = torch.tanh(w_x @ step + w_h @ state + b)
        states.append(state)
    return torch.stack(states)


def bptt(
    grad_states: Tensor, x: Tensor, states: Tensor, w_h: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Backpropagation through time over one sequence: gradients for ``w_x``, ``w_h``, ``b``.

    Args:
        grad_states: how the loss depends on each state directly, ``(L, H)``.
        x: inputs ``(L, F)``.
        states: all states ``(L, H)`` of the forward pass.
        w_h: recurrent weight ``(H, H)``.
    """
    sum_x = x.new_zeros(len(w_h), x.shape[1])
    sum_h, sum_b = torch.zeros_like(w_h), torch.zeros_like(w_h[0])
    from_later = torch.zeros_like(states[0])
    for t in reversed(range(len(x))):
        before = states[t - 1] if t > 0 else torch.zeros_like(states[0])
        through_tanh = (grad_states[t] + from_later) * (1 - states[t] ** 2)
        sum_x = sum_x + torch.outer(through_tanh, x[t])
        sum_h = sum_h + torch.outer(through_tanh, before)
        sum_b = sum_b + through_tanh
        from_later = w_h.T @ through_tanh
    return sum_x, sum_h, sum_b


def rnn_forward_truncated(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor, window: int) -> Tensor:
    """The states of :func:`rnn_forward`, with the graph cut every ``window`` steps.

    Args:
        x: inputs ``(L, F)``.
        w_x, w_h, b: the parameters.
        window: gradients flow back through at most this many steps; steps 0 to ``window - 1``
            are the first window.
    """
    state = torch.zeros_like(b)
    states = []
    for t, step in enumerate(x):
        if t % window == 0:
            state = state.detach()
        state = torch.tanh(w_x @ step + w_h @ state + b)
        states.append(state)
    return torch.stack(states)


def state_gradients(states: Sequence[Tensor]) -> Tensor:
    """How much the last state depends on each state, ``(L,)``: norms of gradients.

    The gradient is that of the sum of the last state's entries.

    Args:
        states: tensors of any shape, each computed from the one before.
    """
    found = torch.autograd.grad(states[-1].sum(), list(states), retain_graph=True)
    return torch.stack([gradient.norm() for gradient in found])
