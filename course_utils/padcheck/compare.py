"""Two traces beside each other: where padding first reaches a real number.

The culprit is the first operation whose inputs agree at real positions while its output differs
there, at a place that the result depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.padcheck.batches import Batch
from course_utils.padcheck.trace import Event, Trace

# These change the number of steps, so nobody can say which of their outputs are real.
_RESHAPERS = {"pad", "cat", "concat", "stack", "view", "reshape", "flatten", "unfold", "split"}
_RESHAPERS |= {"__getitem__", "narrow", "chunk", "expand", "repeat", "repeat_interleave"}


# These may put rows in another order.
_REORDERS = {"__getitem__", "index_select", "gather", "take_along_dim", "index", "flip"}
# What these return is garbage until something is written into it.
_UNWRITTEN = {"empty", "empty_like", "new_empty"}


@dataclass(frozen=True)
class View:
    """Which numbers of a run to look at: its batch, which sequences it holds, which of its rows."""

    batch: Batch
    sequences: Tensor
    """Number of the sequence in every row, ``(B,)``."""
    rows: Tensor
    """Boolean ``(B,)``."""

    def take(self, order: Tensor | None) -> View:
        """The same with the rows in another order; a single row has none."""
        if order is None or len(order) != len(self.rows):
            return self
        return View(self.batch.take(order.tolist()), self.sequences[order], self.rows[order])

    @property
    def real(self) -> Tensor:
        """Boolean ``(B, T)``: the real steps of the rows."""
        return self.batch.real & self.rows[:, None]


@dataclass(frozen=True)
class Axes:
    """Which axes of a tensor count rows and steps."""

    batch: int | None
    time: tuple[int, ...]
    flat: bool = False
    """The first axis counts rows times steps."""

    @classmethod
    def of(cls, shape: Sequence[int], rows: int, steps: int) -> Axes:
        """Axes told by their sizes, in a batch of so many rows and steps."""
        if shape and shape[0] == rows * steps:
            return cls(0, (), flat=True)
        time = tuple(axis for axis, size in enumerate(shape) if size == steps)
        batch = next((axis for axis, size in enumerate(shape) if size == rows), None)
        if batch is None and time:
            # Attention heads: B x heads on one axis.
            batch = next((a for a, n in enumerate(shape) if n and n % rows == 0), None)
        return cls(batch, time)

    def mask(self, shape: Sequence[int], view: View) -> Tensor:
        """True at the numbers that belong to real steps of the rows, in the tensor's shape."""
        real = view.real
        if self.flat:
            return _spread(real.flatten(), (0,), shape)
        mask = torch.ones(tuple(shape), dtype=torch.bool, device=real.device)
        if self.batch is None:
            for axis in self.time:
                mask = mask & _spread(real.any(0), (axis,), shape)
            return mask
        heads = shape[self.batch] // len(real)
        mask = mask & _spread(view.rows.repeat_interleave(heads), (self.batch,), shape)
        for axis in self.time:
            both = real.repeat_interleave(heads, 0)
            mask = mask & _spread(
                both if self.batch < axis else both.T, tuple(sorted((self.batch, axis))), shape
            )
        return mask


def _spread(mask: Tensor, axes: tuple[int, ...], shape: Sequence[int]) -> Tensor:
    sizes = [n if axis in axes else 1 for axis, n in enumerate(shape)]
    return mask.reshape(sizes).expand(tuple(shape))


