"""The capstone: a pipeline in which padding counts nowhere, and six bugs that can be planted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data import small_batch
from course_utils.lessons.compare import same
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution
from course_utils.masked import masked_accuracy, masked_cross_entropy, masked_mean
from course_utils.sequences import last_steps, lengths_to_mask, pack, pad_batch, unpack

# What the bug does, by the name of the result in which it shows first.
BUGS = {
    "mask": "the mask takes real steps of zeros for padding",
    "outputs": "the backward direction starts on padding",
    "last": "the last column is padding or zeros in shorter rows",
    "pooled": "the mean over time divides by the padded length",
    "loss": "the loss counts pads, whose label 0 is a real class",
    "accuracy": "the accuracy counts pads",
}


def buggy_pipeline(
    inputs: Tensor,
    lengths: Tensor,
    labels: Tensor,
    rnn: nn.RNNBase,
    linear: nn.Linear,
    bugs: Collection[str] = tuple(BUGS),
) -> dict[str, Tensor]:
    """The capstone's pipeline with some of the bugs that :data:`BUGS` names.

    Args:
        inputs: ``(B, T, F)``.
        lengths: ``(B,)`` on the CPU.
        labels: a class for each step, ``(B, T)``.
        rnn: a layer in two directions, batch first.
        linear: from its outputs to classes.
        bugs: which bugs are there.
    """
    steps = inputs.shape[1]
    mask = lengths_to_mask(lengths, steps, device=inputs.device)
    if "mask" in bugs:
        mask = (inputs != 0).any(-1)
    if "outputs" in bugs:
        outputs, hidden = rnn(inputs)
    else:
        packed, hidden = rnn(pack(inputs, lengths))
        outputs, _ = unpack(packed, total_length=steps)
    outputs = outputs * mask[..., None]
    last = outputs[:, -1] if "last" in bugs else torch.cat([hidden[-2], hidden[-1]], dim=-1)
    pooled = outputs.mean(1) if "pooled" in bugs else masked_mean(outputs, mask, dim=1)
    logits = linear(outputs)
    if "loss" in bugs:
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    else:
        loss = masked_cross_entropy(logits, labels, mask)
    if "accuracy" in bugs:
        accuracy = (logits.argmax(-1) == labels).float().mean()
    else:
        accuracy = masked_accuracy(logits, labels, mask)
    return {
        "mask": mask, "outputs": outputs, "last": last,
        "pooled": pooled, "loss": loss, "accuracy": accuracy,
    }  # fmt: skip


class PipelineLoss(nn.Module):
    """The pipeline's loss as a model, for padcheck; all six bugs unless told otherwise."""

    def __init__(
        self, input_size: int, hidden_size: int, classes: int, bugs: Collection[str] = tuple(BUGS)
    ) -> None:
        super().__init__()
        self.rnn = nn.GRU(input_size, hidden_size, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * hidden_size, classes)
        self.bugs = tuple(bugs)

    def forward(self, inputs: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        """``(B, T, F)``, lengths ``(B,)`` on the CPU and labels ``(B, T)`` to a scalar."""
        found = buggy_pipeline(inputs, lengths, labels, self.rnn, self.linear, self.bugs)
        return found["loss"]


@solution("capstone.pipeline", careful=partial(buggy_pipeline, bugs=()))
def pipeline(inputs, lengths, labels, rnn, linear) -> dict[str, torch.Tensor]:
    """Mask, outputs, both kinds of vector, loss and accuracy of a padded batch."""
    tools = torch.nn.utils.rnn
    steps = inputs.shape[1]
    mask = torch.arange(steps) < lengths[:, None]
    packed = tools.pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    packed, hidden = rnn(packed)
    outputs, _ = tools.pad_packed_sequence(packed, batch_first=True, total_length=steps)
    logits, classes = linear(outputs)[mask], labels[mask]
    last = torch.cat([hidden[-2], hidden[-1]], dim=-1)
    accuracy = (logits.argmax(-1) == classes).float().mean()
    return {
        "mask": mask,
        "outputs": outputs,
        "last": last,
        "pooled": outputs.sum(1) / lengths[:, None],
        "loss": torch.nn.functional.cross_entropy(logits, classes),
        "accuracy": accuracy,
    }


pipeline.equivalent(
    "last = torch.cat([hidden[-2], hidden[-1]], dim=1)", because="Final states have two axes."
)
pipeline.equivalent(
    "last = torch.cat([hidden[-2], hidden[1]], dim=-1)",
    because="A layer in two directions has two final states, 1 and -1 are the same one.",
)
pipeline.equivalent(
    "accuracy = (logits.argmax(1) == classes).float().mean()",
    because="The logits of real steps have two axes.",
)


def _case(
    name: str,
    inputs: Tensor,
    lengths: list[int],
    labels: Tensor,
    numbers: Callable[..., Tensor],
    rnn: nn.RNNBase,
) -> Case:
    """A case whose weights are drawn by ``numbers``, called with a shape."""
    linear = nn.Linear(2 * rnn.hidden_size, 3, device="cpu").double()
    rnn.double()
    with torch.no_grad():
        for weights in (*rnn.parameters(), *linear.parameters()):
            weights.copy_(0.7 * numbers(*weights.shape))
    counts = torch.tensor(lengths, device="cpu")
    return Case(name, (inputs, counts, labels, rnn, linear))


@pipeline.cases
def _() -> list[Case]:
    def case(
        name: str,
        lengths: list[int],
        seed: int,
        silent: tuple[int, int] | None = None,
        further: int = 0,
    ) -> Case:
        draw = Draw(seed)
        inputs = pad_batch(small_batch(lengths, 3, seed=seed, dtype=torch.float64))
        inputs = F.pad(inputs, (0, 0, 0, further))
        if silent:
            inputs[silent] = 0.0
        labels = pad_batch([torch.tensor([draw.integer(0, 2) for _ in range(n)]) for n in lengths])
        labels = F.pad(labels, (0, further))
        rnn = nn.GRU(3, 4, batch_first=True, bidirectional=True, device="cpu")
        return _case(name, inputs, lengths, labels, draw.normal, rnn)

    return [
        case("two sequences", [3, 1], 0),
        case("a real step of zeros", [4, 2, 3], 1, silent=(0, 3)),
        case("equal lengths", [3, 3, 3], 2, silent=(1, 1)),
        case("a batch padded beyond its longest sequence", [2, 3], 3, further=2),
    ]


@pipeline.random
def _(draw: Draw) -> Case:
    rows, features, size = draw.integer(1, 4), draw.integer(1, 3), draw.integer(1, 3)
    lengths = draw.lengths(rows, most=4)
    steps = max(lengths) + (draw.integer(1, 2) if draw.chance(0.4) else 0)
    real = torch.arange(steps, device="cpu") < torch.tensor(lengths, device="cpu")[:, None]
    inputs = torch.where(real[..., None], draw.normal(rows, steps, features), 0.0)
    if draw.chance(0.5):  # a real step of zeros
        row = draw.integer(0, rows - 1)
        inputs[row, draw.integer(0, lengths[row] - 1)] = 0.0
    labels = [[draw.integer(0, 2) for _ in range(steps)] for _ in range(rows)]
    labels = torch.tensor(labels, device="cpu").masked_fill(~real, 0)
    rnn = nn.GRU(features, size, batch_first=True, bidirectional=True, device="cpu")
    return _case("", inputs, lengths, labels, draw.normal, rnn)


@pipeline.trait("a real step is zero")
def _(inputs: Tensor, lengths: Tensor) -> bool:
    return any(bool((row[:n] == 0).all(-1).any()) for row, n in zip(inputs, lengths, strict=True))


@pipeline.trait("the batch is padded beyond its longest sequence")
def _(inputs: Tensor, lengths: Tensor) -> bool:
    return inputs.shape[1] > int(lengths.max())


@pipeline.trait("there is padding")
def _(inputs: Tensor, lengths: Tensor) -> bool:
    return inputs.shape[:2].numel() > int(lengths.sum())


def _both_ends(outputs: Tensor, lengths: Tensor) -> Tensor:
    """The last real step of the forward half, the first step of the backward half."""
    forward, backward = outputs.chunk(2, dim=-1)
    return torch.cat([last_steps(forward, lengths), backward[:, 0]], dim=-1)


def _is_loss(found: dict[str, Tensor], linear: nn.Linear, labels: Tensor, mask: Tensor) -> bool:
    logits = linear(found["outputs"])
    return same(found["loss"], F.cross_entropy(logits[mask], labels[mask]))


def _hits(found: dict[str, Tensor], linear: nn.Linear, labels: Tensor) -> Tensor:
    return linear(found["outputs"]).argmax(-1) == labels


def _is_share(share: Tensor | float, hits: Tensor) -> bool:
    return abs(float(share) - float(hits.double().mean())) < 1e-6


def _real(inputs: Tensor, lengths: Tensor) -> Tensor:
    return lengths_to_mask(lengths, inputs.shape[1])


@pipeline.sign("takes real steps of zeros for padding", part="mask")
def _(found, inputs) -> bool:
    return same(found["mask"], (inputs != 0).any(-1))


@pipeline.sign("holds the first pad of each row, too", part="mask")
def _(found, inputs, lengths) -> bool:
    return same(found["mask"], torch.arange(inputs.shape[1]) <= lengths[:, None])


@pipeline.sign("comes from a run whose backward direction starts on padding", part="outputs")
def _(found, inputs, rnn) -> bool:
    real = found["outputs"] != 0
    return same(found["outputs"][real], rnn(inputs)[0][real])


@pipeline.sign("is zero where your `mask` is False, and right elsewhere", part="outputs")
def _(found, inputs, lengths, labels, rnn, linear) -> bool:
    right = pipeline.function(inputs, lengths, labels, rnn, linear)["outputs"]
    return same(found["outputs"], right * found["mask"][..., None])


@pipeline.sign("ends with the longest sequence, and the batch is padded further", part="outputs")
def _(found, inputs, lengths) -> bool:
    return found["outputs"].shape[1] == int(lengths.max()) < inputs.shape[1]


@pipeline.sign("is the last column, which is padding or zeros in shorter rows", part="last")
def _(found) -> bool:
    return same(found["last"], found["outputs"][:, -1])


@pipeline.sign(
    "is read at the last real step: there the backward direction has seen one step", part="last"
)
def _(found, lengths) -> bool:
    return same(found["last"], last_steps(found["outputs"], lengths))


@pipeline.sign("joins the backward direction before the forward one", part="last")
def _(found, lengths) -> bool:
    swapped = torch.cat(found["last"].chunk(2, dim=-1)[::-1], dim=-1)
    return same(swapped, _both_ends(found["outputs"], lengths))


@pipeline.sign("holds one direction's final state alone", part="last")
def _(found, lengths) -> bool:
    halves = _both_ends(found["outputs"], lengths).chunk(2, dim=-1)
    return any(same(found["last"], half) for half in halves)


@pipeline.sign("joins numbers of different rows", part="last")
def _(found, lengths) -> bool:
    halves = _both_ends(found["outputs"], lengths).chunk(2, dim=-1)
    return same(found["last"], torch.stack(halves).reshape(found["last"].shape))


@pipeline.sign("joins the final states of a run over padding", part="last")
def _(found, inputs, rnn) -> bool:
    return same(found["last"], torch.cat([*rnn(inputs)[1][-2:]], dim=-1))


@pipeline.sign("joins both ends of your `outputs`, and is right once these are", part="last")
def _(found, lengths) -> bool:
    return same(found["last"], _both_ends(found["outputs"], lengths))


@pipeline.sign("divides by the padded length, and not by each row's own", part="pooled")
def _(found) -> bool:
    return same(found["pooled"], found["outputs"].mean(1))


@pipeline.sign("divides by the real steps of all rows, and not by each row's own", part="pooled")
def _(found, lengths) -> bool:
    return same(found["pooled"], found["outputs"].sum(1) / lengths.sum())


@pipeline.sign("is right once your `outputs` and `mask` are", part="pooled")
def _(found, inputs, lengths) -> bool:
    masks = (found["mask"], _real(inputs, lengths))
    return any(same(found["pooled"], masked_mean(found["outputs"], m, dim=1)) for m in masks)


@pipeline.sign("counts pads, whose label 0 is a real class", part="loss")
def _(found, labels, linear) -> bool:
    return _is_loss(found, linear, labels, torch.ones_like(labels, dtype=torch.bool))


@pipeline.sign("leaves out real steps of class 0", part="loss")
def _(found, inputs, lengths, labels, linear) -> bool:
    return _is_loss(found, linear, labels, _real(inputs, lengths) & (labels != 0))


@pipeline.sign("counts each pad as an even guess, the logarithm of 3 classes", part="loss")
def _(found, inputs, lengths, labels, linear) -> bool:
    logits = linear(found["outputs"]) * _real(inputs, lengths)[..., None]
    return same(found["loss"], F.cross_entropy(logits.flatten(0, 1), labels.flatten()))


@pipeline.sign("is right once your `outputs` and `mask` are", part="loss")
def _(found, inputs, lengths, labels, linear) -> bool:
    masks = (found["mask"], _real(inputs, lengths))
    return any(_is_loss(found, linear, labels, mask) for mask in masks)


@pipeline.sign("is a mean of the rows' means, and not one over all real steps", part="loss")
def _(found, inputs, lengths, labels, linear) -> bool:
    logits, mask = linear(found["outputs"]), _real(inputs, lengths)
    rows = zip(logits, labels, mask, strict=True)
    means = [F.cross_entropy(row[real], right[real]) for row, right, real in rows]
    return same(found["loss"], torch.stack(means).mean())


@pipeline.sign("counts pads", part="accuracy")
def _(found, labels, linear) -> bool:
    return _is_share(found["accuracy"], _hits(found, linear, labels))


@pipeline.sign("takes every pad for right", part="accuracy")
def _(found, inputs, lengths, labels, linear) -> bool:
    hits = _hits(found, linear, labels)
    return _is_share(found["accuracy"], hits | ~_real(inputs, lengths))


@pipeline.sign("takes every pad for wrong: it divides by all columns", part="accuracy")
def _(found, inputs, lengths, labels, linear) -> bool:
    hits = _hits(found, linear, labels)
    return _is_share(found["accuracy"], hits & _real(inputs, lengths))


@pipeline.sign("is right once your `outputs` and `mask` are", part="accuracy")
def _(found, inputs, lengths, labels, linear) -> bool:
    masks = (found["mask"], _real(inputs, lengths))
    hits = _hits(found, linear, labels)
    return any(_is_share(found["accuracy"], hits[mask]) for mask in masks)


def _plant(bug: str, belief: str) -> None:
    """Add the pipeline with this bug alone to the wrong versions."""

    def with_bug(
        inputs: Tensor, lengths: Tensor, labels: Tensor, rnn: nn.RNNBase, linear: nn.Linear
    ) -> dict[str, Tensor]:
        return buggy_pipeline(inputs, lengths, labels, rnn, linear, [bug])

    with_bug.__name__ = f"pipeline_with_{bug}"
    pipeline.wrong(f"In `{bug}`, {BUGS[bug]}.", belief=belief)(with_bug)


for _bug, _belief in {
    "mask": "A step of zeros is padding.",
    "outputs": "Steps after the end change nothing before it.",
    "last": "The last column is the last step.",
    "pooled": "Zeros add nothing to a mean.",
    "loss": "Labels of 0 cost nothing.",
    "accuracy": "Pads are a small share and do not matter.",
}.items():
    _plant(_bug, _belief)
