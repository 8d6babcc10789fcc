"""Exercises on backpropagation through a fixed graph."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

EXERCISES = [
    Exercise(
        key="backprop.layer_backward",
        number="1.1",
        title="Go back through a layer",
        difficulty=2,
        minutes=8,
        task="A layer computes `tanh(x @ weight.T + bias)` for a batch `x` of shape `(B, F)`. "
        "Given `grad`, the gradient of the loss for the layer's output, return three gradients: "
        "for `x`, for `weight` and for `bias`. Write them by hand, without autograd.",
        hints=[
            "Go through the operations from the last to the first: `tanh`, then the bias, then the "
            "product. A gradient has the shape of the tensor that it belongs to.",
            "Through `tanh`: multiply `grad` by `1 - output**2`, entry by entry. Call the result "
            "`through_tanh`; its shape is `(B, H)`.",
            "`through_tanh @ weight` has the shape of `x`, `through_tanh.T @ x` that of `weight`, "
            "and `through_tanh.sum(0)` that of `bias`.",
        ],
    ),
    Exercise(
        key="backprop.shared_layer_backward",
        number="1.2",
        title="A weight that is used twice",
        difficulty=2,
        minutes=8,
        task="A network uses one weight in both of its layers: `hidden = tanh(x @ weight.T)`, then "
        "`output = tanh(hidden @ weight.T)`. Given `grad`, the gradient for the output, return the "
        "gradient for `weight`. Write it by hand, without autograd.",
        hints=[
            "Give the weight two names for a moment, one for each layer. What gradient does each "
            "of the two get?",
            "The second layer sends two gradients: one to its weight, `through_second.T @ hidden`, "
            "and one to `hidden`, `through_second @ weight`. With the latter go through the first "
            "layer.",
            "The first layer sends `through_first.T @ x` to the weight. Return the sum of both.",
        ],
    ),
    Exercise(
        key="backprop.numerical_gradient",
        number="1.3",
        title="Finite differences",
        difficulty=2,
        minutes=8,
        task="Measure the gradient of `function`, which takes a tensor like `x` and returns one "
        "number. Move one entry of `x` at a time by `epsilon`, up and down, and divide by the "
        "distance. Compute in float64, whatever the dtype of `x`, and return a tensor with the "
        "shape and the dtype of `x`.",
        hints=[
            "Work on `flat = x.double().flatten()`: one index reaches every entry, and "
            "`.view(x.shape)` brings the shape back.",
            "For entry `i` make a tensor of zeros with `epsilon` at `i`, and evaluate the function "
            "at `flat + nudge` and at `flat - nudge`.",
            "The slope is `(up - down) / (2 * epsilon)`. At the end: "
            "`slopes.view(x.shape).to(x.dtype)`.",
        ],
    ),
    Exercise(
        key="backprop.scaled_loss",
        number="1.4",
        title="Bring the lost gradient back",
        difficulty=2,
        minutes=6,
        task="Compute `hidden = tanh(x @ weight.T)`, divide it by its largest absolute value, and "
        "return the mean of the squares. The number alone is easy. The gradient must reach "
        "`weight` and `x` on every way on which the loss depends on them.",
        hints=[
            "Stay with tensors from the inputs to the result. `.item()`, `.data`, `.detach()`, "
            "`.numpy()` and `torch.tensor(...)` leave the graph.",
            "The largest entry depends on the weight, too. `hidden.abs().max()` is a tensor, and a "
            "tensor can be divided by a tensor.",
            "One line: `return (hidden / hidden.abs().max()).square().mean()`.",
        ],
    ),
]
