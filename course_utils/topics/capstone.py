"""The capstone: a pipeline in which padding counts nowhere, and six bugs that can be planted."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data import small_batch
from course_utils.lessons.solutions import Case, solution
from course_utils.masked import masked_accuracy, masked_cross_entropy, masked_mean
from course_utils.sequences import lengths_to_mask, pack, pad_batch, unpack

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
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    steps = inputs.shape[1]
    mask = torch.arange(steps) < lengths[:, None]
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    packed, hidden = rnn(packed)
    outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=steps)
    logits, classes = linear(outputs)[mask], labels[mask]
    return {
        "mask": mask,
        "outputs": outputs,
        "last": torch.cat([hidden[-2], hidden[-1]], dim=-1),
        "pooled": outputs.sum(1) / lengths[:, None],
        "loss": torch.nn.functional.cross_entropy(logits, classes),
        "accuracy": (logits.argmax(-1) == classes).float().mean(),
    }


@pipeline.cases
def _() -> list[Case]:
    def case(
        name: str, lengths: list[int], seed: int, silent: tuple[int, int] | None = None
    ) -> Case:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            rnn = nn.GRU(3, 4, batch_first=True, bidirectional=True, device="cpu").double()
            linear = nn.Linear(8, 3, device="cpu").double()
            labels = [torch.randint(3, (n,), device="cpu") for n in lengths]
        # 63 wrong versions are compared: values tell them apart, so the backward pass is spared.
        rnn.requires_grad_(False)
        linear.requires_grad_(False)
        inputs = pad_batch(small_batch(lengths, 3, seed=seed, dtype=torch.float64))
        if silent:
            inputs[silent] = 0.0
        counts = torch.tensor(lengths, device="cpu")
        return Case(name, (inputs, counts, pad_batch(labels), rnn, linear))

    return [
        case("two sequences", [3, 1], 0),
        case("a real step of zeros", [4, 2, 3], 1, silent=(0, 3)),
        case("equal lengths", [3, 3, 3], 2, silent=(1, 1)),
    ]


def _plant(bugs: tuple[str, ...]) -> None:
    """Add the pipeline with these bugs to the wrong versions."""

    def with_bugs(
        inputs: Tensor, lengths: Tensor, labels: Tensor, rnn: nn.RNNBase, linear: nn.Linear
    ) -> dict[str, Tensor]:
        return buggy_pipeline(inputs, lengths, labels, rnn, linear, bugs)

    with_bugs.__name__ = "pipeline_with_" + "_".join(bugs)
    left = "; ".join(BUGS[bug] for bug in bugs)
    explanation = f"Bugs that are left ({len(bugs)}): {left}."
    belief = "If it runs and the loss falls, it is right."
    pipeline.wrong(explanation, belief=belief)(with_bugs)


# Every selection of bugs, so that a learner is told exactly which ones are left.
for _count in range(1, len(BUGS) + 1):
    for _bugs in combinations(BUGS, _count):
        _plant(_bugs)
