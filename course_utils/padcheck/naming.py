"""From the operation that lets padding in to the name of the cause."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.padcheck.answers import Question
from course_utils.padcheck.case import Case
from course_utils.padcheck.compare import Axes, Comparison, View
from course_utils.padcheck.trace import Event

_POOLING = {"mean", "sum", "einsum", "matmul", "bmm", "baddbmm", "nanmean", "cumsum",
            "nansum", "tensordot", "dot", "mv"}  # fmt: skip
_ARITHMETIC = {"div", "mul", "true_divide", "__truediv__", "__mul__"}
_MAXIMUM = {"max", "amax", "min", "amin", "max_pool1d", "adaptive_max_pool1d", "maximum",
            "adaptive_max_pool2d", "max_pool2d", "topk", "boolean_dispatch",
            "logsumexp", "max_pool1d_with_indices"}  # fmt: skip
_SOFTMAX = {"softmax", "log_softmax", "_softmax", "softmin", "sparsemax"}
_ATTENTION = {"multi_head_attention_forward", "scaled_dot_product_attention"}
_READING = {"__getitem__", "select", "index_select", "gather", "take_along_dim", "narrow",
            "unbind", "take", "split", "chunk"}  # fmt: skip
_STATISTICS = {"batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm", "var", "std",
               "var_mean", "std_mean", "normalize", "norm", "quantile", "median"}  # fmt: skip
_RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}


@dataclass(frozen=True)
class Contrast:
    """Two batches whose real results should agree, and where to look in each."""

    question: Question
    first: View
    second: View
    case: Case
    only: str | None = None
    """The one cause that this pair of batches can tell."""


def name_cause(contrast: Contrast, comparison: Comparison, event: Event, number: int) -> str:
    """The name of the cause, from the operation that lets padding in."""
    values = comparison.traces[0].values
    output, axes = values[number], comparison.axes(number)
    source = comparison.axes(event.inputs[0]) if event.inputs else None
    shared = axes.batch is None and not axes.flat
    if _overflows(comparison, number):
        return "overflow in the pads"
    loss = contrast.case.probe.kind == "loss"
    if not output.content.is_floating_point():
        if axes.time and output.content.dtype != torch.bool and event.inputs:
            return "loss over padding" if loss else "unknown"  # targets that are pads
        if not event.inputs:
            return "shifted positions"
        return "lengths from values" if contrast.question in ("values", "amount") else "unknown"
    if event.name in _RECURRENT:
        return _recurrent(contrast, event, number, source)
    if event.name in _ATTENTION:
        return _attention(event, source)
    if loss and output.content.numel() == 1:
        return "loss over padding"
    if event.name in _SOFTMAX:
        return "attention without mask" if len(axes.time) == 2 else "softmax over padding"
    if "conv" in event.name or event.name == "unfold":
        return "convolution at the edge"
    if event.name in _STATISTICS or (shared and event.name in _POOLING | _MAXIMUM):
        return "batch statistics" if contrast.question == "mates" else "normalisation over padding"
    if event.name in _MAXIMUM or "max_pool" in event.name:
        return "maximum over padding"
    if event.name in _ARITHMETIC:
        return "pooling over padding" if contrast.question == "amount" and not shared else "unknown"
    if event.name in _POOLING or "avg_pool" in event.name:
        return "pooling over padding"
    if event.name == "_pack_padded_sequence":
        return "wrong lengths"
    if event.name in ("view", "reshape", "unflatten"):
        return "layout"
    return _moved(contrast, comparison, event, number)


def _overflows(comparison: Comparison, number: int) -> bool:
    value = comparison.traces[0].values[number].content
    other = comparison.traces[1].values[comparison._pairs[number]].content
    return value.is_floating_point() and bool(value.isfinite().all() > other.isfinite().all())


def _recurrent(contrast: Contrast, event: Event, number: int, source: Axes) -> str:
    module = event.module
    if isinstance(module, nn.RNNBase) and source.time:
        if (source.batch == 0) != module.batch_first:
            return "layout"
        if contrast.question == "mates":
            return "unknown"
    if contrast.case.sequences.side == "left":
        return "left padding"
    return "backward direction" if number == event.outputs[0] else "final state"


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


def _moved(contrast: Contrast, comparison: Comparison, event: Event, number: int) -> str:
    """Operations that only move numbers: flips, permutations of rows, steps that are read."""
    first = comparison.traces[0]
    output = first.values[number].content
    source = first.values[event.inputs[0]].content if event.inputs else output
    axes = comparison.axes(event.inputs[0]) if event.inputs else None
    if axes is not None and any(output.equal(source.flip(axis)) for axis in axes.time):
        return "reversed padding"
    if event.name not in _READING:
        return "unknown"
    reads = [e for e in first.events if e.name == event.name and e.inputs[:1] == event.inputs[:1]]
    relevant = [n for n in event.outputs if comparison.differing(n) is not None
                and bool(comparison.differing(n).any())]  # fmt: skip
    return "loop over padding" if len(reads) > 2 or len(relevant) > 1 else "last step"
