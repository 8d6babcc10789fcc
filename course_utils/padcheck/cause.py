"""The likely cause of a failure: found by tracing two runs, then given its name and cure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from course_utils.padcheck.batches import Batch
from course_utils.padcheck.probe import Refused
from course_utils.padcheck.questions import Case
from course_utils.padcheck.report import Cause, Question
from course_utils.padcheck.trace import Comparison, Event, View, add_gradients, record

CAUSES = {
    cause.name: cause
    for cause in (
        Cause(
            "backward direction",
            "the backward direction starts in the padding and carries it to real steps.",
            "pack the batch before the recurrent layer.",
            "05_packed_sequences",
        ),
        Cause(
            "final state",
            "the final state is taken after the recurrent layer has read the padding.",
            "pack the batch: then h_n is the state after each row's last real step.",
            "07_last_step_extraction",
        ),
        Cause(
            "last step",
            "a step is read that is padding in shorter rows, output[:, -1] for example.",
            "read the last real step: last_steps(output, lengths), or h_n of a packed run.",
            "07_last_step_extraction",
        ),
        Cause(
            "loop over padding",
            "a loop over the steps moves the state on at pads.",
            "carry the old state on at pads: torch.where(mask, new, old).",
            "04_masking",
        ),
        Cause(
            "left padding",
            "the state has read the padding on the left before the first real step.",
            "pad on the right and pack, or keep the state at zero until the first real step.",
            "07_last_step_extraction",
        ),
        Cause(
            "reversed padding",
            "the sequences are reversed together with their padding, which then comes first.",
            "reverse the real steps only, or let a packed bidirectional layer do it.",
            "05_packed_sequences",
        ),
        Cause(
            "layout",
            "the layer takes rows for steps, so sequences talk to each other.",
            "pass batch_first=True, or transpose with transpose(0, 1), never with view.",
            "03_padding",
        ),
        Cause(
            "lost order",
            "the rows are sorted or shuffled and never put back.",
            "undo the permutation, or let pack_padded_sequence sort: enforce_sorted=False.",
            "05_packed_sequences",
        ),
        Cause(
            "wrong lengths",
            "the lengths given to pack_padded_sequence include padding.",
            "pass the true lengths.",
            "05_packed_sequences",
        ),
        Cause(
            "lengths from values",
            "the real steps are guessed from what the inputs hold.",
            "use the lengths; if the model must look for a pad value, say pad_marker=...",
            "04_masking",
        ),
        Cause(
            "shifted positions",
            "positions are counted from the padded start, so padding on the left shifts them.",
            "count real steps: position_ids = (mask.cumsum(1) - 1).clamp(min=0).",
            "10_beyond_rnns",
        ),
        Cause(
            "pooling over padding",
            "a sum or a mean over the steps takes the pads in, or divides by all T steps.",
            "use masked_mean(output, mask, dim=1).",
            "04_masking",
        ),
        Cause(
            "maximum over padding",
            "the maximum over the steps may be a pad, and a zero beats negative values.",
            "use masked_max(output, mask), which sets pads to -inf first.",
            "07_last_step_extraction",
        ),
        Cause(
            "softmax over padding",
            "a softmax gives pads a share of the weight.",
            "use masked_softmax(scores, mask), or set the scores of pads to -inf first.",
            "04_masking",
        ),
        Cause(
            "attention without mask",
            "real steps attend to pads, because attention gets no mask.",
            "pass key_padding_mask=convert_mask(mask, to='mha'), or attention's own mask argument.",
            "10_beyond_rnns",
        ),
        Cause(
            "wrong attention mask",
            "attention gets a mask, but real steps still attend to pads.",
            "check what True means: nn.MultiheadAttention ignores where its mask is True.",
            "04_masking",
        ),
        Cause(
            "convolution at the edge",
            "the window of a convolution reaches from the last real step into the padding.",
            "set the pads to zero before every convolution: masked_fill(~mask, 0).",
            "10_beyond_rnns",
        ),
        Cause(
            "normalisation over padding",
            "statistics are taken over steps or rows, pads included.",
            "normalise each step by itself (layer norm), or take statistics over real steps.",
            "10_beyond_rnns",
        ),
        Cause(
            "batch statistics",
            "statistics of the whole batch make each row depend on the others.",
            "use layer norm, or accept it in training and check eval mode.",
            "10_beyond_rnns",
        ),
        Cause(
            "loss over padding",
            "the loss counts padded positions, in its sum or in what it divides by.",
            "use a masked loss: sum over real positions, divided by their number.",
            "06_masked_loss",
        ),
        Cause(
            "overflow in the pads",
            "large pads become inf or NaN, and multiplying by a mask does not remove them.",
            "use masked_fill or torch.where before the computation, not mask * values after it.",
            "04_masking",
        ),
    )
}
UNKNOWN = Cause(
    "unknown",
    "no operation was recognised as the one that lets padding in.",
    "run parts of the model through padcheck, from the first layer on.",
    "11_bug_clinic",
)

_POOLING = {"mean", "sum", "einsum", "matmul", "bmm", "baddbmm", "nanmean", "div", "mul",
            "true_divide", "__truediv__", "cumsum", "nansum", "tensordot", "dot", "mv"}  # fmt: skip
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


def find_cause(case: Case, single: Case | None, failed: set[str]) -> Cause:
    """The likely cause of these failures, or ``UNKNOWN``."""
    located = None
    try:
        for contrast in _contrasts(case, single, failed):
            found = _examine(contrast)
            if found is not None and found.name != "unknown":
                return found
            located = located or found
    except Refused as refusal:
        return replace(UNKNOWN, where=f"could not be traced: {refusal}")
    return located or UNKNOWN


def _contrasts(case: Case, single: Case | None, failed: set[str]) -> Iterator[Contrast]:
    rows, steps, more = _roomy(case)
    everything = torch.ones(len(rows), dtype=torch.bool, device=case.batch.inputs.device)
    make = case.sequences.batch

    sequences = torch.tensor(rows, device=everything.device)

    def pair(question: Question, a: Batch, b: Batch, kept: Tensor = everything) -> Contrast:
        return Contrast(question, View(a, sequences, kept), View(b, sequences, kept), case)

    base = make(rows, steps)
    if failed & {"values", "leak", "alone", "parameters"} and case.sequences.pad_marker is None:
        yield replace(pair("values", base, _zero_padded(base)), only="lengths from values")
        yield pair("values", base, make(rows, steps, pads=1))
        if single is not None:
            # What overflows does so in single precision first, where pads are large.
            a, b = (single.sequences.batch(rows, steps, pads=3, large=big) for big in (False, True))
            yield replace(pair("values", a, b), case=single)
        yield pair("values", base, make(rows, steps, pads=3, large=True))
    if failed & {"amount", "alone"}:
        yield pair("amount", base, make(rows, more))
        longest = case.sequences.longest
        yield pair("amount", base, make(rows, longest))
    if case.probe.kind != "loss" and failed & {"mates", "alone", "order"}:
        for odd in (0, 1):
            changed = [row for row in range(len(case.sequences)) if row % 2 != odd]
            kept = [row not in changed for row in rows]
            kept = torch.tensor(kept, device=everything.device)
            yield pair("mates", base, make(rows, steps, changed=changed), kept)
    if case.probe.kind != "loss" and "alone" in failed:
        for row in range(len(case.sequences)):
            one = torch.arange(len(rows), device=everything.device) == rows.index(row)
            alone = View(make([row]), sequences[one][:1], everything[:1])
            yield Contrast("alone", View(base, sequences, one), alone, case)


def _zero_padded(batch: Batch) -> Batch:
    """The batch with zeros in its pads, which some models take for the end."""
    pads = batch.real.logical_not()
    pads = pads.reshape(*pads.shape, *[1] * (batch.inputs.dim() - 2))
    return replace(batch, inputs=batch.inputs.masked_fill(pads, 0))


def _roomy(case: Case) -> tuple[list[int], int, int]:
    """Rows and two padded lengths that no other axis has, so that shapes tell axes apart."""
    own = list(range(len(case.sequences)))
    sizes = {n for value in record(case.probe, case.batch).values for n in value.content.shape}
    count = _unused(len(own) + 1, sizes)
    steps = _unused(case.sequences.longest + 2, sizes | {count})
    more = _unused(steps + 1, sizes | {count})
    rows = own + own[-1:] * (count - len(own))
    for choice in ((rows, steps, more), (own, steps, more), (rows, case.batch.steps, steps)):
        try:
            case.probe.answers(case.sequences.batch(choice[0], choice[1]))
        except (Refused, ValueError):
            continue
        return choice
    return own, case.batch.steps, steps


def _unused(start: int, sizes: set[int]) -> int:
    while start in sizes:
        start += 1
    return start


def _examine(contrast: Contrast) -> Cause | None:
    probe = contrast.case.probe
    try:
        first = record(probe, contrast.first.batch)
        # Before the second run, which may write into buffers that the first one still needs.
        add_gradients(first, contrast.first.rows, contrast.case.sequences.seed)
        second = record(probe, contrast.second.batch)
    except (Refused, RuntimeError):
        return None
    comparison = Comparison(
        first, second, (contrast.first, contrast.second), max(contrast.case.tolerance, 1e-9)
    )
    found, lost = comparison.culprit(), comparison.lost_order()
    if found is None and lost is None:
        return None
    event, number = found or (lost, lost.outputs[0])
    name = _name(contrast, comparison, event, number) if lost is None else "lost order"
    if name == "unknown" and contrast.question == "mates" and probe.train:
        # Batch norm of real steps in one long line: there, rows cannot be told apart by shape.
        norms = [e for e in first.events if e.name == "batch_norm"]
        event, name = (norms[0], "batch statistics") if norms else (event, name)
    if contrast.only not in (None, name):
        return None
    operation = event.name.strip("_")
    place = f"{event.path} ({type(event.module).__name__}), " if event.path else ""
    return replace(CAUSES.get(name, UNKNOWN), where=f"{place}{operation}")


def _name(contrast: Contrast, comparison: Comparison, event: Event, number: int) -> str:
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
        return "lengths from values" if event.inputs else "shifted positions"
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
    if event.name in _STATISTICS or (shared and event.name in _POOLING):
        return "batch statistics" if contrast.question == "mates" else "normalisation over padding"
    if event.name in _MAXIMUM or "max_pool" in event.name:
        return "maximum over padding"
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


def _recurrent(contrast: Contrast, event: Event, number: int, source) -> str:
    module = event.module
    if isinstance(module, nn.RNNBase) and source.time:
        if (source.batch == 0) != module.batch_first:
            return "layout"
        if contrast.question == "mates":
            return "unknown"
    if contrast.case.sequences.side == "left":
        return "left padding"
    return "backward direction" if number == event.outputs[0] else "final state"


def _attention(event: Event, source) -> str:
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
