"""Through time: forward, backward, in windows, and one sequence at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils import backprop
from course_utils.data import small_batch
from course_utils.lessons.case_inputs import made_with_seed, random_tensors
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution
from course_utils.models import MaskedRNN, oracle

Gradients = tuple[Tensor, Tensor, Tensor]
LossAndGradients = tuple[float, dict[str, Tensor]]


@solution("unrolling.rnn_forward", careful=backprop.rnn_forward)
def rnn_forward(
    x: torch.Tensor, w_x: torch.Tensor, w_h: torch.Tensor, b: torch.Tensor
) -> torch.Tensor:
    """All states (L, H) of a recurrent network that reads one sequence x (L, F)."""
    state = torch.zeros_like(b)
    states = []
    for step in x:
        state = torch.tanh(w_x @ step + w_h @ state + b)
        states.append(state)
    return torch.stack(states)


def _sequence(length: int, features: int) -> Tensor:
    return small_batch([length], features, seed=length, dtype=torch.float64)[0]


def _parameters(features: int, hidden: int, seed: int) -> list[Tensor]:
    """``w_x``, ``w_h`` and ``b``, random."""
    return random_tensors((hidden, features), (hidden, hidden), (hidden,), seed=seed)


# length, features, hidden
_SIZES = {
    "three steps": (3, 2, 2),
    "one step": (1, 3, 2),
    "one feature": (5, 1, 3),
    "as many steps as features and units": (4, 4, 4),
    "one unit": (6, 3, 1),
    "seven steps": (7, 2, 3),
}


@rnn_forward.cases
def _forward_cases() -> list[Case]:
    cases = []
    for i, (name, (length, features, hidden)) in enumerate(_SIZES.items()):
        tensors = [_sequence(length, features), *_parameters(features, hidden, seed=i)]
        # The smallest case is about values alone.
        cases.append(Case(name, tuple(tensor.requires_grad_(i > 0) for tensor in tensors)))
    return cases


@rnn_forward.random
def _draw_sequence(draw: Draw) -> Case:
    length, features, hidden = draw.integer(1, 5), draw.integer(1, 3), draw.integer(1, 3)
    shapes = ((length, features), (hidden, features), (hidden, hidden), (hidden,))
    return Case("", tuple(draw.normal(*shape).requires_grad_() for shape in shapes))


@rnn_forward.trait("there is more than one step")
def _several_steps(x: Tensor) -> bool:
    return len(x) > 1


@rnn_forward.trait("there is more than one step, and more than one unit")
def _several_steps_and_units(x: Tensor, w_h: Tensor) -> bool:
    return len(x) > 1 and len(w_h) > 1


@rnn_forward.wrong(
    "Every step of yours begins with a state of zeros: hand each step the state of the one before.",
    belief="The recurrent layer keeps its state by itself.",
)
def forgets_the_state(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
    return torch.tanh(x @ w_x.T + b)


@rnn_forward.wrong(
    "Your states are right, but each step is cut off from the one before: detach nothing here.",
    belief="The state is data for the next step.",
)
def detaches_the_state(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
    return rnn_forward_in_windows(x, w_x, w_h, b, 1)


@solution("unrolling.bptt", careful=backprop.bptt, parts=("grad_w_x", "grad_w_h", "grad_b"))
def bptt_by_hand(
    grad_states: torch.Tensor, x: torch.Tensor, states: torch.Tensor, w_h: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients for w_x, w_h and b, from the gradients of the states (L, H)."""
    grad_w_x = grad_w_h = grad_b = from_later = 0
    for t in reversed(range(len(x))):
        before = states[t - 1] if t > 0 else torch.zeros_like(states[0])
        through_tanh = (grad_states[t] + from_later) * (1 - states[t] ** 2)
        grad_w_x = grad_w_x + torch.outer(through_tanh, x[t])
        grad_w_h = grad_w_h + torch.outer(through_tanh, before)
        grad_b = grad_b + through_tanh
        from_later = w_h.T @ through_tanh
    return grad_w_x, grad_w_h, grad_b


@bptt_by_hand.cases
def _() -> list[Case]:
    cases = []
    for i, (name, (length, features, hidden)) in enumerate(_SIZES.items()):
        x, (w_x, w_h, b) = _sequence(length, features), _parameters(features, hidden, seed=i)
        grad_states = _sequence(length, hidden + 1)[:, 1:]
        cases.append(Case(name, (grad_states, x, rnn_forward(x, w_x, w_h, b), w_h)))
    return cases


def _parts(
    grad_states: Tensor, x: Tensor, states: Tensor, back: Tensor, skip_tanh: bool = False
) -> list[Gradients]:
    """What each step sends to ``w_x``, ``w_h`` and ``b``; ``back`` leads to the step before."""
    parts = []
    from_later = torch.zeros_like(states[0])
    for t in reversed(range(len(x))):
        before = states[t - 1] if t > 0 else torch.zeros_like(states[0])
        arriving = grad_states[t] + from_later
        through = arriving * (1 - states[t] ** 2)
        parts.insert(0, (torch.outer(through, x[t]), torch.outer(through, before), through))
        from_later = back @ (arriving if skip_tanh else through)
    return parts


