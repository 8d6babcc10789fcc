"""Masked losses, gradient accumulation and masked metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate as accumulate_counts

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.data import Batch, collate, small_batch
from course_utils.lessons.case_inputs import made_with_seed, random_tensors
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution
from course_utils.masked import masked_accuracy, masked_cross_entropy, masked_mean, masked_mse
from course_utils.models import MaskedRNN
from course_utils.sequences import lengths_to_mask
from course_utils.training import step_mse_loss


def _drawn_mask(draw: Draw) -> Tensor:
    """Padding at the ends of rows, or pads anywhere; every row has a real step."""
    rows, steps = draw.integer(1, 3), draw.integer(1, 5)
    if draw.chance(0.5):
        return lengths_to_mask(draw.lengths(rows, steps), steps)
    mask = draw.mask(rows, steps)
    mask[~mask.any(1), draw.integer(0, steps - 1)] = True
    return mask


@solution("loss.masked_mse", careful=masked_mse, gradients=("prediction",), exact=("kind",))
def my_masked_mse(
    prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Mean squared error over real values; mask (B, T), the others (B, T, ...)."""
    return (prediction[mask] - target[mask]).square().mean()


def _errors(
    lengths: Sequence[int],
    features: Sequence[int] = (),
    *,
    steps: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor, Tensor]:
    """Prediction, target and mask; what stands at pads is as large as at real steps."""
    steps = steps or max(lengths)
    shape = (len(lengths), steps, *features)
    seed = sum(lengths) + 10 * len(shape)
    (prediction,) = random_tensors(shape, seed=seed, dtype=dtype)
    (target,) = random_tensors(shape, seed=seed + 1, dtype=dtype)
    return prediction.requires_grad_(), target, lengths_to_mask(lengths, steps)


@my_masked_mse.cases
def _() -> list[Case]:
    prediction, target, mask = _errors([3, 1], [2])
    unknown = target.masked_fill(~mask[..., None], torch.nan)
    holes = torch.tensor([[True, False, True], [False, True, False]], device="cpu")
    return [
        Case("two sequences, one feature", _errors([2, 1], [1])),
        Case("no feature axis", _errors([2, 4, 1])),
        Case("as many sequences as steps", _errors([3, 1, 2], [2])),
        Case("as many features as steps", _errors([1, 3, 2], [3])),
        Case("two feature axes, double precision", _errors([2, 3], [2, 2], dtype=torch.float64)),
        Case("equal lengths", _errors([3, 3], [2])),
        Case("one sequence, more padding", _errors([2], [3], steps=5)),
        Case("pads between real steps", (prediction, target, holes)),
        Case("NaN in the pads", (prediction, unknown, mask)),
    ]


@my_masked_mse.random
def _(draw: Draw) -> Case:
    mask = _drawn_mask(draw)
    shape = (*mask.shape, *draw.choice([(), (1,), (2,), (3,), (2, 2)]))
    prediction, target = draw.normal(*shape), draw.normal(*shape)
    pads = _behind(~mask, target)
    if draw.chance(0.3):
        target = target.masked_fill(pads, draw.choice([torch.nan, torch.inf, 1e3]))
    if draw.chance(0.3):
        prediction = prediction.masked_fill(pads, draw.choice([torch.nan, -torch.inf, 1e3]))
    return Case("", (prediction.requires_grad_(), target, mask))


def _behind(mask: Tensor, values: Tensor) -> Tensor:
    """The mask ``(B, T)`` with axes of size one for the features of the values."""
    return mask.view(*mask.shape, *[1] * (values.dim() - mask.dim()))


