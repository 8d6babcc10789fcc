"""Exercises on recurrent networks unrolled through time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.backprop import rnn_forward
from course_utils.data import small_batch
from course_utils.lessons.entries import Case, Exercise
from course_utils.models import MaskedRNN
from course_utils.pitfalls import unrolling as pitfalls


def _parameters(features: int, hidden: int, seed: int) -> list[Tensor]:
    """``w_x``, ``w_h`` and ``b``, random."""
    generator = torch.Generator("cpu").manual_seed(seed)
    shapes = (hidden, features), (hidden, hidden), (hidden,)
    return [torch.randn(s, generator=generator, dtype=torch.float64, device="cpu") for s in shapes]


def _sequence(length: int, features: int) -> Tensor:
    return small_batch([length], features, seed=length, dtype=torch.float64)[0]


# length, features, hidden
_SIZES = [(3, 2, 2), (1, 3, 2), (5, 1, 3), (4, 4, 4), (6, 3, 1), (7, 2, 3)]


def _forward_cases(windows: Sequence[int] | None = None) -> list[Case]:
    cases = []
    for i, (length, features, hidden) in enumerate(_SIZES):
        tensors = [_sequence(length, features), *_parameters(features, hidden, seed=i)]
        if i > 0:
            tensors = [tensor.requires_grad_() for tensor in tensors]
        cases.append(Case((*tensors, *([windows[i]] if windows else []))))
    return cases


def _truncated_cases() -> list[Case]:
    return _forward_cases([2, 2, 2, 4, 3, 1]) + [
        Case((*(t.requires_grad_() for t in (_sequence(n, 2), *_parameters(2, 3, seed=n))), window))
        for n, window in ((7, 3), (4, 9), (6, 2))
    ]


def _bptt_cases() -> list[Case]:
    cases = []
    for i, (length, features, hidden) in enumerate(_SIZES):
        x, (w_x, w_h, b) = _sequence(length, features), _parameters(features, hidden, seed=i)
        grad_states = _sequence(length, hidden + 1)[:, 1:]
        cases.append(Case((grad_states, x, rnn_forward(x, w_x, w_h, b), w_h)))
    return cases


def _oracle_cases() -> list[Case]:
    cases = []
    for lengths, outputs in (([2, 1], 1), ([5, 3, 7, 2], 2), ([3, 3, 3], 2), ([4], 3)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(lengths))
            model = MaskedRNN(3, 4, outputs).double()
        sequences = small_batch(lengths, 3, seed=1, dtype=torch.float64)
        targets = small_batch(lengths, outputs, seed=2, dtype=torch.float64)
        cases.append(Case((model, sequences, targets)))
    return cases


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
        cases=_forward_cases,
        wrong=[
            pitfalls.forgets_the_state,
            pitfalls.stores_the_state_before,
            pitfalls.transposes_the_recurrent_weight,
            pitfalls.adds_the_state_after_tanh,
            pitfalls.returns_the_last_state,
            pitfalls.detaches_the_state,
        ],
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
        cases=_bptt_cases,
        wrong=[
            pitfalls.ignores_later_steps,
            pitfalls.keeps_the_first_step,
            pitfalls.reads_the_last_loss,
            pitfalls.skips_tanh_on_the_way,
            pitfalls.goes_back_untransposed,
            pitfalls.pairs_with_the_same_state,
            pitfalls.averages_the_steps,
        ],
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
        cases=_truncated_cases,
        wrong=[
            pitfalls.cuts_every_step,
            pitfalls.never_cuts,
            pitfalls.restarts_from_zero,
            pitfalls.cuts_once,
            pitfalls.cuts_one_step_early,
            pitfalls.stores_the_detached_state,
        ],
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
        cases=_oracle_cases,
        wrong=[
            pitfalls.averages_the_means,
            pitfalls.forgets_to_divide,
            pitfalls.divides_by_the_sequences,
            pitfalls.divides_by_padded_steps,
            pitfalls.forgets_the_features,
            pitfalls.keeps_the_last_gradient,
        ],
        hints=[
            "Count first: `sum(target.numel() for target in targets)` numbers enter the mean.",
            "Each sequence adds `(output - target).square().sum() / count`. Add up these losses.",
            "`torch.autograd.grad(total, list(model.parameters()))` gives the gradients in the "
            "order of `model.named_parameters()`, and `.item()` makes a plain number. "
            "`course_utils.oracle` does the loop for you.",
        ],
    ),
]