def _sum(parts: list[Gradients]) -> Gradients:
    return tuple(torch.stack(part).sum(0) for part in zip(*parts, strict=True))


@bptt_by_hand.wrong(
    "Nothing of yours comes from later steps: a state also acts on the loss through the next "
    "state, so add `w_h.T @ through_tanh` of the step after.",
    belief="Each step's loss is the business of that step alone.",
)
def ignores_later_steps(grad_states: Tensor, x: Tensor, states: Tensor, w_h: Tensor) -> Gradients:
    return _sum(_parts(grad_states, x, states, torch.zeros_like(w_h)))


@bptt_by_hand.wrong(
    "You keep the gradient of the first step alone: all steps use the same weights, so add up "
    "what they send.",
    belief="The gradient that is written last counts.",
)
def keeps_the_first_step(grad_states: Tensor, x: Tensor, states: Tensor, w_h: Tensor) -> Gradients:
    return _parts(grad_states, x, states, w_h.T)[0]


@bptt_by_hand.wrong(
    "You go to the step before without this step's tanh: send back `w_h.T @ through_tanh`, not "
    "`w_h.T` times the gradient that arrived.",
    belief="Only the weights lie between two states.",
)
def skips_tanh_on_the_way(grad_states: Tensor, x: Tensor, states: Tensor, w_h: Tensor) -> Gradients:
    return _sum(_parts(grad_states, x, states, w_h.T, skip_tanh=True))


@bptt_by_hand.wrong(
    "You pair each step's gradient with the state that the step made: the recurrent weight was "
    "multiplied by the state before it.",
    belief="A step's weight gradient needs that step's state.",
)
def pairs_with_the_same_state(
    grad_states: Tensor, x: Tensor, states: Tensor, w_h: Tensor
) -> Gradients:
    parts = _parts(grad_states, x, states, w_h.T)
    return _sum(
        [(w_x, torch.outer(b, state), b) for (w_x, _, b), state in zip(parts, states, strict=True)]
    )


@bptt_by_hand.random
def _(draw: Draw) -> Case:
    length, features, hidden = draw.integer(1, 5), draw.integer(1, 3), draw.integer(1, 3)
    x, w_h = draw.normal(length, features), draw.normal(hidden, hidden)
    states = backprop.rnn_forward(x, draw.normal(hidden, features), w_h, draw.normal(hidden))
    return Case("", (draw.normal(length, hidden), x, states, w_h))


bptt_by_hand.trait("there is more than one step")(_several_steps)
bptt_by_hand.trait("there is more than one step, and more than one unit")(_several_steps_and_units)


@bptt_by_hand.trait("there are three steps or more")
def _(x: torch.Tensor) -> bool:
    return len(x) >= 3


bptt_by_hand.equivalent(
    "from_later = through_tanh.T @ w_h",
    because="A vector times a matrix is the transposed matrix times the vector.",
)
bptt_by_hand.equivalent(
    "before = states[t - 1] if t > 0 else torch.zeros_like(states[-1])",
    because="All states have the same shape, and it alone is used.",
)


@solution("unrolling.truncated", careful=backprop.rnn_forward_truncated)
def rnn_forward_in_windows(
    x: torch.Tensor, w_x: torch.Tensor, w_h: torch.Tensor, b: torch.Tensor, window: int
) -> torch.Tensor:
    """The states (L, H), with the graph cut every `window` steps."""
    state = torch.zeros_like(b)
    states = []
    for t, step in enumerate(x):
        if t % window == 0:
            state = state.detach()
        state = torch.tanh(w_x @ step + w_h @ state + b)
        states.append(state)
    return torch.stack(states)


@rnn_forward_in_windows.cases
def _() -> list[Case]:
    cases = [
        Case(f"{case.name}, a window of {window}", (*case.args, window))
        for case, window in zip(_forward_cases(), [2, 2, 2, 4, 3, 1], strict=True)
    ]
    for steps, window in ((7, 3), (4, 9), (6, 2)):
        tensors = [_sequence(steps, 2), *_parameters(2, 3, seed=steps)]
        name = f"{steps} steps, a window of {window}"
        cases.append(Case(name, (*(tensor.requires_grad_() for tensor in tensors), window)))
    return cases


@rnn_forward_in_windows.random
def _(draw: Draw) -> Case:
    return Case("", (*_draw_sequence(draw).args, draw.integer(1, 4)))


@rnn_forward_in_windows.trait("there are more steps than a window holds")
def _(x: Tensor, window: int) -> bool:
    return len(x) > window


@rnn_forward_in_windows.trait("there are more steps than two windows hold")
def _(x: Tensor, window: int) -> bool:
    return len(x) > 2 * window


@rnn_forward_in_windows.trait("a window holds more than one step, and the sequence, too")
def _(x: Tensor, window: int) -> bool:
    return min(len(x), window) > 1


@rnn_forward_in_windows.wrong(
    "You never cut the graph: your states are right, and their gradients reach too far.",
    belief="A window only changes when `backward` is called.",
)
def never_cuts(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor, window: int) -> Tensor:
    return rnn_forward(x, w_x, w_h, b)


