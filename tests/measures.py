"""What tests and benchmarks share: strict equality, the cost of batches, how often they repeat."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch import Tensor

Batches = list[list[int]]


def assert_close(actual: Tensor, expected: Tensor, **options: Any) -> None:
    """``torch.testing.assert_close``, but double precision must be double.

    Its usual 1e-7 for float64 would let a computation in single precision pass.
    """
    if actual.dtype == torch.float64:
        options = {"rtol": 1e-10, "atol": 1e-12} | options
    torch.testing.assert_close(actual, expected, **options)


def cells(lengths: Tensor, batches: Batches) -> int:
    """Cells ``B x T`` of all batches, each padded to its own longest sequence."""
    return sum(len(batch) * int(lengths[batch].max()) for batch in batches)


def repeated_pairs(before: Batches, after: Batches) -> float:
    """Share of the pairs in one batch before that are in one batch again afterwards."""
    first, second = (
        {pair for batch in batches for pair in combinations(sorted(batch), 2)}
        for batches in (before, after)
    )
    return len(first & second) / len(first)


def sorted_batches(lengths: Tensor, batch_size: int) -> Batches:
    """Batches with the least padding there can be, the same in every epoch."""
    return [part.tolist() for part in lengths.argsort().split(batch_size)]


def random_batches(lengths: Tensor, batch_size: int, seed: int) -> Batches:
    """Batches as ``shuffle=True`` makes them."""
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed))
    return [part.tolist() for part in order.split(batch_size)]


def log_normal_lengths(count: int = 2000, seed: int = 0) -> Tensor:
    """Many short sequences and a few long ones: 33 steps at the median, 4 to 200 or so."""
    generator = torch.Generator().manual_seed(seed)
    return (3.5 + 0.5 * torch.randn(count, generator=generator)).exp().long().clamp(min=1)
