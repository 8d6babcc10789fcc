"""Wrong ways to compute masked losses and metrics, and to accumulate gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data import Batch
from course_utils.masked import masked_accuracy, masked_cross_entropy, masked_mean, masked_mse
from course_utils.pitfalls.wrong import wrong
from course_utils.training import step_mse_loss


def _behind(mask: Tensor, values: Tensor) -> Tensor:
    """The mask ``(B, T)`` with axes of size one for the features of the values."""
    return mask.view(*mask.shape, *[1] * (values.dim() - mask.dim()))


@wrong(
    "You average over all positions: the errors at pads are in the sum and in the divisor.",
    belief="Errors at pads are small, so they do not matter.",
)
def averages_the_grid(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (prediction - target).square().mean()


@wrong(
    "Your sum leaves the pads out, but your divisor counts them: use the number of real values.",
    belief="The mean() of the masked errors is the masked mean.",
)
def divides_by_the_grid(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    error = (prediction - target).square()
    return (error * _behind(mask, error)).mean()


@wrong(
    "You divide by the number of real steps, and each of them has several features: your loss is "
    "too large by the number of features.",
    belief="The mask's sum counts all the numbers that were added up.",
)
def forgets_features(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    error = (prediction - target).square()
    return (error * _behind(mask, error)).sum() / mask.sum()


@wrong(
    "Your mask (B, T) is broadcast from the right, so its time axis meets the features: add axes "
    "to it first.",
    belief="Broadcasting pairs the axes from the left.",
)
def forgets_the_feature_axis(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    masked = (prediction - target).square() * mask
    return masked.sum() / mask.expand_as(masked).sum()


@wrong(
    "You average each sequence first and then the sequences: a step of a short sequence weighs "
    "more than a step of a long one.",
    belief="The mean of means is the mean.",
)
def averages_sequences(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return masked_mse(prediction, target, mask, per="sequence")


@wrong(
    "You multiply by the mask: where a pad holds NaN, 0 * NaN is NaN. Select the real values "
    "first.",
    belief="Times zero removes anything.",
)
def multiplies_by_mask(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    error = (prediction - target).square()
    real = _behind(mask, error).expand_as(error)
    return (error * real).sum() / real.sum()


@wrong(
    "Your value is right, but a NaN at a pad reaches the gradient: you select after the square was "
    "computed. Select prediction and target first.",
    belief="What is not selected takes no part in the backward pass.",
)
def selects_too_late(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (prediction - target).square()[mask].mean()


@wrong(
    "You add up and do not divide: your loss grows with every real step.",
    belief="Sum and mean differ by a constant.",
)
def forgets_to_divide(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (prediction - target).square()[mask].sum()


def _classes(target: Tensor) -> Tensor:
    """Targets that can be looked up everywhere; what stands for a pad becomes class 0."""
    return target.clamp(min=0)


@wrong(
    "You average over all positions: pads count as targets of a class.",
    belief="The loss knows which targets are padding.",
)
def scores_the_pads(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, -2), _classes(target).flatten())


@wrong(
    "You divide by all positions: only the real ones were added up.",
    belief="The mean() of the masked losses is the masked mean.",
)
def counts_pads_in_the_divisor(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    each = F.cross_entropy(logits.transpose(1, 2), _classes(target), reduction="none")
    return (each * mask).mean()


@wrong(
    "You average each sequence first and then the sequences: here every real step counts alike.",
    belief="The mean of means is the mean.",
)
def averages_sequence_losses(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return masked_cross_entropy(logits, _classes(target), mask, per="sequence")


@wrong(
    "You normalise over time: the classes are the last axis, and their probabilities sum to 1.",
    belief="The classes are axis 1, as F.cross_entropy wants them.",
)
def normalises_over_time(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    chosen = logits.log_softmax(1).gather(-1, _classes(target)[..., None]).squeeze(-1)
    return -chosen[mask].mean()


@wrong(
    "You reshape (B, T, C) to (B, C, T), which shuffles the numbers: transpose(1, 2) moves the "
    "axes.",
    belief="A tensor of the right shape holds the right numbers.",
)
def reshapes_the_classes(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    rows, steps, classes = logits.shape
    moved = logits.reshape(rows, classes, steps)
    return F.cross_entropy(moved, target.masked_fill(~mask, -100))


@wrong(
    "You leave out every target of class 0, real ones too: the mask says what padding is, not the "
    "class.",
    belief="A class number can serve as a sign for padding.",
)
def ignores_class_zero(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    chosen = logits.log_softmax(-1).gather(-1, _classes(target)[..., None]).squeeze(-1)
    real = mask & (target != 0)
    return -chosen.masked_fill(~real, 0).sum() / real.sum().clamp(min=1)


@wrong(
    "You average probabilities: cross-entropy is the mean of their negative logarithms.",
    belief="The loss is one minus, or minus, the probability of the target.",
)
def forgets_the_logarithm(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    chosen = logits.softmax(-1).gather(-1, _classes(target)[..., None]).squeeze(-1)
    return -chosen[mask].mean()


def _accumulated(
    model: nn.Module, micro_batches: Sequence[Batch], share: Callable[[Batch], float]
) -> list[Tensor]:
    """Gradients of the sum of squared errors, each micro-batch's times its share."""
    for batch in micro_batches:
        total, _ = step_mse_loss(model(batch.inputs, batch.lengths), batch)
        (total * share(batch)).backward()
    return [parameter.grad for parameter in model.parameters()]


