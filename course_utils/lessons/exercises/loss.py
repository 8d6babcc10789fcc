"""Exercises on masked losses, gradient accumulation and masked metrics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.data import Batch, collate, small_batch
from course_utils.lessons.entries import Case, Exercise
from course_utils.models import MaskedRNN
from course_utils.pitfalls import loss as pitfalls
from course_utils.sequences import lengths_to_mask


def _random(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype, device="cpu")


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
    prediction = _random(*shape, seed=seed, dtype=dtype).requires_grad_()
    target = _random(*shape, seed=seed + 1, dtype=dtype)
    return prediction, target, lengths_to_mask(torch.tensor(lengths, device="cpu"), steps)


def _mse_cases() -> list[Case]:
    prediction, target, mask = _errors([3, 1], [2])
    unknown = target.masked_fill(~mask[..., None], torch.nan)
    holes = torch.tensor([[True, False, True], [False, True, False]], device="cpu")
    return [
        Case(_errors([2, 1], [1])),
        Case(_errors([2, 4, 1])),
        Case(_errors([3, 1, 2], [2])),
        Case(_errors([1, 3, 2], [3])),
        Case(_errors([2, 3], [2, 2], dtype=torch.float64)),
        Case(_errors([3, 3], [2])),
        Case(_errors([2], [3], steps=5)),
        Case((prediction, target, holes)),
        Case((prediction, unknown, mask)),
    ]


def _labels(
    lengths: Sequence[int],
    classes: int,
    *,
    pad: int = 0,
    steps: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Case:
    """Logits, targets and mask; targets at pads are ``pad``, and logits there favour class 0."""
    steps = steps or max(lengths)
    mask = lengths_to_mask(torch.tensor(lengths, device="cpu"), steps)
    logits = _random(len(lengths), steps, classes, seed=sum(lengths), dtype=dtype)
    logits[..., 0] += 2.0 * ~mask
    generator = torch.Generator("cpu").manual_seed(classes)
    target = torch.randint(classes, mask.shape, generator=generator, device="cpu")
    # Every case has a real target of class 0 next to others.
    target[:, 0] = torch.arange(len(lengths), device="cpu") % classes
    return Case((logits.requires_grad_(), target.masked_fill(~mask, pad), mask))


def _label_cases() -> list[Case]:
    return [
        _labels([2, 1], 2),
        _labels([4, 2, 1], 3),
        _labels([3, 1, 2], 3, pad=-100),
        _labels([2, 2], 4),
        _labels([3, 1], 2, steps=6),
        _labels([2], 3, steps=3, pad=-100),
        _labels([5, 3, 7, 2], 5, dtype=torch.float64),
    ]


def _micro_batch(lengths: Sequence[int], features: int, seed: int) -> Batch:
    inputs = small_batch(lengths, 2, seed=seed, dtype=torch.float64)
    targets = small_batch(lengths, features, seed=seed + 50, dtype=torch.float64)
    return collate(list(zip(inputs, targets, strict=True)))


def _accumulation(groups: Sequence[Sequence[int]], features: int = 1) -> Case:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(groups))
        model = MaskedRNN(2, 3, features).double()
    batches = [_micro_batch(lengths, features, i) for i, lengths in enumerate(groups)]
    return Case((model, batches))


def _accumulation_cases() -> list[Case]:
    return [
        _accumulation([[1], [3]]),
        _accumulation([[4, 1], [2, 2, 1]]),
        _accumulation([[2, 2], [2, 2]]),
        _accumulation([[5, 3, 7, 2]]),
        _accumulation([[6], [1, 2], [3, 3, 1]], features=2),
    ]


EXERCISES = [
    Exercise(
        key="loss.masked_mse",
        number="6.1",
        title="Mean squared error over real steps",
        difficulty=2,
        minutes=8,
        task="Return the mean of the squared errors over real values, a tensor without axes. "
        "`prediction` and `target` have the same shape: `(B, T)`, or `(B, T, ...)` with any "
        "feature axes. `mask` is boolean `(B, T)`, True = real; all features of a real step are "
        "real. Pads may hold anything, NaN too, and no NaN may reach the value or the gradient.",
        cases=_mse_cases,
        wrong=[
            pitfalls.averages_the_grid,
            pitfalls.divides_by_the_grid,
            pitfalls.forgets_features,
            pitfalls.forgets_the_feature_axis,
            pitfalls.averages_sequences,
            pitfalls.multiplies_by_mask,
            pitfalls.selects_too_late,
            pitfalls.forgets_to_divide,
        ],
        hints=[
            "A pad must be gone before anything is computed with it. What does `prediction[mask]` "
            "hold, and which shape has it?",
            "`prediction[mask]` has shape `(real steps, ...)`: the features are still there, and "
            "the pads are not. The same goes for `target[mask]`.",
            "Subtract, square, and take the mean of what is left. `mean()` then divides by real "
            "steps times features, as it should.",
        ],
    ),
    Exercise(
        key="loss.masked_cross_entropy",
        number="6.2",
        title="Cross-entropy from its parts",
        difficulty=2,
        minutes=10,
        task="Return the mean cross-entropy over real steps, a tensor without axes. `logits` are "
        "`(B, T, C)`, classes last; `target` holds class numbers `(B, T)`; `mask` is boolean "
        "`(B, T)`. At pads the target may be a class, or -100. Use `log_softmax` and `gather`.",
        cases=_label_cases,
        wrong=[
            pitfalls.scores_the_pads,
            pitfalls.counts_pads_in_the_divisor,
            pitfalls.averages_sequence_losses,
            pitfalls.normalises_over_time,
            pitfalls.reshapes_the_classes,
            pitfalls.ignores_class_zero,
            pitfalls.forgets_the_logarithm,
        ],
        hints=[
            "Select first: `logits[mask]` is `(real steps, C)` and `target[mask]` is "
            "`(real steps,)`. No -100 is left.",
            "`log_softmax(-1)` gives the logarithm of each class's probability. You need one of "
            "them a step: the target's.",
            "`log_p.gather(-1, classes[:, None])` picks it. The loss is minus the mean.",
        ],
    ),
    Exercise(
        key="loss.accumulate",
        number="6.3",
        title="Accumulate gradients exactly",
        difficulty=3,
        minutes=12,
        task="One batch does not fit in memory, so it comes as a list of smaller ones, each with "
        "`inputs`, `lengths` and `targets`. Call `backward()` once for each of them, so that the "
        "gradients that add up are those of the mean squared error over all real steps of all of "
        "them. Return `[p.grad for p in model.parameters()]`. You may use `step_mse_loss(output, "
        "batch)` from `course_utils.training`, which returns the sum over the batch's real steps, "
        "and their number.",
        cases=_accumulation_cases,
        wrong=[
            pitfalls.averages_means,
            pitfalls.adds_means,
            pitfalls.weighs_by_sequences,
            pitfalls.divides_by_cells,
            pitfalls.divides_twice,
            pitfalls.keeps_the_last,
        ],
        hints=[
            "What would the loss of the whole batch be divided by? You can know it before the "
            "first forward pass.",
            "The lengths are all there: `sum(int(batch.lengths.sum()) for batch in "
            "micro_batches)` counts the real steps.",
            "For each one: `batch_sum, _ = step_mse_loss(model(batch.inputs, batch.lengths), "
            "batch)`, then `(batch_sum / real_steps).backward()`.",
        ],
    ),
    Exercise(
        key="loss.masked_accuracy",
        number="6.4",
        title="Accuracy over real steps",
        difficulty=1,
        minutes=5,
        task="Return the share of real steps whose largest logit is the target's class, a tensor "
        "without axes from 0 to 1. `logits` are `(B, T, C)`, `target` is `(B, T)`, `mask` is "
        "boolean `(B, T)`.",
        cases=_label_cases,
        wrong=[
            pitfalls.accuracy_over_the_grid,
            pitfalls.pads_count_as_mistakes,
            pitfalls.averages_accuracies,
            pitfalls.largest_over_time,
            pitfalls.share_of_mistakes,
            pitfalls.whole_sequences,
        ],
        hints=[
            "Where is the model right? `logits.argmax(-1) == target` is a boolean `(B, T)`.",
            "Keep the real steps only: index with the mask.",
            "The mean of booleans needs numbers: `.float().mean()`.",
        ],
    ),
]
