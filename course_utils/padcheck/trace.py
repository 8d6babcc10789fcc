"""Every operation of a run, and where padding first reaches a real number.

Hooks tell which module is at work, a ``TorchFunctionMode`` which operation. Two runs that may
differ only at pads (or in other rows) are laid beside each other: the culprit is the first
operation whose inputs agree at real positions while its output differs there, at a place that
the result depends on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.padcheck.batches import Batch
from course_utils.padcheck.probe import Probe, combine, flat_tensors

# These change the number of steps, so nobody can say which of their outputs are real.
_RESHAPERS = {"pad", "cat", "concat", "stack", "view", "reshape", "flatten", "unfold", "split"}
_RESHAPERS |= {"__getitem__", "narrow", "chunk", "expand", "repeat", "repeat_interleave"}


# These may put rows in another order.
_REORDERS = {"__getitem__", "index_select", "gather", "take_along_dim", "index", "flip"}
# What these return is garbage until something is written into it.
_UNWRITTEN = {"empty", "empty_like", "new_empty"}


@dataclass
class Value:
    """A tensor met in a run: the live one for gradients, and what it held at that time."""

    tensor: Tensor
    content: Tensor
    gradient: Tensor | None = None


@dataclass(frozen=True)
class Event:
    """One operation: its name, the module it ran in, its arguments and its values by number."""

    name: str
    module: nn.Module | None
    path: str
    args: tuple
    kwargs: Mapping[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


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


class Trace(TorchFunctionMode):
    """Records what happens while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.values: list[Value] = []
        self.result: list[Tensor] = []
        self.result_number: int | None = None
        self._numbers: dict[int, int] = {}
        self._modules: list[tuple[str, nn.Module]] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        inputs = self._number_all((args, kwargs))
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        outputs = list(flat_tensors(args[0] if name == "__setitem__" else result))
        if outputs:
            self._add(name, args, kwargs, inputs, outputs)
        return result

    def _add(self, name, args, kwargs, inputs: tuple[int, ...], outputs: list[Tensor]) -> None:
        path, module = self._modules[-1] if self._modules else ("", None)
        numbers = tuple(self._new(tensor) for tensor in outputs)
        self.events.append(Event(name, module, path, args, kwargs, inputs, numbers))

    def number(self, tensor: Tensor) -> int | None:
        """The number of a value, None if it was not met."""
        return self._numbers.get(id(tensor))

    def _number_all(self, value: Any) -> tuple[int, ...]:
        found = []
        for tensor in flat_tensors(value):
            number = self.number(tensor)
            found.append(self._new(tensor) if number is None else number)
        return tuple(found)

    def _new(self, tensor: Tensor) -> int:
        with torch._C.DisableTorchFunction():
            self.values.append(Value(tensor, tensor.detach().clone()))
        self._numbers[id(tensor)] = len(self.values) - 1
        return len(self.values) - 1

    def _enter(self, path: str, module: nn.Module) -> Callable[..., None]:
        return lambda *_: self._modules.append((path, module))

    @contextlib.contextmanager
    def hooked(self, model: Any) -> Iterator[None]:
        """Follow which module is at work."""
        handles = []

        def leave(module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
            # An operation that Python does not see (a scripted module, say) counts as one event.
            new = [t for t in flat_tensors(output) if id(t) not in self._numbers]
            if new:
                name = type(module).__name__
                self._add(name, args, kwargs, self._number_all((args, kwargs)), new)
            self._modules.pop()

        modules = model.named_modules() if isinstance(model, nn.Module) else ()
        for path, module in modules:
            handles.append(module.register_forward_pre_hook(self._enter(path, module)))
            handles.append(module.register_forward_hook(leave, with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def record(probe: Probe, batch: Batch) -> Trace:
    """Run the model on a batch and note every operation."""
    trace = Trace()
    leaf = batch.inputs.clone()
    with trace.hooked(probe.model):
        inputs = leaf.requires_grad_().clone() if leaf.is_floating_point() else leaf
        with trace:
            result = probe.result(batch, inputs=inputs)
    trace.result, trace.result_number = probe.rows(result, batch), trace.number(result)
    return trace


def add_gradients(trace: Trace, rows: Tensor, seed: int) -> None:
    """How much the results of these rows depend on every value that was met."""
    generator = torch.Generator("cpu").manual_seed(seed)
    chosen = trace.result
    if len(chosen) == len(rows):
        chosen = [row for row, wanted in zip(chosen, rows.tolist(), strict=True) if wanted]
    weights = [torch.randn(row.shape, generator=generator, device="cpu") for row in chosen]
    total = combine(chosen, weights)
    values = [v for v in trace.values if v.tensor.requires_grad]
    if not total.requires_grad:
        return
    found = torch.autograd.grad(total, [v.tensor for v in values], allow_unused=True)
    for value, gradient in zip(values, found, strict=True):
        value.gradient = torch.zeros_like(value.content) if gradient is None else gradient


@dataclass(frozen=True)
class Axes:
    """Which axes of a tensor count rows and steps."""

    batch: int | None
    time: tuple[int, ...]
    flat: bool = False
    """The first axis counts rows times steps."""

    @classmethod
    def of(cls, shape: Sequence[int], rows: int, steps: int) -> Axes:
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
        rows, steps = views[0].batch.real.shape
        self._axes: Callable[[Tensor], Axes] = lambda t: Axes.of(t.shape, rows, steps)
        self._pairs: dict[int, int] = {}
        self._known: dict[int, Tensor | None] = {}
        self._orders: dict[int, Tensor] = {}

    def axes(self, number: int) -> Axes:
        """The axes of a value."""
        return self._axes(self.traces[0].values[number].content)

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
