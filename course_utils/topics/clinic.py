"""The bug clinic: eighteen patients, the cure of each, and the source of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from IPython.display import display
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_utils.data import SequenceDataset, collate
from course_utils.lessons.feedback import Message, code_block
from course_utils.lessons.solutions import Wrong, plain_source, wrong
from course_utils.masked import masked_cross_entropy, masked_mse, masked_softmax
from course_utils.models import LastStepRNN, MaskedRNN, MeanPoolRNN, RecurrentModel
from course_utils.pitfalls import models
from course_utils.sequences import Lengths, convert_mask, lengths_to_mask
from course_utils.topics import loss, masking
from course_utils.training import Loss, evaluate


class ZeroedConvolution(models.EdgeConvolution):
    """Sets the pads to zero before it convolves: one result a step."""

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` and lengths ``(B,)`` to ``(B, T, output_size)``."""
        mask = lengths_to_mask(lengths, inputs.shape[1], device=inputs.device)
        hidden = self.embed(inputs).masked_fill(~mask[..., None], 0)
        hidden = self.layer(hidden.transpose(1, 2)).transpose(1, 2)
        return self.linear(hidden.relu())


class LayerNormOverFeatures(models.StepModel):
    """Normalises every step by itself: one result a step."""

    def make_layer(self, hidden_size: int) -> nn.Module:
        """A layer norm over the features of a step."""
        return nn.LayerNorm(hidden_size)

    def forward(self, inputs: Tensor, lengths: Lengths) -> Tensor:
        """``(B, T, F)`` to ``(B, T, output_size)``; it needs no lengths."""
        return self.linear(self.layer(self.embed(inputs)).relu())


class MaskedTransformer(models.UnmaskedTransformer):
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