@rnn_forward_in_windows.wrong(
    "You begin every window with a state of zeros: truncation keeps the state and drops its "
    "history.",
    belief="Windows are sequences of their own.",
)
def restarts_from_zero(x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor, window: int) -> Tensor:
    return torch.cat([rnn_forward(part, w_x, w_h, b) for part in x.split(window)])


@rnn_forward_in_windows.wrong(
    "You store the detached state: the last step of each window then sends no gradient at all. "
    "Store the state first, detach it for the next window.",
    belief="It does not matter whether the state is stored before or after the cut.",
)
def stores_the_detached_state(
    x: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor, window: int
) -> Tensor:
    states = list(rnn_forward_in_windows(x, w_x, w_h, b, window))
    ends = range(window - 1, len(states), window)
    return torch.stack([s.detach() if t in ends else s for t, s in enumerate(states)])


@solution(
    "unrolling.mean_step_oracle", parts=("loss", "gradients"), gradients=False, exact=("kind",)
)
def mean_step_oracle(
    model: torch.nn.Module, sequences: list[torch.Tensor], targets: list[torch.Tensor]
) -> tuple[float, dict[str, torch.Tensor]]:
    """Mean squared error over all real steps, one sequence at a time, and its gradients."""
    count = sum(target.numel() for target in targets)
    loss = 0
    for sequence, target in zip(sequences, targets, strict=True):
        output = model(sequence[None], [len(sequence)])[0]
        loss = loss + (output - target).square().sum() / count
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    return loss.item(), dict(zip(parameters, gradients, strict=True))


@mean_step_oracle.cases
def _() -> list[Case]:
    def case(name: str, lengths: list[int], outputs: int) -> Case:
        model = made_with_seed(len(lengths), lambda: MaskedRNN(3, 4, outputs).double())
        sequences = small_batch(lengths, 3, seed=1, dtype=torch.float64)
        targets = small_batch(lengths, outputs, seed=2, dtype=torch.float64)
        return Case(name, (model, sequences, targets))

    return [
        case("two sequences", [2, 1], 1),
        case("four sequences, two outputs", [5, 3, 7, 2], 2),
        case("equal lengths", [3, 3, 3], 2),
        case("one sequence", [4], 3),
    ]


@mean_step_oracle.random
def _(draw: Draw) -> Case:
    features, hidden, outputs = (draw.integer(1, 3) for _ in range(3))
    seed, lengths = draw.integer(0, 99), draw.lengths(draw.integer(1, 4), most=5)
    model = made_with_seed(seed, lambda: MaskedRNN(features, hidden, outputs).double())
    if draw.chance(0.3):  # somebody has called backward before
        for parameter in model.parameters():
            parameter.grad = draw.normal(*parameter.shape)
    sequences = [draw.normal(length, features) for length in lengths]
    return Case("", (model, sequences, [draw.normal(length, outputs) for length in lengths]))


@mean_step_oracle.trait("the parameters hold gradients of an earlier call")
def _(model: nn.Module) -> bool:
    return any(parameter.grad is not None for parameter in model.parameters())


mean_step_oracle.equivalent(
    "output = model(sequence[None], [len(sequence)])[-1]",
    because="A batch of one has one entry, the first and the last.",
)
mean_step_oracle.equivalent(
    "loss = loss + (target - output).square().sum() / count",
    because="The square of a difference does not depend on its sign.",
)
for _line in (
    "for sequence, target in zip(sequences, targets):",
    "for sequence, target in zip(sequences, targets, strict=False):",
    "return (loss.item(), dict(zip(parameters, gradients)))",
    "return (loss.item(), dict(zip(parameters, gradients, strict=False)))",
):
    mean_step_oracle.equivalent(_line, because="Both lists are equally long.")


def _squared_errors(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], divisor: float
) -> LossAndGradients:
    """The oracle's sum of squared errors divided by one number."""
    found = oracle(model, sequences, lambda out, i: (out - targets[i]).square().sum() / divisor)
    return found.loss.item(), found.gradients


@mean_step_oracle.wrong(
    "You take the mean of the sequences' means: a step of a short sequence then counts more. "
    "Divide once, by the number of all real steps.",
    belief="A mean of means is the mean.",
)
def averages_the_means(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor]
) -> LossAndGradients:
    def addend(output: Tensor, i: int) -> Tensor:
        return (output - targets[i]).square().mean() / len(sequences)

    found = oracle(model, sequences, addend)
    return found.loss.item(), found.gradients


@mean_step_oracle.wrong(
    "Your loss is right, but your gradients are the last sequence's alone: add them up over the "
    "sequences.",
    belief="Each sequence's gradient replaces the one before.",
)
def keeps_the_last_gradient(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor]
) -> LossAndGradients:
    divisor = sum(map(len, sequences)) * targets[0].shape[-1]
    loss, _ = _squared_errors(model, sequences, targets, divisor)
    return loss, _squared_errors(model, sequences[-1:], targets[-1:], divisor)[1]
