"""Exercises on recurrent networks unrolled through time."""

from __future__ import annotations

from course_utils.lessons.entries import Exercise

EXERCISES = [
    Exercise(
        key="unrolling.rnn_forward",
        number="2.1",
        title="The forward loop",
        difficulty=1,
        minutes=6,
        task="Read one sequence `x` of shape `(L, F)` step by step. Begin with a state of zeros. "
        "At each step the new state is `tanh(w_x @ step + w_h @ state + b)`. Return all `L` "
        "states as one tensor `(L, H)`.",
        hints=[
            "`state = torch.zeros_like(b)` has the right length, dtype and device. Iterating over "
            "`x` gives its steps.",
            "In the loop compute the new state under the same name, `state = torch.tanh(...)`, and "
            "append it to a list.",
            "After the loop: `return torch.stack(states)`.",
        ],
    ),
    Exercise(
        key="unrolling.bptt",
        number="2.2",
        title="Backpropagation through time",
        difficulty=3,
        minutes=15,
        task="Go back through the loop of exercise 2.1. `grad_states[t]` says how the loss depends "
        "on state `t` directly, that is, not through later states. Return the gradients for "
        "`w_x`, `w_h` and `b`. Write them by hand, without autograd.",
        hints=[
            "Walk from the last step to the first. What arrives at state `t` is `grad_states[t]` "
            "plus what step `t + 1` sent back; for the last step nothing was sent.",
            "`through_tanh = (grad_states[t] + from_later) * (1 - states[t] ** 2)`. The bias gets "
            "it as it is, `w_x` gets `torch.outer(through_tanh, x[t])`, and `w_h` the outer "
            "product with the state *before* this step, which is zero for step 0.",
            "Add these up over all steps. To the step before goes "
            "`from_later = w_h.T @ through_tanh`.",
        ],
    ),
    Exercise(
        key="unrolling.truncated",
        number="2.3",
        title="Truncate with a window",
        difficulty=2,
        minutes=8,
        task="Write the loop of exercise 2.1 once more, and cut the graph every `window` steps: "
        "the first window holds the steps 0 to `window - 1`, the second one begins with step "
        "`window`, and so on. The states keep their values; gradients stop at each window's start.",
        hints=[
            "`state.detach()` has the same values and no history.",
            "Use `enumerate(x)` to know the number of the step. A window begins where the number "
            "is divisible by `window`.",
            "First line of the loop: `if t % window == 0: state = state.detach()`. The rest is the "
            "loop that you know.",
        ],
    ),
    Exercise(
        key="unrolling.mean_step_oracle",
        number="2.4",
        title="The oracle",
        difficulty=2,
        minutes=10,
        task="Run `model` on one sequence at a time, called as "
        "`model(sequence[None], [len(sequence)])[0]`. Return two things: the mean squared error "
        "over all numbers of all real steps, as a plain number, and a dictionary with the gradient "
        "of that mean for each parameter, by its name in `model.named_parameters()`.",
        hints=[
            "Count first: `sum(target.numel() for target in targets)` numbers enter the mean.",
            "Each sequence adds `(output - target).square().sum() / count`. Add up these losses.",
            "`torch.autograd.grad(total, list(model.parameters()))` gives the gradients in the "
            "order of `model.named_parameters()`, and `.item()` makes a plain number. "
            "`course_utils.oracle` does the loop for you.",
        ],
    ),
]
