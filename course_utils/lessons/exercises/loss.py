"""Exercises on masked losses, gradient accumulation and masked metrics."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

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
        hints=[
            "Where is the model right? `logits.argmax(-1) == target` is a boolean `(B, T)`.",
            "Keep the real steps only: index with the mask.",
            "The mean of booleans needs numbers: `.float().mean()`.",
        ],
    ),
]
