"""Shares of a batch on several devices: dealing out, losses, averages and sums over all of them.

Every process has the whole model and a share of the sequences, padded to the share's own longest
one. What is summed over all processes goes through ``torch.distributed``, whose process group
must exist.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from course_utils.checks import check_count, check_float, check_whole
from course_utils.sequences import (
    Lengths,
    check_lengths,
    lengths_of,
    lengths_to_mask,
    pad_batch,
    unpad_batch,
)


def share_by_tokens(lengths: Lengths, devices: int) -> list[list[int]]:
    """Positions of the sequences that each device gets, with about equally many real steps.

    The longest sequence goes first, to the device with the fewest real steps so far (to the
    first of these on a tie), then the next longest, and so on.

    Args:
        lengths: number of steps of each sequence, ``(N,)``; equal ones keep their order.
        devices: how many shares to make; with more devices than sequences some stay empty.

    Raises:
        ValueError: fewer than one device.
    """
    check_count(devices, "devices", 1)
    numbers = check_lengths(lengths).tolist()
    shares: list[list[int]] = [[] for _ in range(devices)]
    steps = [0] * devices
    for position in sorted(range(len(numbers)), key=lambda i: -numbers[i]):
        chosen = steps.index(min(steps))
        shares[chosen].append(position)
        steps[chosen] += numbers[position]
    return [sorted(share) for share in shares]


def share_sum(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    """Sum of squared errors over a share's real steps, and their number.

    Backward reaches every parameter, also from an empty share: its gradients are zeros.

    Args:
        model: called as ``model(inputs, lengths)``; gives ``(B, T, ...)``.
        sequences: tensors ``(L_i, F)``; none if the share is empty.
        targets: a tensor ``(L_i, ...)`` for each.
        features: ``F``, which an empty share cannot tell.

    Raises:
        ValueError: another number of targets, or targets of another shape than the outputs.
    """
    if len(sequences) != len(targets):
        raise ValueError(f"{len(sequences)} sequences, but {len(targets)} targets")
    if len(sequences) == 0:
        # One made-up step: the model runs as on every other device, and 0 removes the result.
        weight = next(model.parameters())
        stand_in = torch.zeros(1, 1, features, dtype=weight.dtype, device=weight.device)
        return 0 * model(stand_in, [1]).sum(), 0
    inputs, lengths = pad_batch(sequences), lengths_of(sequences)
    mask = lengths_to_mask(lengths, device=inputs.device)
    outputs, wanted = model(inputs, lengths), pad_batch(targets)
    if outputs.shape != wanted.shape or lengths.tolist() != lengths_of(targets).tolist():
        raise ValueError(
            f"outputs {tuple(outputs.shape)} and padded targets {tuple(wanted.shape)} differ in "
            "shape, or a sequence and its targets in length"
        )
    error = outputs[mask] - wanted[mask]
    return error.square().sum(), int(lengths.sum())


def scaled_loss(error_sum: Tensor, counts: Tensor) -> Tensor:
    """The loss whose gradients, averaged over devices, are those of the mean over all steps.

    Args:
        error_sum: this device's sum over its real steps.
        counts: number of real steps of every device, ``(devices,)``.

    Raises:
        TypeError, ValueError: a sum that is not one number, or counts that are not whole.
    """
    check_float(error_sum, "error_sum")
    check_whole(counts, "counts")
    if error_sum.dim() != 0 or counts.dim() != 1 or len(counts) == 0 or (counts < 0).any():
        raise ValueError(
            f"error_sum has shape {tuple(error_sum.shape)} and counts {tuple(counts.shape)}: "
            "expected one number and (devices,), none below 0"
        )
    # The average divides by the number of devices, which nobody asked for: undo it.
    return error_sum * len(counts) / counts.sum().clamp(min=1)


def gather_counts(count: int, device: torch.device) -> Tensor:
    """Every process' count, in the order of their ranks, ``(processes,)``."""
    counts = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=device)
    counts[dist.get_rank()] = check_count(count, "count")
    dist.all_reduce(counts)
    return counts


def average_gradients(model: nn.Module) -> None:
    """Replace every ``.grad`` by its mean over all processes: what data-parallel training does."""
    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)  # the sum, in place
        parameter.grad /= dist.get_world_size()


def global_moments(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over the frames ``(N, F)`` of all processes.

    Raises:
        TypeError, ValueError: frames that are not floating-point ``(N, F)``, or none at all.
    """
    check_float(frames, "frames")
    if frames.dim() != 2:
        raise ValueError(f"frames have shape {tuple(frames.shape)}, expected (N, F)")
    count = gather_counts(len(frames), frames.device).sum()
    if count == 0:
        raise ValueError(f"frames have shape {tuple(frames.shape)}, and no process has any")
    mean = frames.sum(0)
    dist.all_reduce(mean)
    mean = mean / count
    squares = (frames - mean).square().sum(0)
    dist.all_reduce(squares)
    return mean, (squares / count).sqrt()


def gather_padded(values: Tensor, lengths: Lengths) -> list[Tensor]:
    """The real steps of every process' rows, those of rank 0 first: tensors ``(L_i, ...)``.

    Collectives want equal shapes, so every process pads to the largest ``B`` and ``T`` of all.

    Args:
        values: ``(B, T, ...)``, with a ``B`` and a ``T`` of this process.
        lengths: ``(B,)``; rows of length 0 are left out.

    Raises:
        TypeError, ValueError: lengths that do not fit the values.
    """
    own = unpad_batch(values, lengths)
    shape = torch.tensor(values.shape[:2], device=values.device)
    dist.all_reduce(shape, op=dist.ReduceOp.MAX)
    rows, steps = shape.tolist()
    mine = values.new_zeros(rows, steps, *values.shape[2:])
    mine[: values.shape[0], : values.shape[1]] = values
    numbers = torch.zeros(rows, dtype=torch.int64, device=values.device)
    numbers[: len(values)] = lengths_of(own).to(values.device)
    everyone = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    all_numbers = [torch.empty_like(numbers) for _ in everyone]
    dist.all_gather(everyone, mine)
    dist.all_gather(all_numbers, numbers)
    pairs = zip(everyone, all_numbers, strict=True)
    found = [row for one, counts in pairs for row in unpad_batch(one, counts)]
    return [row for row in found if len(row)]