class Comparison:
    """Two traces beside each other.

    Args:
        first, second: the traces; gradients belong to the first.
        views: what to look at in each.
        tolerance: relative differences below it are rounding.
    """

    def __init__(
        self, first: Trace, second: Trace, views: tuple[View, View], tolerance: float
    ) -> None:
        self.traces, self.views, self.tolerance = (first, second), views, tolerance
        self._pairs: dict[int, int] = {}
        self._known: dict[int, Tensor | None] = {}
        self._orders: dict[int, Tensor] = {}

    def axes(self, number: int) -> Axes:
        """The axes of a value."""
        shape = self.traces[0].values[number].content.shape
        return Axes.of(shape, *self.views[0].batch.real.shape)

    def differing(self, number: int) -> Tensor | None:
        """Which of the numbers looked at differ and matter; None if it cannot be said."""
        if number not in self._known:
            self._known[number] = self._compare(number)
        return self._known[number]

    def _compare(self, number: int) -> Tensor | None:
        other = self._pairs.get(number)
        if other is None:
            return None
        value, second = self.traces[0].values[number], self.traces[1].values[other]
        axes = self.axes(number)
        if value.content.dim() != second.content.dim() or value.content.is_nested:
            return None
        views = [view.take(self._orders.get(number)) for view in self.views]
        try:
            mask = axes.mask(value.content.shape, views[0])
            a = value.content[mask]
            b = second.content[axes.mask(second.content.shape, views[1])]
        except (RuntimeError, IndexError):
            return None
        if a.shape != b.shape:
            return None
        size = a.abs()[a.isfinite()].max() if a.is_floating_point() and a.isfinite().any() else 0
        differ = ~((a == b) | (a.isnan() & b.isnan())) if a.is_floating_point() else a != b
        if a.is_floating_point():
            differ &= ~((a - b).abs() <= self.tolerance * size)
        if value.gradient is None:
            return differ
        slope = value.gradient[mask].abs()
        return differ & ~(slope <= 1e-12 * value.gradient.abs().max())

    def _dirty(self, number: int) -> bool:
        found = self.differing(number)
        return found is not None and bool(found.any())

    def _uncertain(self, event: Event, number: int) -> bool:
        """Whether an operation hid the time axis, so that real and pad cannot be told apart."""
        content = self.traces[0].values[number].content
        if content.dim() and len(content) == int(self.views[0].batch.lengths.sum()):
            return True  # real steps of all rows in one long line, packed for example
        if event.name not in _RESHAPERS:
            return False
        had_time = [self.axes(n) for n in event.inputs if self.axes(n).time or self.axes(n).flat]
        axes = self.axes(number)
        if not had_time or axes.time or axes.flat:
            return False
        if event.name not in ("__getitem__", "narrow"):
            return True
        # One step taken out is a reader; several are a part of the time axis.
        where = had_time[0].time[0] if had_time[0].time else 0
        source = self.traces[0].values[event.inputs[0]].content
        return content.dim() == source.dim() and content.shape[where] > 1

    def culprit(self) -> tuple[Event, int] | None:
        """The first operation that lets padding into a real number, and which output shows it."""
        first, second = self.traces
        weak = unsure = None
        for event, twin in zip(first.events, second.events, strict=False):
            if event.name != twin.name or len(event.outputs) != len(twin.outputs):
                break
            self._pair(event, twin)
            if any(self._dirty(number) for number in event.inputs):
                continue
            for number in event.outputs:
                if not self._dirty(number):
                    continue
                if first.values[number].gradient is None:
                    weak = weak or (event, number)
                elif any(self.differing(n) is None for n in event.inputs):
                    unsure = unsure or (event, number)
                else:
                    return event, number
        return weak or unsure

    def lost_order(self) -> Event | None:
        """The operation that reordered the rows, if the result never got its own order back."""
        order = self._orders.get(self.traces[0].result_number)
        sequences = self.views[0].sequences
        if order is None or sequences[order].equal(sequences):
            return None
        return next(e for e in self.traces[0].events if any(n in self._orders for n in e.outputs))

    def _pair(self, event: Event, twin: Event) -> None:
        self._pairs |= dict(zip(event.inputs, twin.inputs, strict=False))
        self._pairs |= dict(zip(event.outputs, twin.outputs, strict=False))
        order = next((self._orders[n] for n in event.inputs if n in self._orders), None)
        if event.name in _REORDERS and event.inputs:
            moved = self._permutation(event.inputs[0], event.outputs[0])
            if moved is not None:
                order = moved if order is None else order[moved]
        for number in event.outputs:
            if order is not None:
                self._orders[number] = order
            if event.name in _UNWRITTEN or self._uncertain(event, number):
                self._known[number] = None

    def _permutation(self, source: int, output: int) -> Tensor | None:
        """Which row of the source stands in each row of the output; None if it holds others."""
        values, axes = self.traces[0].values, self.axes(source)
        before, after = values[source].content, values[output].content
        if axes.batch is None or axes.flat or before.shape != after.shape or before.dim() < 2:
            return None
        before, after = (t.movedim(axes.batch, 0).flatten(1) for t in (before, after))
        same = (after[:, None] == before[None]).all(-1)
        if same.diagonal().all() or not same.any(1).all():
            return None
        return same.int().argmax(1)
