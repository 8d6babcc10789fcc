"""Masking: a mask, a masked recurrence, a masked softmax, a safe logarithm."""

from __future__ import annotations

import torch

from course_utils import masked, sequences
from course_utils.lessons.draws import Draw
from course_utils.lessons.entries import Case
from course_utils.lessons.solutions import solution


@solution("masking.lengths_to_mask", careful=sequences.lengths_to_mask)
def lengths_to_mask(lengths: torch.Tensor, max_length: int | None = None) -> torch.Tensor:
    """Boolean mask (B, T), True at real steps."""
    steps = int(lengths.max()) if max_length is None else max_length
    return torch.arange(steps, device=lengths.device)[None, :] < lengths[:, None]


@solution("masking.masked_recurrence")
def masked_recurrence(
    cell: torch.nn.RNNCell, inputs: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs (B, T, H) with zeros at pads, and final states (B, H)."""
    state = inputs.new_zeros(len(inputs), cell.hidden_size)
    outputs = []
    for t in range(inputs.shape[1]):
        real = mask[:, t, None]
        state = torch.where(real, cell(inputs[:, t], state), state)
        outputs.append(state.masked_fill(~real, 0))
    return torch.stack(outputs, dim=1), state


@solution("masking.masked_softmax", careful=masked.masked_softmax)
def masked_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Softmax over the last axis among real positions; empty rows get zeros."""
    return scores.masked_fill(~mask, -torch.inf).softmax(-1).masked_fill(~mask, 0)


@masked_softmax.random
def _(draw: Draw) -> Case:
    rows, keys = draw.integer(1, 3), draw.integer(1, 4)
    scores, mask = draw.normal(rows, keys), draw.mask(rows, keys)
    if draw.chance(0.3):  # the same keys for several queries
        scores, mask = draw.normal(rows, 2, keys), mask[:, None, :]
    if draw.chance(0.3):  # a pad that would win by far
        scores = torch.where(mask, scores, 60.0)
    return Case((scores.requires_grad_(), mask))


@masked_softmax.trait("a pad has by far the largest score of its row")
def _(scores: torch.Tensor, mask: torch.Tensor) -> bool:
    pads = scores.masked_fill(mask, -torch.inf).amax(-1)
    real = scores.masked_fill(~mask, -torch.inf).amax(-1)
    return bool(((pads > real + 25) & mask.any(-1)).any())


masked_softmax.equivalent(
    "return scores.masked_fill(~mask, -10000.0).softmax(-1).masked_fill(~mask, 0)",
    because="Next to scores of ordinary size it is as good as infinity; pads become 0 afterwards.",
)


@solution("masking.safe_log")
def safe_log(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The logarithm where the mask is True, and 0 elsewhere."""
    return values.masked_fill(~mask, 1).log()