@dataclass(frozen=True)
class Patient:
    """Something wrong that runs, and the same without the mistake.

    ``kind`` says how the mistake shows: padcheck is ``"red"``, padcheck is ``"green"`` although
    the model is wrong, or a ``"function"`` is compared with the right one.
    """

    symptom: str
    """As people report it."""
    test: str
    """How to find out, in a few words."""
    notebook: str
    """The notebook that explains it, such as ``"03_padding"``."""
    wrong: type[nn.Module] | Wrong
    """From ``course_utils.pitfalls.models`` or from a topic."""
    cure: Callable[..., Any]
    kind: Literal["red", "green", "function"] = "red"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of both models."""
    mode: Literal["eval", "train"] = "eval"
    """The mode in which padcheck is asked."""


_GRU = {"cell": "gru"}
PATIENTS: dict[str, Patient] = {
    "last column": Patient(
        "Right in the batch, wrong alone",
        "Run each sequence alone and compare.",
        "07_last_step_extraction",
        models.LastColumnRNN,
        LastStepRNN,
        options=_GRU,
    ),
    "final state": Patient(
        "A longer neighbour changes my vector",
        "Pad the same batch further and compare.",
        "07_last_step_extraction",
        models.FinalStateRNN,
        LastStepRNN,
        options=_GRU,
    ),
    "column of zeros": Patient(
        "All short sequences get the same answer",
        "Compare the answers of the short rows with each other.",
        "07_last_step_extraction",
        models.UnpackedLastColumnRNN,
        LastStepRNN,
        options=_GRU,
    ),
    "mean over pads": Patient(
        "Short sequences get small vectors",
        "Double the padding: does the vector halve?",
        "04_masking",
        models.PaddedMeanRNN,
        MeanPoolRNN,
    ),
    "one step backward": Patient(
        "Two directions are no better than one",
        "Which steps does each half have a gradient to? (padcheck stays green)",
        "07_last_step_extraction",
        models.BackwardAtLastStepRNN,
        LastStepRNN,
        kind="green",
        options={"bidirectional": True},
    ),
    "wrong layer": Patient(
        "My second layer does not learn",
        "Which parameters have a gradient of exactly 0? (padcheck stays green)",
        "07_last_step_extraction",
        models.FirstLayerStatesRNN,
        LastStepRNN,
        kind="green",
        options={"bidirectional": True, "num_layers": 2},
    ),
    "backward direction": Patient(
        "My tagger changes its mind about real words",
        "Write other numbers into the pads: what changes at real steps?",
        "05_packed_sequences",
        models.PaddedBidirectionalRNN,
        MaskedRNN,
        options={"bidirectional": True},
    ),
    "layout": Patient(
        "Changing one sample changes another",
        "Change one row and watch the others.",
        "03_padding",
        models.TimeMajorRNN,
        MaskedRNN,
    ),
    "lost order": Patient(
        "Answers seem mixed up between samples",
        "Shuffle the rows: every answer must move along.",
        "05_packed_sequences",
        models.SortedOrderRNN,
        LastStepRNN,
        options=_GRU,
    ),
    "edge": Patient(
        "Only the end of each sequence is wrong",
        "Alone against batched, step by step.",
        "10_beyond_rnns",
        models.EdgeConvolution,
        ZeroedConvolution,
    ),
    "batch statistics": Patient(
        "Training and evaluation disagree",
        "padcheck(..., mode='train').",
        "10_beyond_rnns",
        models.BatchNormOverTime,
        LayerNormOverFeatures,
        mode="train",
    ),
    "inverted mask": Patient(
        "I gave attention a mask and it got worse",
        "Gradient of real results at the real steps and at the pads.",
        "04_masking",
        models.InvertedMaskTransformer,
        MaskedTransformer,
    ),
    "large negative score": Patient(
        "It worked until one sequence was empty",
        "Give it a row without real steps, and half precision.",
        "04_masking",
        masking.large_negative_scores,
        masked_softmax,
        kind="function",
    ),
    "end token": Patient(
        "The model never stops",
        "Sign of the gradient at the end token's logit.",
        "06_masked_loss",
        loss.ignores_class_zero,
        masked_cross_entropy,
        kind="function",
    ),
    "NaN gradient": Patient(
        "The loss is fine and the weights are NaN",
        "Put NaN at the pads; look at gradients, not at the loss.",
        "06_masked_loss",
        loss.selects_too_late,
        masked_mse,
        kind="function",
    ),
    "wrong divisor": Patient(
        "The loss falls when a long sequence joins",
        "Compare with the mean over real steps, one at a time.",
        "06_masked_loss",
        models.LongestLengthLossRNN,
        MaskedLossRNN,
    ),
    "accumulation": Patient(
        "Smaller micro-batches train another model",
        "Compare with the gradient of the whole batch.",
        "06_masked_loss",
        loss.averages_means,
        loss.accumulate,
        kind="function",
    ),
    "mean of means": Patient(
        "The validation loss depends on the batch size",
        "Evaluate with two batch sizes.",
        "06_masked_loss",
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
    patient = PATIENTS[name]
    if patient.kind == "function":
        return patient.wrong, patient.cure
    torch.manual_seed(seed)
    sick, well = (kind(10, 8, 2, **patient.options) for kind in (patient.wrong, patient.cure))
    weights = sick.state_dict()
    well.load_state_dict({key: weights[key] for key in well.state_dict()})
    return sick.double().to(device), well.double().to(device)


def show_source(thing: Any, method: str = "forward") -> None:
    """Show the code of a function, or of one method of a model, marked as wrong if it is.

    Args:
        thing: a function, a solution, a wrong version, or a model.
        method: which method of a model.
    """
    display(source_message(thing, method))


def source_message(thing: Any, method: str = "forward") -> Message:
    """What :func:`show_source` shows."""
    if isinstance(thing, Wrong):
        function, is_wrong = thing.function, True
    elif isinstance(thing, nn.Module):
        function = getattr(type(thing), method)
        is_wrong = "belief" in vars(type(thing))
    else:
        function, is_wrong = getattr(thing, "function", thing), False
    name = f"{type(thing).__name__}.{method}" if isinstance(thing, nn.Module) else function.__name__
    code = f"# {'wrong' if is_wrong else 'right'}: {name}\n{plain_source(function)}"
    return Message(code_block(code), code)
