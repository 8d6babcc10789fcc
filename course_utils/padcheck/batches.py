"""The caller's sequences without their padding, and the batches that can be made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.sequences import Side, lengths_to_mask, unpad_batch

# Pads a thousand times larger than the data, unless a product of the two would then exceed what
# a mask of -1e4 on scores holds back.
LARGE = 1000.0


@dataclass(frozen=True)
class Batch:
    """A padded batch: inputs ``(B, T, ...)``, lengths ``(B,)`` and what else the model is given."""

    inputs: Tensor
    lengths: Tensor
    extras: tuple[Tensor, ...]
    side: Side

    @property
    def steps(self) -> int:
        """The padded length ``T``."""
        return self.inputs.shape[1]

    def take(self, order: Sequence[int]) -> Batch:
        """The same rows, padding included, in another order."""
        order = list(order)
        extras = tuple(extra[order] for extra in self.extras)
        return Batch(self.inputs[order], self.lengths[order], extras, self.side)

    @property
    def real(self) -> Tensor:
        """Boolean mask ``(B, T)`` on the inputs' device: True where a step is real."""
        mask = lengths_to_mask(self.lengths, self.steps, device=self.inputs.device)
        return mask if self.side == "right" else mask.flip(1)


class _Extra:
    """One of the further arguments: cut and padded like the inputs if it has ``T`` steps."""

    def __init__(self, values: Tensor, given: Batch) -> None:
        self.per_step = values.dim() >= 2 and values.shape[1] == given.steps
        self.side = given.side
        if not self.per_step:
            self.rows = list(values)
            return
        self.rows = unpad_batch(values, given.lengths, padding_side=given.side)
        # Pads of targets are often a marker such as -100, so they stay what they were.
        self.pads = values[~given.real.to(values.device)]

    def batch(self, rows: Sequence[int], steps: int) -> Tensor:
        if not self.per_step:
            return torch.stack([self.rows[row] for row in rows])
        cells = torch.arange(len(rows) * steps, device=self.pads.device) % len(self.pads)
        padded = self.pads[cells].unflatten(0, (len(rows), steps))
        return _put(padded, [self.rows[row] for row in rows], self.side)


def _put(padded: Tensor, rows: Sequence[Tensor], side: Side) -> Tensor:
    """Write the real steps over the padding, in place."""
    for target, row in zip(padded, rows, strict=True):
        start = 0 if side == "right" else len(target) - len(row)
        target[start : start + len(row)] = row
    return padded


class Sequences:
    """The real steps of a batch, and new batches made of them.

    Args:
        given: the batch as the caller passed it.
        pad_marker: what pads hold; random numbers if None.
        dtype: precision of everything that is a float.
        seed: of the random numbers.
    """

    def __init__(
        self, given: Batch, pad_marker: float | None, dtype: torch.dtype, seed: int
    ) -> None:
        self.given, self.pad_marker, self.seed, self.side = given, pad_marker, seed, given.side
        self.tokens = not given.inputs.is_floating_point()
        self.lengths, self.steps = given.lengths, given.steps
        self.sizes = given.lengths.tolist()
        self.longest = max(self.sizes)
        inputs = given.inputs.detach() if self.tokens else given.inputs.detach().to(dtype)
        self.rows = unpad_batch(inputs, given.lengths, padding_side=given.side)
        real = torch.cat(self.rows)
        self.pool = real.unique() if self.tokens else None
        self.scale = 1.0 if self.tokens else float(real.square().mean().sqrt()) or 1.0
        # A model may take logarithms or roots: where the data has no negative number, pads
        # have none either.
        self.negative = bool((real < 0).any())
        self.extras = [
            _Extra(e.detach().to(dtype) if e.is_floating_point() else e.detach(), given)
            for e in given.extras
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(
        self,
        rows: Sequence[int] | None = None,
        steps: int | None = None,
        *,
        pads: int = 0,
        large: bool = False,
        changed: Sequence[int] = (),
        nudge: float = 0.0,
    ) -> Batch:
        """A batch of these rows.

        Args:
            rows: which sequences, in this order; all if not given.
            steps: the padded length ``T``; the longest of the rows if not given.
            pads: which random padding; another number is another padding.
            large: make the padding a thousand times larger than the data.
            changed: rows whose real values are replaced by others.
            nudge: relative change of every real value.
        """
        rows = range(len(self)) if rows is None else rows
        steps = max(self.sizes[row] for row in rows) if steps is None else steps
        real = [
            self._other(self.rows[row], row) if row in changed else self.rows[row] for row in rows
        ]
        if nudge and not self.tokens:
            real = [row * (1 + nudge) for row in real]
        padding = self._padding((len(rows), steps, *self.rows[0].shape[1:]), pads, large)
        return Batch(
            _put(padding, real, self.side),
            self.lengths[list(rows)],
            tuple(extra.batch(rows, steps) for extra in self.extras),
            self.side,
        )

    def _padding(self, shape: tuple[int, ...], number: int, large: bool) -> Tensor:
        like = self.rows[0]
        if self.pad_marker is not None:
            return like.new_full(shape, self.pad_marker)
        if not self.tokens:
            return self._noise(shape, number, large).to(like)
        first = torch.randint(len(self.pool), shape, generator=self._random(0), device="cpu")
        ids = self.pool[first.to(self.pool.device)]
        return ids if number == 0 else self._other(ids, number)

    def _other(self, values: Tensor, number: int) -> Tensor:
        """Values of the same kind, different everywhere."""
        if not self.tokens:
            return self._noise(values.shape, 1000 + number, False).to(values)
        shift = torch.randint(
            1, len(self.pool), values.shape, generator=self._random(number), device="cpu"
        )
        place = torch.searchsorted(self.pool, values.contiguous())
        return self.pool[(place + shift.to(place.device)) % len(self.pool)]

    def _noise(self, shape: Sequence[int], number: int, large: bool) -> Tensor:
        noise = torch.randn(
            tuple(shape), generator=self._random(number), dtype=torch.float64, device="cpu"
        )
        size = min(LARGE * self.scale, max(LARGE / self.scale, self.scale)) if large else self.scale
        return (noise if self.negative else noise.abs()) * size

    def _random(self, number: int) -> torch.Generator:
        return torch.Generator("cpu").manual_seed(1_000_003 * self.seed + number)
