"""The bug clinic: eighteen patients, and the cure of each; what is read is in ``clinic.md``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_utils import wrong_models
from course_utils.data import SequenceDataset, collate
from course_utils.lessons.patients import Patient, show_source
from course_utils.lessons.solutions import wrong
from course_utils.masked import masked_cross_entropy, masked_mse, masked_softmax
from course_utils.models import LastStepRNN, MaskedRNN, MeanPoolRNN, RecurrentModel
from course_utils.sequences import Lengths, convert_mask, lengths_to_mask
from course_utils.topics import loss, masking
from course_utils.training import Loss, evaluate

__all__ = ["PATIENTS", "admit", "show_source"]


class ZeroedConvolution(wrong_models.EdgeConvolution):
    """Sets the pads to zero before it convolves: one result a step."""

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` to ``(B, T, output_size)``."""
        mask = lengths_to_mask(lengths, inputs.shape[1], device=inputs.device)
        hidden = self.embed(inputs).masked_fill(~mask[..., None], 0)
        hidden = self.layer(hidden.transpose(1, 2)).transpose(1, 2)
        return self.linear(hidden.relu())


class LayerNormOverFeatures(wrong_models.StepModel):
    """Normalises every step by itself: one result a step."""

    def make_layer(self, hidden_size: int) -> nn.Module:
        """A layer norm over the features of a step."""
        return nn.LayerNorm(hidden_size)

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, T, output_size)``; it needs no lengths."""
        return self.linear(self.layer(self.embed(inputs)).relu())


class MaskedTransformer(wrong_models.UnmaskedTransformer):
    """Passes attention a mask in attention's own convention: one result a step."""

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` to ``(B, T, output_size)``."""
        mask = lengths_to_mask(lengths, inputs.shape[1], device=inputs.device)
        ignore = convert_mask(mask, to="mha")
        return self.linear(self.layer(self.embed(inputs), src_key_padding_mask=ignore))


class MaskedLossRNN(RecurrentModel):
    """Averages the squared error over real steps: a scalar loss."""

    def forward(self, inputs: Tensor, lengths: Lengths, targets: Tensor) -> Tensor:
        """``(B, T, F)``, lengths and targets ``(B, T, output_size)`` to a scalar."""
        mask = lengths_to_mask(lengths, inputs.shape[1], device=inputs.device)
        return masked_mse(self.linear(self.rnn(inputs)[0]), targets, mask)


def evaluates(model: nn.Module, dataset: SequenceDataset, *, batch_size: int, loss: Loss) -> float:
    """The mean loss over all that the loss counts, whatever the batch size."""
    return evaluate(model, dataset, batch_size=batch_size, loss=loss).loss


@wrong(
    "You average the batches' means: a batch with few real steps counts as much as one with many.",
    belief="The mean loss of an epoch is the mean of the losses that were printed.",
)
def averages_batch_losses(
    model: nn.Module, dataset: SequenceDataset, *, batch_size: int, loss: Loss
) -> float:
    means = []
    for batch in DataLoader(dataset, batch_size=batch_size, collate_fn=collate):
        total, count = loss(model(batch.inputs, batch.lengths), batch)
        means.append((total / count).item())
    return sum(means) / len(means)


_GRU = {"cell": "gru"}
PATIENTS: dict[str, Patient] = {
    "last column": Patient(
        wrong_models.LastColumnRNN,
        LastStepRNN,
        options=_GRU,
    ),
    "final state": Patient(
        wrong_models.FinalStateRNN,
        LastStepRNN,
        options=_GRU,
    ),
    "column of zeros": Patient(
        wrong_models.UnpackedLastColumnRNN,
        LastStepRNN,
        options=_GRU,
    ),
    "mean over pads": Patient(
        wrong_models.PaddedMeanRNN,
        MeanPoolRNN,
    ),
    "one step backward": Patient(
        wrong_models.BackwardAtLastStepRNN,
        LastStepRNN,
        kind="green",
        options={"bidirectional": True},
    ),
    "wrong layer": Patient(
        wrong_models.FirstLayerStatesRNN,
        LastStepRNN,
        kind="green",
        options={"bidirectional": True, "num_layers": 2},
    ),
    "backward direction": Patient(
        wrong_models.PaddedBidirectionalRNN,
        MaskedRNN,
        options={"bidirectional": True},
    ),
    "layout": Patient(
        wrong_models.TimeMajorRNN,
        MaskedRNN,
    ),
    "lost order": Patient(
        wrong_models.SortedOrderRNN,
        LastStepRNN,
        options=_GRU,
    ),
    "edge": Patient(
        wrong_models.EdgeConvolution,
        ZeroedConvolution,
    ),
    "batch statistics": Patient(
        wrong_models.BatchNormOverTime,
        LayerNormOverFeatures,
        mode="train",
    ),
    "inverted mask": Patient(
        wrong_models.InvertedMaskTransformer,
        MaskedTransformer,
    ),
    "large negative score": Patient(
        masking.large_negative_scores,
        masked_softmax,
        kind="function",
    ),
    "end token": Patient(
        loss.ignores_class_zero,
        masked_cross_entropy,
        kind="function",
    ),
    "NaN gradient": Patient(
        loss.selects_too_late,
        masked_mse,
        kind="function",
    ),
    "wrong divisor": Patient(
        wrong_models.LongestLengthLossRNN,
        MaskedLossRNN,
    ),
    "accumulation": Patient(
        loss.averages_means,
        loss.accumulate,
        kind="function",
    ),
    "mean of means": Patient(
        averages_batch_losses,
        evaluates,
        kind="function",
    ),
}


def admit(
    name: str, *, device: torch.device | str = "cpu", seed: int = 0
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The wrong and the right version of a patient.

    Args:
        name: a key of ``PATIENTS``.
        device: where models go.
        seed: of the models' random weights.

    Returns:
        two functions; or two models of 10 features and 2 results, with the same weights, in double
        precision.

    Raises:
        KeyError: no such patient.
    """
    if name not in PATIENTS:
        raise KeyError(f"there is no patient {name!r}, there are {list(PATIENTS)}")
    return PATIENTS[name].versions(device, seed)
