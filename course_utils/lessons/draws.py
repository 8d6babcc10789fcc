"""Random numbers for cases: the same ones for the same seed, on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Draw:
    """What a generator of random cases draws from; everything is made on the CPU.

    Args:
        seed: the same seed gives the same numbers.
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def integer(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both possible."""
        return int(torch.randint(low, high + 1, (), generator=self._generator, device="cpu"))

    def chance(self, share: float) -> bool:
        """True with this probability."""
        return float(torch.rand((), generator=self._generator, device="cpu")) < share

    def choice(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        return options[self.integer(0, len(options) - 1)]

    def normal(self, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Normally distributed numbers."""
        numbers = torch.randn(shape, generator=self._generator, dtype=torch.float64, device="cpu")
        return numbers.to(dtype)

    def lengths(self, rows: int, most: int, least: int = 1) -> list[int]:
        """One length for each row, from ``least`` to ``most``."""
        return [self.integer(least, most) for _ in range(rows)]

    def mask(self, *shape: int, share: float = 0.7) -> Tensor:
        """A boolean mask with holes: each position is real with the probability ``share``."""
        numbers = torch.rand(shape, generator=self._generator, dtype=torch.float64, device="cpu")
        return numbers < share
