"""Through time: forward, backward, in windows, and one sequence at a time."""

from __future__ import annotations

import torch

from course_utils import backprop
from course_utils.lessons.draws import Draw
from course_utils.lessons.entries import Case
from course_utils.lessons.solutions import solution


@solution("unrolling.rnn_forward", careful=backprop.rnn_forward)
def rnn_forward(
    x: torch.Tensor, w_x: torch.Tensor, w_h: torch.Tensor, b: torch.Tensor
) -> torch.Tensor:
    """All states (L, H) of a recurrent network that reads one sequence x (L, F)."""
    state = torch.zeros_like(b)
    states = []
    for step in x:
        state = torch.tanh(w_x @ step + w_h @ state + b)
        states.append(state)
    return torch.stack(states)


@solution("unrolling.bptt", careful=backprop.bptt, parts=("w_x", "w_h", "b"))
def bptt_by_hand(
    grad_states: torch.Tensor, x: torch.Tensor, states: torch.Tensor, w_h: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients for w_x, w_h and b, from the gradients of the states (L, H)."""
    grad_w_x = grad_w_h = grad_b = from_later = 0
    for t in reversed(range(len(x))):
        before = states[t - 1] if t > 0 else torch.zeros_like(states[0])
        through_tanh = (grad_states[t] + from_later) * (1 - states[t] ** 2)
        grad_w_x = grad_w_x + torch.outer(through_tanh, x[t])
        grad_w_h = grad_w_h + torch.outer(through_tanh, before)
        grad_b = grad_b + through_tanh
        from_later = w_h.T @ through_tanh
    return grad_w_x, grad_w_h, grad_b


@bptt_by_hand.random
def _(draw: Draw) -> Case:
    length, features, hidden = draw.integer(1, 5), draw.integer(1, 3), draw.integer(1, 3)
    x, w_x, w_h = (
        draw.normal(length, features),
        draw.normal(hidden, features),
        draw.normal(hidden, hidden),
    )
    states = backprop.rnn_forward(x, w_x, w_h, draw.normal(hidden))
    return Case((draw.normal(length, hidden), x, states, w_h))


@bptt_by_hand.trait("there are three steps or more")
def _(x: torch.Tensor) -> bool:
    return len(x) >= 3


bptt_by_hand.equivalent(
    "before = states[t - 1] if t > 0 else torch.zeros_like(states[-1])",
    because="All states have the same shape, and it alone is used.",
)


@solution("unrolling.truncated", careful=backprop.rnn_forward_truncated)
def rnn_forward_in_windows(
    x: torch.Tensor, w_x: torch.Tensor, w_h: torch.Tensor, b: torch.Tensor, window: int
) -> torch.Tensor:
    """The states (L, H), with the graph cut every `window` steps."""
    state = torch.zeros_like(b)
    states = []
    for t, step in enumerate(x):
        if t % window == 0:
            state = state.detach()
        state = torch.tanh(w_x @ step + w_h @ state + b)
        states.append(state)
    return torch.stack(states)


@solution("unrolling.mean_step_oracle")
def mean_step_oracle(
    model: torch.nn.Module, sequences: list[torch.Tensor], targets: list[torch.Tensor]
) -> tuple[float, dict[str, torch.Tensor]]:
    """Mean squared error over all real steps, one sequence at a time, and its gradients."""
    count = sum(target.numel() for target in targets)
    loss = 0
    for sequence, target in zip(sequences, targets, strict=True):
        output = model(sequence[None], [len(sequence)])[0]
        loss = loss + (output - target).square().sum() / count
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    return loss.item(), dict(zip(parameters, gradients, strict=True))
