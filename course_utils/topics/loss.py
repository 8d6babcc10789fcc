"""Masked losses, gradient accumulation and masked metrics."""

from __future__ import annotations

import torch

from course_utils import masked
from course_utils.lessons.solutions import solution


@solution("loss.masked_mse", careful=masked.masked_mse)
def my_masked_mse(
    prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Mean squared error over real values; mask (B, T), the others (B, T, ...)."""
    return (prediction[mask] - target[mask]).square().mean()


@solution("loss.masked_cross_entropy", careful=masked.masked_cross_entropy)
def my_cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy over real steps; logits (B, T, C), target and mask (B, T)."""
    log_p = logits[mask].log_softmax(-1)
    return -log_p.gather(-1, target[mask][:, None]).mean()


@solution("loss.accumulate")
def accumulate(model: torch.nn.Module, micro_batches: list) -> list[torch.Tensor]:
    """Gradients of the mean squared error over all real steps of all micro-batches."""
    model.zero_grad()
    real_steps = sum(int(batch.lengths.sum()) for batch in micro_batches)
    for batch in micro_batches:
        output = model(batch.inputs, batch.lengths)
        mask = torch.arange(output.shape[1]) < batch.lengths[:, None]
        errors = (output - batch.targets)[mask].square().mean(-1)
        (errors.sum() / real_steps).backward()
    return [parameter.grad for parameter in model.parameters()]


@solution("loss.masked_accuracy", careful=masked.masked_accuracy)
def my_accuracy(logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Share of real steps whose largest logit is the target's class."""
    return (logits.argmax(-1) == target)[mask].float().mean()
