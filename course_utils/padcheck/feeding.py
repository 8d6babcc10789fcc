"""What the model is fed: the caller's sequences without their padding, padded anew."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.checks import Lengths
from course_utils.sequences import Side, lengths_to_mask, unpad_batch

# Pads a thousand times larger than the data, unless a product of the two would then exceed what
# a mask of -1e4 on scores holds back.
LARGE = 1000.0
# The padding far beyond what training ever saw, asked of one row only.
FAR = 5

# Where the page of recipes treats a call that was refused.
PAGE = "docs/padcheck.md"
RECIPES = {
    "dictionary": "A batch that is a dictionary",
    "PackedSequence": "A model that takes or gives a PackedSequence",
    "time-major": "Time-major models",
    "left": "Padding on the left",
    "steps": "Strided or subsampled results",
    "seq2seq": "Sequence to sequence, with targets",
    "ctc": "CTC",
    "two": "Two inputs with lengths of their own",
    "noise": "Random numbers inside the model",
    "marker": "Models that look for a pad value",
    "loss": "A loss",
    "train": "Train mode",
    "suite": "A test suite",
}


def see(recipe: str) -> str:
    """The end of a message: which recipe of the page to read."""
    return f"(recipe '{RECIPES[recipe]}' in {PAGE})"


@dataclass(frozen=True, eq=False)
class Padded:
    """A further input with a padded axis: targets, labels, a second sequence.

    Args:
        values: ``(B, M, ...)``; only the real steps are used, padcheck makes the pads.
        lengths: real steps of each row, ``(B,)``. The inputs' own lengths if not given, or if it
            is the very object that was passed as the inputs' lengths: then it has as many steps
            as the inputs. Other lengths are handed to the model, after the values.
        pad: what the pads must hold, -100 for example; they are random if not given.
    """

    values: Tensor
    lengths: Lengths | None = None
    pad: float | None = None


@dataclass(frozen=True, eq=False)
class Unpadded:
    """A further input ``(B, ...)`` of which no axis counts steps."""

    values: Tensor


@dataclass(frozen=True)
class Feed:
    """One call's worth of inputs: tensors, and the lengths of each padded axis."""

    tensors: tuple[Tensor, ...]
    axes: tuple[int | None, ...]
    """Which lengths belong to each tensor; None for one without padding."""
    lengths: tuple[Tensor, ...]
    steps: tuple[int, ...]
    """The padded length ``T`` that goes with each of the lengths."""
    side: Side

    @property
    def rows(self) -> int:
        """The number of rows ``B``."""
        return len(self.tensors[0])

    def take(self, order: Sequence[int]) -> Feed:
        """The same rows, padding included, in another order."""
        order = list(order)
        tensors = tuple(tensor[order] for tensor in self.tensors)
        lengths = tuple(own[order] for own in self.lengths)
        return Feed(tensors, self.axes, lengths, self.steps, self.side)

    def real(self, axis: int = 0) -> Tensor:
        """Boolean mask ``(B, T)`` on the inputs' device: True where a step is real."""
        device = self.tensors[0].device
        mask = lengths_to_mask(self.lengths[axis], self.steps[axis], device=device)
        return mask if self.side == "right" else mask.flip(1)

    def arguments(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """What the model is called with: each tensor, followed by its lengths where it has own."""
        given: list[Tensor] = []
        for number, (tensor, axis) in enumerate(zip(tensors, self.axes, strict=True)):
            given.append(tensor)
            if number == 0 or axis:
                given.append(self.lengths[axis].clone())
        return given


def choose_rows(lengths: Sequence[Tensor], most: int | None) -> list[int]:
    """At most so many rows: the shortest and the longest of every padded axis, some between."""
    count = len(lengths[0])
    if most is None or most >= count:
        return list(range(count))
    orders = [own.argsort(stable=True).tolist() for own in lengths]
    ends = [row for order in orders for row in (order[0], order[-1])]
    between = [orders[0][round(i * (count - 1) / (most - 1))] for i in range(1, most - 1)]
    return sorted(list(dict.fromkeys(ends + between))[: max(most, len(set(ends)))])


class Source:
    """One of the inputs: the real steps of its rows, and how to pad them.

    Args:
        name: what messages call it.
        values: ``(B, T, ...)``, or ``(B, ...)`` without a padded axis.
        lengths: real steps of each row; None without a padded axis.
        axis: which of the batch's lengths these are.
        pad: what its pads hold; random if None.
    """

    def __init__(
        self,
        name: str,
        values: Tensor,
        lengths: Tensor | None,
        axis: int | None,
        pad: float | None,
        side: Side,
    ) -> None:
        self.name, self.axis, self.pad, self.side = name, axis, pad, side
        self.values = values.detach()
        self.whole = not values.is_floating_point()
        self.steps = None if lengths is None else values.shape[1]
        self.rows, self.old_pad = list(self.values), None
        if lengths is None:
            return
        self.rows = unpad_batch(self.values, lengths, padding_side=side)
        mask = lengths_to_mask(lengths, self.steps, device=values.device)
        pads = self.values[~(mask if side == "right" else mask.flip(1))]
        real = torch.cat(self.rows)
        self.pool = real.unique() if self.whole else None
        if pads.numel() and (pads == pads.flatten()[0]).all():
            self.old_pad = pads.flatten()[0].item()
        size = 1.0 if self.whole or not real.numel() else float(real.double().square().mean())
        self.scale = size**0.5 or 1.0
        # A model may take logarithms or roots: where the data has no negative number, pads
        # have none either.
        self.negative = not self.whole and bool((real < 0).any())

    def pick(self, rows: Sequence[int]) -> Source:
        """The same with these rows only."""
        picked = copy.copy(self)
        picked.rows = [self.rows[row] for row in rows]
        return picked

    @property
    def varied(self) -> bool:
        """Whether its pads may hold anything."""
        return self.axis is not None and self.pad is None


class Supply:
    """The real steps of all inputs, of which feeds are made.

    Args:
        sources: the inputs first, then the extras.
        lengths: of each padded axis, ``(B,)``.
        side: where the pads go.
        dtype: precision of everything that is a float.
        seed: of the random numbers.
        pads: what the pads of the inputs hold instead of random numbers or their marker.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        lengths: Sequence[Tensor],
        side: Side,
        dtype: torch.dtype,
        seed: int,
        pads: float | None = None,
    ) -> None:
        self.sources, self.lengths, self.side = tuple(sources), tuple(lengths), side
        self.dtype, self.seed, self.pads = dtype, seed, pads
        self.axes = range(len(self.lengths))
        self.given = tuple(
            next(s.steps for s in self.sources if s.axis == axis) for axis in self.axes
        )
        self.longest = tuple(max(1, int(own.max())) for own in self.lengths)
        self.sizes = self.lengths[0].tolist()

    def __len__(self) -> int:
        return len(self.sizes)

    def changed(self, **settings: object) -> Supply:
        """The same sequences with another side, dtype or other pads."""
        usual = {"side": self.side, "dtype": self.dtype, "pads": self.pads}
        return Supply(self.sources, self.lengths, seed=self.seed, **(usual | settings))

    def pick(self, rows: Sequence[int]) -> Supply:
        """Of these rows only."""
        sources = [source.pick(rows) for source in self.sources]
        lengths = [own[list(rows)] for own in self.lengths]
        return Supply(sources, lengths, self.side, self.dtype, self.seed, self.pads)

    @property
    def shortest(self) -> int:
        """The row with the fewest steps, which has the most padding."""
        return min(range(len(self)), key=lambda row: sum(int(own[row]) for own in self.lengths))

    @property
    def other_steps(self) -> list[tuple[int, ...]]:
        """Padded lengths to ask: a little more and twice as many, other ones for every axis."""
        return [
            tuple(factor * n + more + axis for axis, n in enumerate(self.longest))
            for factor, more in ((1, 1), (2, 0))
        ]

    def far_steps(self, factor: int) -> list[int]:
        """So many times the longest sequence on every axis, no two axes alike."""
        return [factor * n + axis for axis, n in enumerate(self.longest)]

    def feed(
        self,
        rows: Sequence[int] | None = None,
        steps: Sequence[int] | None = None,
        *,
        pads: int = 0,
        large: bool = False,
        others: Sequence[int] = (),
        nudge: float = 0.0,
    ) -> Feed:
        """A batch of these rows.

        Args:
            rows: which sequences, in this order; all if not given.
            steps: the padded length of each axis; the longest of the rows if not given.
            pads: which random padding; another number is another padding.
            large: make the padding a thousand times larger than the data.
            others: rows whose real values are replaced by others.
            nudge: relative change of every real value.
        """
        rows = list(range(len(self)) if rows is None else rows)
        lengths = tuple(own[rows] for own in self.lengths)
        steps = tuple(max(1, int(own.max())) for own in lengths) if steps is None else tuple(steps)
        tensors = []
        for number, source in enumerate(self.sources):
            if source.axis is None:
                tensors.append(torch.stack([self._cast(source.rows[row]) for row in rows]))
                continue
            real = [self._cast(source.rows[row]) for row in rows]
            real = [
                self._other(source, values, number, 1000 + row) if row in others else values
                for row, values in zip(rows, real, strict=True)
            ]
            if nudge and not source.whole:
                real = [values * (1 + nudge) for values in real]
            shape = (len(rows), steps[source.axis], *source.values.shape[2:])
            padding = self._padding(source, number, shape, pads, large)
            tensors.append(self._put(padding, real))
        axes = tuple(source.axis for source in self.sources)
        return Feed(tuple(tensors), axes, lengths, steps, self.side)

    def _cast(self, values: Tensor) -> Tensor:
        return values.to(self.dtype) if values.is_floating_point() else values

    def _put(self, padded: Tensor, rows: Sequence[Tensor]) -> Tensor:
        """Write the real steps over the padding, in place."""
        for target, row in zip(padded, rows, strict=True):
            start = 0 if self.side == "right" else len(target) - len(row)
            target[start : start + len(row)] = row
        return padded

    def _padding(
        self, source: Source, number: int, shape: tuple[int, ...], pads: int, large: bool
    ) -> Tensor:
        like = self._cast(source.values)
        held = self.pads if number == 0 and self.pads is not None else source.pad
        if held is not None:
            return like.new_full(shape, held)
        if not source.whole:
            return self._noise(source, shape, self._random(number, pads), large).to(like)
        first = torch.randint(
            len(source.pool), shape, generator=self._random(number, 0), device="cpu"
        )
        ids = source.pool[first.to(source.pool.device)]
        return ids if pads == 0 else self._other(source, ids, number, pads)

    def _other(self, source: Source, values: Tensor, number: int, draw: int) -> Tensor:
        """Values of the same kind, different everywhere."""
        random = self._random(number, draw)
        if not source.whole:
            return self._noise(source, values.shape, random, False).to(values)
        pool = source.pool
        if source.pad is not None:
            pool = pool[pool != source.pad]
        if len(pool) < 2:
            return values
        shift = torch.randint(1, len(pool), values.shape, generator=random, device="cpu")
        place = torch.searchsorted(pool.long(), values.long().contiguous())
        changed = pool[(place + shift.to(place.device)) % len(pool)]
        return changed if source.pad is None else torch.where(values == source.pad, values, changed)

    @staticmethod
    def _noise(
        source: Source, shape: Sequence[int], random: torch.Generator, large: bool
    ) -> Tensor:
        noise = torch.randn(tuple(shape), generator=random, dtype=torch.float64, device="cpu")
        scale = source.scale
        size = min(LARGE * scale, max(LARGE / scale, scale)) if large else scale
        return (noise if source.negative else noise.abs()) * size

    def _random(self, number: int, draw: int) -> torch.Generator:
        seed = 1_000_003 * self.seed + 100_003 * number + draw
        return torch.Generator("cpu").manual_seed(seed)