@my_masked_mse.wrong(
    "You average over all positions: the errors at pads are in the sum and in the divisor.",
    belief="Errors at pads are small, so they do not matter.",
)
def averages_the_grid(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (prediction - target).square().mean()


@my_masked_mse.wrong(
    "Your mask (B, T) is broadcast from the right, so its time axis meets the features: add axes "
    "to it first.",
    belief="Broadcasting pairs the axes from the left.",
)
def forgets_the_feature_axis(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    masked = (prediction - target).square() * mask
    return masked.sum() / mask.expand_as(masked).sum()


@my_masked_mse.wrong(
    "You average each sequence first and then the sequences: a step of a short sequence weighs "
    "more than a step of a long one.",
    belief="The mean of means is the mean.",
)
def averages_sequences(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return masked_mse(prediction, target, mask, per="sequence")


@my_masked_mse.wrong(
    "You multiply by the mask: where a pad holds NaN, 0 * NaN is NaN. Select the real values "
    "first.",
    belief="Times zero removes anything.",
)
def multiplies_by_mask(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    error = (prediction - target).square()
    real = _behind(mask, error).expand_as(error)
    return (error * real).sum() / real.sum()


@my_masked_mse.wrong(
    "Your value is right, but a NaN at a pad reaches the gradient: you select after the square was "
    "computed. Select prediction and target first.",
    belief="What is not selected takes no part in the backward pass.",
)
def selects_too_late(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (prediction - target).square()[mask].mean()


my_masked_mse.equivalent(
    "return (target[mask] - prediction[mask]).square().mean()",
    because="A square does not show a sign.",
)


@solution("loss.masked_cross_entropy", careful=masked_cross_entropy, exact=("kind",))
def my_cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy over real steps; logits (B, T, C), target and mask (B, T)."""
    log_p = logits[mask].log_softmax(-1)
    return -log_p.gather(-1, target[mask][:, None]).mean()


def _labels(
    name: str,
    lengths: Sequence[int],
    classes: int,
    *,
    pad: int = 0,
    steps: int | None = None,
    scale: float = 1.0,
    dtype: torch.dtype = torch.float32,
) -> Case:
    """Logits, targets and mask; targets at pads are ``pad``, and logits there favour class 0."""
    mask = lengths_to_mask(lengths, steps)
    (logits,) = random_tensors((*mask.shape, classes), seed=sum(lengths), dtype=dtype)
    logits[..., 0] += 2.0 * ~mask
    logits *= scale
    generator = torch.Generator("cpu").manual_seed(classes)
    target = torch.randint(classes, mask.shape, generator=generator, device="cpu")
    # Every case has a real target of class 0 next to others.
    target[:, 0] = torch.arange(len(lengths), device="cpu") % classes
    return Case(name, (logits.requires_grad_(), target.masked_fill(~mask, pad), mask))


@my_cross_entropy.cases
def _label_cases() -> list[Case]:
    return [
        _labels("two sequences", [2, 1], 2),
        _labels("three sequences", [4, 2, 1], 3),
        _labels("targets of -100 at pads", [3, 1, 2], 3, pad=-100),
        _labels("equal lengths", [2, 2], 4),
        _labels("more padding", [3, 1], 2, steps=6),
        _labels("one sequence", [2], 3, steps=3, pad=-100),
        _labels("double precision", [5, 3, 7, 2], 5, dtype=torch.float64),
        _labels("large logits", [3, 2], 3, scale=300.0),
    ]


def _drawn_labels(draw: Draw, *, right: float = 0.0) -> Case:
    """Logits, targets and mask; a share of the real targets have the largest logit."""
    mask, classes = _drawn_mask(draw), draw.integer(2, 4)
    logits = draw.normal(*mask.shape, classes)
    numbers = draw.normal(*mask.shape).abs() * 1000
    target = torch.where(
        draw.mask(*mask.shape, share=right), logits.argmax(-1), numbers.long() % classes
    )
    if draw.chance(0.5):
        target = target.masked_fill(~mask, -100)
    if draw.chance(0.4):
        logits = logits * 1000
    return Case("", (logits.requires_grad_(), target, mask))


@my_cross_entropy.random
def _(draw: Draw) -> Case:
    return _drawn_labels(draw)


def _classes(target: Tensor) -> Tensor:
    """Targets that can be looked up everywhere; what stands for a pad becomes class 0."""
    return target.clamp(min=0)


@my_cross_entropy.wrong(
    "You average over all positions: pads count as targets of a class.",
    belief="The loss knows which targets are padding.",
)
def scores_the_pads(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, -2), _classes(target).flatten())


@my_cross_entropy.wrong(
    "You average each sequence first and then the sequences: here every real step counts alike.",
    belief="The mean of means is the mean.",
)
def averages_sequence_losses(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return masked_cross_entropy(logits, _classes(target), mask, per="sequence")


@my_cross_entropy.wrong(
    "You normalise over time: the classes are the last axis, and their probabilities sum to 1.",
    belief="The classes are axis 1, as F.cross_entropy wants them.",
)
def normalises_over_time(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    chosen = logits.log_softmax(1).gather(-1, _classes(target)[..., None]).squeeze(-1)
    return -chosen[mask].mean()


@my_cross_entropy.wrong(
    "You reshape (B, T, C) to (B, C, T), which shuffles the numbers: transpose(1, 2) moves the "
    "axes.",
    belief="A tensor of the right shape holds the right numbers.",
)
def reshapes_the_classes(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    rows, steps, classes = logits.shape
    moved = logits.reshape(rows, classes, steps)
    return F.cross_entropy(moved, target.masked_fill(~mask, -100))


@my_cross_entropy.wrong(
    "You leave out every target of class 0, real ones too: the mask says what padding is, not the "
    "class.",
    belief="A class number can serve as a sign for padding.",
)
def ignores_class_zero(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    chosen = logits.log_softmax(-1).gather(-1, _classes(target)[..., None]).squeeze(-1)
    real = mask & (target != 0)
    return -chosen.masked_fill(~real, 0).sum() / real.sum().clamp(min=1)


for line in (
    "log_p = logits[mask].log_softmax(1)",
    "return -log_p.gather(1, target[mask][:, None]).mean()",
):
    my_cross_entropy.equivalent(line, because="What is selected has two axes: the last is axis 1.")


class OneGraphAtATime(MaskedRNN):
    """Refuses a forward pass while the graph of the one before waits for ``backward()``."""

    waiting = False

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Outputs ``(B, T, F)``."""
        if self.waiting:
            raise RuntimeError(
                "the graph of the micro-batch before is still in memory: call backward() for each "
                "micro-batch, before the next one's forward pass"
            )
        output = super().forward(inputs, lengths)
        if output.requires_grad:
            self.waiting = True
            output.register_hook(self._went_back)
        return output

    def _went_back(self, gradient: Tensor) -> None:
        self.waiting = False


PARAMETERS = tuple(name for name, _ in MaskedRNN(1, 1, 1).named_parameters())


@solution("loss.accumulate", gradients=False, parts=PARAMETERS)
def accumulate(model: torch.nn.Module, micro_batches: list) -> list[torch.Tensor]:
    """Gradients of the mean squared error over all real steps of all micro-batches."""
    real_steps = sum(int(batch.lengths.sum()) for batch in micro_batches)
    for batch in micro_batches:
        batch_sum, _ = step_mse_loss(model(batch.inputs, batch.lengths), batch)
        (batch_sum / real_steps).backward()
    return [parameter.grad for parameter in model.parameters()]


def _micro_batches(
    name: str, groups: Sequence[Sequence[int]], features: int = 1, hidden: int = 3, seed: int = 0
) -> Case:
    """A model, and a micro-batch for each list of lengths."""

    def micro_batch(lengths: Sequence[int], seed: int) -> Batch:
        inputs = small_batch(lengths, 2, seed=seed, dtype=torch.float64)
        targets = small_batch(lengths, features, seed=seed + 50, dtype=torch.float64)
        return collate(list(zip(inputs, targets, strict=True)))

    model = made_with_seed(seed, lambda: OneGraphAtATime(2, hidden, features).double())
    return Case(name, (model, [micro_batch(g, seed + i) for i, g in enumerate(groups)]))


@accumulate.cases
def _() -> list[Case]:
    return [
        _micro_batches("two sequences, each a micro-batch", [[1], [3]]),
        _micro_batches("micro-batches of different sizes", [[4, 1], [2, 2, 1]]),
        _micro_batches("equal lengths", [[2, 2], [2, 2]]),
        _micro_batches("one micro-batch", [[5, 3, 7, 2]]),
        _micro_batches("three micro-batches, two features", [[6], [1, 2], [3, 3, 1]], features=2),
    ]


@accumulate.random
def _(draw: Draw) -> Case:
    groups = [draw.lengths(draw.integer(1, 3), 4) for _ in range(draw.integer(1, 3))]
    features, hidden = draw.integer(1, 2), draw.integer(1, 2)
    return _micro_batches("", groups, features, hidden, seed=draw.integer(1, 1000))


for line in (
    "real_steps = sum((batch.lengths.sum() for batch in micro_batches))",
    "real_steps = sum((int(batch.lengths.sum(-1, keepdim=True)) for batch in micro_batches))",
    "real_steps = sum((int(batch.lengths.sum(0, keepdim=True)) for batch in micro_batches))",
):
    accumulate.equivalent(line, because="A tensor with one entry divides as its number does.")


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


@accumulate.wrong(
    "You average the micro-batches' means: a micro-batch with few real steps counts as much as one "
    "with many.",
    belief="The mean of means is the mean, as it is for batches of images.",
)
def averages_means(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    count = len(micro_batches)
    return _accumulated(model, micro_batches, lambda batch: 1 / _real(batch) / count)


@accumulate.wrong(
    "You add up the micro-batches' means: each is divided by its own real steps, and their sum by "
    "nothing.",
    belief="Gradients accumulate by themselves, so nothing is left to divide.",
)
def adds_means(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    return _accumulated(model, micro_batches, lambda batch: 1 / _real(batch))


@accumulate.wrong(
    "You weigh each micro-batch's mean by its sequences: weigh it by its real steps.",
    belief="The number of rows is the size of a batch.",
)
def weighs_by_sequences(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    rows = sum(len(batch.lengths) for batch in micro_batches)
    return _accumulated(
        model, micro_batches, lambda batch: len(batch.lengths) / rows / _real(batch)
    )


@accumulate.wrong(
    "You divide each micro-batch by the real steps counted so far: the early ones then weigh more "
    "than the late ones. Count all of them first.",
    belief="The number of real steps is known only after the last micro-batch.",
)
def divides_by_steps_so_far(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    counts = list(accumulate_counts(map(_real, micro_batches)))
    shares = dict(zip(map(id, micro_batches), counts, strict=True))
    return _accumulated(model, micro_batches, lambda batch: 1 / shares[id(batch)])


@accumulate.wrong(
    "You clear the gradients for every micro-batch: only the last one's are left.",
    belief="Every backward() needs a zero_grad() before it.",
)
def keeps_the_last(model: nn.Module, micro_batches: Sequence[Batch]) -> list[Tensor]:
    steps = sum(_real(batch) for batch in micro_batches)
    return _accumulated(model, micro_batches[-1:], lambda batch: 1 / steps)


@solution("loss.masked_accuracy", careful=masked_accuracy, gradients=False)
def my_accuracy(logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Share of real steps whose largest logit is the target's class."""
    return (logits.argmax(-1) == target)[mask].float().mean()


my_accuracy.cases(_label_cases)


@my_accuracy.random
def _(draw: Draw) -> Case:
    return _drawn_labels(draw, right=0.5)


def _right(logits: Tensor, target: Tensor) -> Tensor:
    """1 where the largest logit is the target's class, else 0: ``(B, T)``."""
    return (logits.argmax(-1) == target).to(torch.get_default_dtype())


@my_accuracy.wrong(
    "Your pads count as right answers, such as zero next to zero: leave them out of the sum and of "
    "the divisor.",
    belief="What is zero on both sides does not count.",
)
def pads_count_as_right(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return _right(logits * mask[..., None], target * mask).mean()


@my_accuracy.wrong(
    "You average the sequences' accuracies: here every real step counts alike.",
    belief="The mean of means is the mean.",
)
def averages_accuracies(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return masked_mean(_right(logits, target), mask, per="sequence")


@my_accuracy.wrong(
    "You count sequences that are right from end to end: single steps are asked for.",
    belief="A sequence is right or wrong as a whole.",
)
def whole_sequences(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (_right(logits, target).bool() | ~mask).all(1).to(torch.get_default_dtype()).mean()