def _real(batch: Batch) -> int:
    return int(batch.lengths.sum())


@wrong(
    "You average the micro-batches' means: a micro-batch with few real steps counts as much as one "
    "with many.",
    belief="The mean of means is the mean, as it is for batches of images.",
)
def averages_means(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    count = len(micro_batches)
    return _accumulated(model, micro_batches, lambda batch: 1 / _real(batch) / count)


@wrong(
    "You add up the micro-batches' means: each is divided by its own real steps, and their sum by "
    "nothing.",
    belief="Gradients accumulate by themselves, so nothing is left to divide.",
)
def adds_means(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    return _accumulated(model, micro_batches, lambda batch: 1 / _real(batch))


@wrong(
    "You weigh each micro-batch's mean by its sequences: weigh it by its real steps.",
    belief="The number of rows is the size of a batch.",
)
def weighs_by_sequences(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    rows = sum(len(batch.lengths) for batch in micro_batches)
    return _accumulated(
        model, micro_batches, lambda batch: len(batch.lengths) / rows / _real(batch)
    )


@wrong(
    "You divide by all cells of the micro-batches, pads included: count the real steps.",
    belief="The number of cells is the size of a batch.",
)
def divides_by_cells(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    cells = sum(batch.inputs.shape[0] * batch.inputs.shape[1] for batch in micro_batches)
    return _accumulated(model, micro_batches, lambda batch: 1 / cells)


@wrong(
    "You divide by the number of micro-batches as well: the number of all real steps is enough.",
    belief="Accumulation always divides by the number of micro-batches.",
)
def divides_twice(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    steps = sum(_real(batch) for batch in micro_batches) * len(micro_batches)
    return _accumulated(model, micro_batches, lambda batch: 1 / steps)


@wrong(
    "You clear the gradients for every micro-batch: only the last one's are left.",
    belief="Every backward() needs a zero_grad() before it.",
)
def keeps_the_last(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    steps = sum(_real(batch) for batch in micro_batches)
    return _accumulated(model, micro_batches[-1:], lambda batch: 1 / steps)


def _right(logits: Tensor, target: Tensor) -> Tensor:
    """1 where the largest logit is the target's class, else 0: ``(B, T)``."""
    return (logits.argmax(-1) == target).to(torch.get_default_dtype())


@wrong(
    "You count pads: what the model says there is neither right nor wrong.",
    belief="Accuracy is the mean over the whole batch.",
)
def accuracy_over_the_grid(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return _right(logits, target).mean()


@wrong(
    "You divide by all positions: pads then count as mistakes.",
    belief="Once the pads are zero, a plain mean will do.",
)
def pads_count_as_mistakes(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (_right(logits, target) * mask).mean()


@wrong(
    "You average the sequences' accuracies: here every real step counts alike.",
    belief="The mean of means is the mean.",
)
def averages_accuracies(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return masked_mean(_right(logits, target), mask, per="sequence")


@wrong(
    "You look for the largest logit over time: the classes are the last axis.",
    belief="The classes are axis 1, as in a batch without time.",
)
def largest_over_time(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    right = (logits.argmax(1) == target).to(torch.get_default_dtype())
    return masked_mean(right, mask)


@wrong(
    "You return the share of mistakes: the share of right answers is asked for.",
    belief="A good model has an accuracy near zero.",
)
def share_of_mistakes(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return 1 - masked_accuracy(logits, _classes(target), mask)


@wrong(
    "You count sequences that are right from end to end: single steps are asked for.",
    belief="A sequence is right or wrong as a whole.",
)
def whole_sequences(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (_right(logits, target).bool() | ~mask).all(1).to(torch.get_default_dtype()).mean()
