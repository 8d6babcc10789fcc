"""A pipeline with six planted bugs, each of which can be there or not."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.masked import masked_accuracy, masked_cross_entropy, masked_mean
from course_utils.pitfalls.wrong import Wrong
from course_utils.sequences import lengths_to_mask, pack, unpack

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


def _with(bugs: tuple[str, ...]) -> Wrong:
    def pipeline(
        inputs: Tensor, lengths: Tensor, labels: Tensor, rnn: nn.RNNBase, linear: nn.Linear
    ) -> dict[str, Tensor]:
        return buggy_pipeline(inputs, lengths, labels, rnn, linear, bugs)

    pipeline.__name__ = "pipeline_with_" + "_".join(bugs)
    left = "; ".join(BUGS[bug] for bug in bugs)
    explanation = f"Bugs that are left ({len(bugs)}): {left}."
    return Wrong(pipeline, explanation, "If it runs and the loss falls, it is right.")


# Every selection of bugs, so that a learner is told exactly which ones are left.
PIPELINES = [_with(bugs) for n in range(1, len(BUGS) + 1) for bugs in combinations(BUGS, n)]
