"""Two traces beside each other: where padding first reaches a real number, and what that is.

The culprit is the first operation whose inputs agree at real positions while its output differs
there, at a place that the result depends on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.padcheck.feeding import Feed
from course_utils.padcheck.running import Runner, weighted_sum
from course_utils.padcheck.subject import Subject
from course_utils.padcheck.watching import Axes, Event, Trace, Value, View

# These change the number of steps, so nobody can say which of their outputs are real.
_RESHAPERS = {"pad", "cat", "concat", "stack", "view", "reshape", "flatten", "unfold", "split"}
_RESHAPERS |= {"__getitem__", "narrow", "chunk", "expand", "repeat", "repeat_interleave"}
# These may put rows in another order.
_REORDERS = {"__getitem__", "index_select", "gather", "take_along_dim", "index", "flip"}
# What these return is garbage until something is written into it.
_UNWRITTEN = {"empty", "empty_like", "new_empty"}

_POOLING = {"mean", "sum", "einsum", "matmul", "bmm", "baddbmm", "nanmean", "cumsum",
            "nansum", "tensordot", "dot", "mv", "embedding_bag", "logsumexp", "median",
            "nanmedian", "quantile"}  # fmt: skip
_ARITHMETIC = {"div", "mul", "true_divide", "__truediv__", "__mul__"}
_MAXIMUM = {"max", "amax", "min", "amin", "max_pool1d", "adaptive_max_pool1d", "maximum",
            "adaptive_max_pool2d", "max_pool2d", "topk", "boolean_dispatch",
            "max_pool1d_with_indices"}  # fmt: skip
_SOFTMAX = {"softmax", "log_softmax", "_softmax", "softmin", "sparsemax"}
_ATTENTION = {"multi_head_attention_forward", "scaled_dot_product_attention"}
_READING = {"__getitem__", "select", "index_select", "gather", "take_along_dim", "narrow",
            "unbind", "take", "split", "chunk"}  # fmt: skip
_STATISTICS = {"batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm", "var", "std",
               "var_mean", "std_mean", "normalize", "norm"}  # fmt: skip
_CONSTANTS = {"full", "full_like", "new_full", "fill_", "tensor", "new_tensor"}
_RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}


@dataclass(frozen=True)
class Pair:
    """Two batches whose real results should agree, and where to look in each."""

    question: str
    first: View
    second: View
    subject: Subject
    only: str | None = None
    """The one cause that this pair of batches can tell."""


def record(runner: Runner, feed: Feed) -> Trace:
    """Run the model on a batch and note every operation."""
    trace = Trace()
    leaves = [t.clone().requires_grad_(t.is_floating_point()) for t in feed.tensors]
    with trace.hooked(runner.model):
        tensors = [t.clone() if t.is_floating_point() else t for t in leaves]
        with trace:
            result = runner.result(feed, tensors=tensors)
    trace.result, trace.result_number = runner.reading.rows(result, feed), trace.number(result)
    return trace


def add_gradients(trace: Trace, rows: Tensor, seed: int) -> None:
    """How much the results of these rows depend on every value that was met."""
    generator = torch.Generator("cpu").manual_seed(seed)
    chosen = trace.result
    if len(chosen) == len(rows):
        chosen = [row for row, wanted in zip(chosen, rows.tolist(), strict=True) if wanted]
    weights = [torch.randn(row.shape, generator=generator, device="cpu") for row in chosen]
    total = weighted_sum(chosen, weights)
    values = [v for v in trace.values if v.tensor.requires_grad]
    if not total.requires_grad:
        return
    found = torch.autograd.grad(total, [v.tensor for v in values], allow_unused=True)
    for value, gradient in zip(values, found, strict=True):
        value.gradient = torch.zeros_like(value.content) if gradient is None else gradient


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
        self.twins: dict[int, int] = {}
        self.parted: tuple[Event, ...] | None = None
        """Where the two runs stop doing the same, if they do."""
        self._known: dict[int, Tensor | None] = {}
        self._orders: dict[int, Tensor] = {}

    def axes(self, number: int) -> Axes:
        """The axes of a value."""
        return Axes.of(self.traces[0].values[number].content.shape, self.views[0].feed)

    def contents(self, number: int) -> tuple[Tensor, Tensor]:
        """A value in both traces."""
        first, second = self.traces
        return first.values[number].content, second.values[self.twins[number]].content

    def differing(self, number: int) -> Tensor | None:
        """Which of the numbers looked at differ and matter; None if it cannot be said."""
        if number not in self._known:
            self._known[number] = self._compare(number)
        return self._known[number]

    def _compare(self, number: int) -> Tensor | None:
        if number not in self.twins:
            return None
        value, axes = self.traces[0].values[number], self.axes(number)
        content, other = self.contents(number)
        if content.dim() != other.dim() or content.is_nested:
            return None
        views = [view.take(self._orders.get(number)) for view in self.views]
        try:
            mask = axes.mask(content.shape, views[0])
            a, b = content[mask], other[axes.mask(other.shape, views[1])]
        except (RuntimeError, IndexError):
            return None
        if a.shape != b.shape:
            return None
        differ = different(a, b, self.tolerance)
        if value.gradient is None or not value.gradient.numel():
            return differ
        slope = value.gradient[mask].abs()
        return differ & ~(slope <= 1e-12 * value.gradient.abs().max())

    def dirty(self, number: int) -> bool:
        """Whether a value differs at real places that matter."""
        found = self.differing(number)
        return found is not None and bool(found.any())

    def _uncertain(self, event: Event, number: int) -> bool:
        """Whether an operation hid the time axis, so that real and pad cannot be told apart."""
        content = self.traces[0].values[number].content
        feed = self.views[0].feed
        if content.dim() and len(content) in [int(own.sum()) for own in feed.lengths]:
            return True  # real steps of all rows in one long line, packed for example
        if event.name not in _RESHAPERS:
            return False
        had_time = [self.axes(n) for n in event.inputs if self.axes(n).has_time]
        if not had_time or self.axes(number).has_time:
            return False
        if event.name not in ("__getitem__", "narrow"):
            return True
        # One step taken out is a reader; several are a part of the time axis.
        where = next(iter(had_time[0].time), 0)
        source = self.traces[0].values[event.inputs[0]].content
        return content.dim() == source.dim() and content.shape[where] > 1

    def culprit(self) -> tuple[Event, int] | None:
        """The first operation that lets padding into a real number, and which output shows it."""
        first, second = self.traces
        weak = unsure = None
        for event, twin in zip(first.events, second.events, strict=False):
            if event.name != twin.name or len(event.outputs) != len(twin.outputs):
                self.parted = event, twin
                break
            self._pair(event, twin)
            if any(self.dirty(number) for number in event.inputs):
                continue
            for number in event.outputs:
                if not self.dirty(number):
                    continue
                if first.values[number].gradient is None:
                    weak = weak or (event, number)
                elif any(self.differing(n) is None for n in event.inputs):
                    unsure = unsure or (event, number)
                else:
                    return event, number
        more = max(first.events, second.events, key=len)[
            min(len(first.events), len(second.events)) :
        ]
        self.parted = self.parted or tuple(more[:1]) or None
        return weak or unsure

    def lost_order(self) -> Event | None:
        """The operation that reordered the rows, if the result never got its own order back."""
        order = self._orders.get(self.traces[0].result_number)
        sequences = self.views[0].sequences
        if order is None or sequences[order].equal(sequences):
            return None
        return next(e for e in self.traces[0].events if any(n in self._orders for n in e.outputs))

    def _pair(self, event: Event, twin: Event) -> None:
        self.twins |= dict(zip(event.inputs, twin.inputs, strict=False))
        self.twins |= dict(zip(event.outputs, twin.outputs, strict=False))
        order = next((self._orders[n] for n in event.inputs if n in self._orders), None)
        if event.name in _REORDERS and event.inputs:
            moved = self._permutation(event.inputs[0], event.outputs[0])
            if moved is not None:
                order = moved if order is None else order[moved]
        for number in event.outputs:
            if order is not None:
                self._orders[number] = order
            # Indices, and lengths in another order, have nothing to do with those of one row.
            alone = self.views[0].feed.rows != self.views[1].feed.rows
            whole = not self.traces[0].values[number].content.is_floating_point()
            unclear = event.name in _UNWRITTEN or (alone and whole)
            if unclear or self._uncertain(event, number):
                self._known[number] = None

    def _permutation(self, source: int, output: int) -> Tensor | None:
        """Which row of the source stands in each row of the output; None if it holds others."""
        values, axes = self.traces[0].values, self.axes(source)
        before, after = values[source].content, values[output].content
        if axes.batch is None or axes.flat is not None or before.shape != after.shape:
            return None
        if before.dim() < 2:
            return None
        before, after = (t.movedim(axes.batch, 0).flatten(1) for t in (before, after))
        same = (after[:, None] == before[None]).all(-1)
        if same.diagonal().all() or not same.any(1).all():
            return None
        return same.int().argmax(1)


def different(a: Tensor, b: Tensor, tolerance: float) -> Tensor:
    """Where two tensors differ by more than rounding, relative to the size of the first."""
    if not (a.is_floating_point() or a.is_complex()):
        return a != b
    finite = a.abs()[a.isfinite()]
    size = finite.max() if finite.numel() else 0
    same = (a == b) | (a.isnan() & b.isnan())
    return ~same & ~((a - b).abs() <= tolerance * size)


def name_cause(pair: Pair, comparison: Comparison, event: Event, number: int) -> str:
    """The name of the cause, from the operation that lets padding in."""
    values = comparison.traces[0].values
    output, axes = values[number], comparison.axes(number)
    source = comparison.axes(event.inputs[0]) if event.inputs else None
    shared = axes.batch is None and axes.flat is None
    if _overflows(comparison, number):
        return "overflow in the pads"
    loss = pair.subject.is_loss
    last = output.content.dim() - 1
    if event.name.startswith("fft_") or (
        event.name == "linear" and source and source.time.keys() == {last}
    ):
        return "mixing over steps"
    if event.name in ("_pack_padded_sequence", "ctc_loss"):
        return "wrong lengths"
    if not (output.content.is_floating_point() or output.content.is_complex()):
        return _of_whole_numbers(pair, event, output.content, axes)
    if event.name in _RECURRENT:
        clear = comparison.differing(event.inputs[0]) is not None
        return _recurrent(pair, event, number, source) if clear else "unknown"
    if event.name in _ATTENTION:
        return _attention(event, source)
    if loss and output.content.numel() == 1:
        return "loss over padding"
    if event.name in _SOFTMAX:
        return "attention without mask" if len(axes.time) == 2 else "softmax over padding"
    if "conv" in event.name or event.name == "unfold":
        return "convolution at the edge"
    if event.name in _STATISTICS or (shared and event.name in _POOLING | _MAXIMUM):
        return "batch statistics" if pair.question == "mates" else "normalisation over padding"
    if event.name in _MAXIMUM or "max_pool" in event.name:
        return "maximum over padding"
    if event.name in _ARITHMETIC:
        counted = pair.question == "amount" or _by_one_number(event, values)
        return "pooling over padding" if counted and not shared else "unknown"
    if event.name in _POOLING or "avg_pool" in event.name:
        return "pooling over padding"
    if event.name in ("view", "reshape", "unflatten") and source:
        return "layout" if axes.rows_first != source.rows_first else "unknown"
    return _moved(pair, comparison, event, number)


def _by_one_number(event: Event, values: list[Value]) -> bool:
    return "div" in event.name and values[event.inputs[-1]].content.numel() == 1


def _of_whole_numbers(pair: Pair, event: Event, content: Tensor, axes: Axes) -> str:
    if axes.time and content.dtype != torch.bool and event.inputs:
        return "loss over padding" if pair.subject.is_loss else "unknown"  # targets that are pads
    if not event.inputs:
        return "shifted positions"
    if pair.question == "amount" and event.name in _CONSTANTS:
        return "wrong lengths"
    return "lengths from values" if pair.question in ("values", "amount") else "unknown"


def _overflows(comparison: Comparison, number: int) -> bool:
    value, other = comparison.contents(number)
    return value.is_floating_point() and bool(value.isfinite().all() > other.isfinite().all())


def _recurrent(pair: Pair, event: Event, number: int, source: Axes) -> str:
    module = event.module
    if isinstance(module, nn.RNNBase) and source.time:
        if (source.batch == 0) != module.batch_first:
            return "layout"
        if pair.question == "mates":
            return "unknown"
    if pair.subject.supply.side == "left":
        return "left padding"
    # In one direction, steps whose inputs agree differ by the state that the layer began with.
    back = number == event.outputs[0] and getattr(module, "bidirectional", True)
    return "backward direction" if back else "final state"


def _attention(event: Event, source: Axes) -> str:
    if event.name == "multi_head_attention_forward":
        # By now the steps are the first axis, whatever batch_first says.
        if source.time and source.batch == 0:
            return "layout"
        masks = [event.kwargs.get("key_padding_mask"), event.kwargs.get("attn_mask")]
    else:
        masks = [event.kwargs.get("attn_mask"), *event.args[3:4]]
    # A bias on the scores, of positions for example, hides nothing.
    masked = any(
        isinstance(mask, Tensor) and (mask.dtype == torch.bool or float(mask.min()) < -1e3)
        for mask in masks
    )
    return "wrong attention mask" if masked else "attention without mask"


def _moved(pair: Pair, comparison: Comparison, event: Event, number: int) -> str:
    """Operations that only move numbers: flips, permutations of rows, steps that are read."""
    first = comparison.traces[0]
    output = first.values[number].content
    source = first.values[event.inputs[0]].content if event.inputs else output
    axes = comparison.axes(event.inputs[0]) if event.inputs else None
    if axes is not None and any(output.equal(source.flip(axis)) for axis in axes.time):
        return "reversed padding"
    if event.name not in _READING or comparison.differing(event.inputs[0]) is None:
        return "unknown"
    reads = [e for e in first.events if e.name == event.name and e.inputs[:1] == event.inputs[:1]]
    relevant = [n for n in event.outputs if comparison.differing(n) is not None
                and bool(comparison.differing(n).any())]  # fmt: skip
    return "loop over padding" if len(reads) > 2 or len(relevant) > 1 else "last step"
