"""Shares of a batch: the loss' scale, dealing out, and an empty share."""

from __future__ import annotations

import torch

from course_utils import shares
from course_utils.lessons.solutions import solution


@solution("devices.scaled_loss", careful=shares.scaled_loss)
def my_scaled_loss(error_sum: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The loss for backward() on one device; counts are the real steps of all, (devices,)."""
    return error_sum * len(counts) / counts.sum().clamp(min=1)


@solution("devices.share_by_tokens", careful=shares.share_by_tokens)
def my_shares(lengths: list[int], devices: int) -> list[list[int]]:
    """Positions for every device: the longest first, each to the device with the fewest steps."""
    shares = [[] for _ in range(devices)]
    steps = [0] * devices
    for position in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        chosen = steps.index(min(steps))
        shares[chosen].append(position)
        steps[chosen] += lengths[position]
    return [sorted(share) for share in shares]


@solution("devices.share_sum", careful=shares.share_sum)
def my_share_sum(
    model: torch.nn.Module,
    sequences: list[torch.Tensor],
    targets: list[torch.Tensor],
    features: int,
) -> tuple[torch.Tensor, int]:
    """Sum of squared errors over a share's real steps, and their number; the share may be empty."""
    if not sequences:
        stand_in = next(model.parameters()).new_zeros(1, 1, features)
        return 0 * model(stand_in, [1]).sum(), 0
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    inputs = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    mask = torch.arange(inputs.shape[1]) < lengths[:, None]
    errors = model(inputs, lengths)[mask] - torch.cat(targets)
    return errors.square().sum(), int(lengths.sum())
