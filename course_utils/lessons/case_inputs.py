"""Random inputs for cases: the same on every machine, whatever the default device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def random_tensors(
    *shapes: Sequence[int], seed: int, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    """A tensor of normal numbers for each shape, on the CPU."""
    generator = torch.Generator("cpu").manual_seed(seed)
    return [torch.randn(s, generator=generator, dtype=dtype, device="cpu") for s in shapes]


def made_with_seed(seed: int, make: Callable[[], nn.Module]) -> nn.Module:
    """The module of ``make()`` with weights of this seed, on the CPU; torch's state stays."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        return make()
