"""Masking: a mask, a masked recurrence, a masked softmax, a safe logarithm."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils import masked, sequences
from course_utils.lessons.case_inputs import made_with_seed, random_tensors
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution


@solution("masking.lengths_to_mask", careful=sequences.lengths_to_mask, exact=("dtype",))
def lengths_to_mask(lengths: torch.Tensor, max_length: int | None = None) -> torch.Tensor:
    """Boolean mask (B, T), True at real steps."""
    steps = int(lengths.max()) if max_length is None else max_length
    return torch.arange(steps, device=lengths.device)[None, :] < lengths[:, None]


@lengths_to_mask.cases
def _() -> list[Case]:
    lists = {
        "two sequences": [1, 2],
        "four sequences": [5, 3, 7, 2],
        "equal lengths": [3, 3, 3],
        "a row without real steps": [2, 0, 1],
        "one sequence": [4],
        "as many sequences as steps": [1, 2, 3],
    }
    lengths = {name: torch.tensor(lists[name], device="cpu") for name in lists}
    padded_further = {"two sequences": 4, "four sequences": 7, "equal lengths": 5}
    return [Case(name, (lengths[name],)) for name in lists] + [
        Case(f"{name}, padded to {steps} steps", (lengths[name],), {"max_length": steps})
        for name, steps in padded_further.items()
    ]


@lengths_to_mask.random
def _(draw: Draw) -> Case:
    lengths = draw.lengths(draw.integer(1, 4), 5, least=0)
    if draw.chance(0.4):
        further = max(1, max(lengths) + draw.integer(0, 2))
        return Case("", (torch.tensor(lengths, device="cpu"),), {"max_length": further})
    lengths[-1] = max(1, lengths[-1])
    return Case("", (torch.tensor(lengths, device="cpu"),))


for _line in (
    "steps = lengths.max() if max_length is None else max_length",
    "steps = int(lengths.amax(0, keepdim=True)) if max_length is None else max_length",
    "steps = int(lengths.amax(-1, keepdim=True)) if max_length is None else max_length",
):
    lengths_to_mask.equivalent(_line, because="The longest length is the same whole number.")
lengths_to_mask.equivalent(
    "return torch.arange(steps)[None, :] < lengths[:, None]",
    because="A check runs on the CPU, where tensors are made anyway.",
)


def _steps(lengths: Tensor, max_length: int | None) -> Tensor:
    longest = int(lengths.max()) if max_length is None else max_length
    return torch.arange(longest, device=lengths.device)[None, :]


@lengths_to_mask.wrong(
    "Your mask is one step too long: steps are counted from 0, so step number `length` is a pad.",
    belief="A sequence of length 3 ends with step 3.",
)
def one_step_too_long(lengths: Tensor, max_length: int | None = None) -> Tensor:
    return _steps(lengths, max_length) <= lengths[:, None]


@lengths_to_mask.wrong(
    "Your mask has its real steps on the right: sequences here begin at step 0 and are padded "
    "after their end.",
    belief="Padding comes first.",
)
def real_on_the_right(lengths: Tensor, max_length: int | None = None) -> Tensor:
    return lengths_to_mask(lengths, max_length).flip(1)


@lengths_to_mask.wrong(
    "Your mask is upside down: True means real in this course, and yours is True at the pads.",
    belief="A mask marks what is to be ignored.",
)
def true_is_padding(lengths: Tensor, max_length: int | None = None) -> Tensor:
    return ~lengths_to_mask(lengths, max_length)


@solution("masking.masked_recurrence", parts=("outputs", "final states"))
def masked_recurrence(
    cell: torch.nn.RNNCell, inputs: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs (B, T, H) with zeros at pads, and final states (B, H)."""
    state = inputs.new_zeros(len(inputs), cell.hidden_size)
    outputs = []
    for t in range(inputs.shape[1]):
        real = mask[:, t, None]
        state = torch.where(real, cell(inputs[:, t], state), state)
        outputs.append(state.masked_fill(~real, 0))
    return torch.stack(outputs, dim=1), state


@masked_recurrence.cases
def _() -> list[Case]:
    def case(name: str, mask: Tensor, features: int, hidden: int) -> Case:
        cell = made_with_seed(
            features + hidden, lambda: nn.RNNCell(features, hidden, dtype=torch.float64)
        )
        (inputs,) = random_tensors((*mask.shape, features), seed=mask.numel())
        return Case(name, (cell, inputs.requires_grad_(), mask))

    to_mask = sequences.lengths_to_mask
    holes = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 1, 1], [0, 1, 1, 1, 0]], dtype=torch.bool)
    return [
        case("one feature, one unit", to_mask([1, 2]), 1, 1),
        case("four sequences", to_mask([5, 3, 7, 2]), 3, 4),
        case("as many sequences as steps", to_mask([3, 2, 3]), 2, 3),
        case("no pads", to_mask([2, 2]), 2, 2),
        case("one sequence", to_mask([4]), 1, 3),
        case("pads between real steps", holes, 2, 3),
        case("a row without real steps", to_mask([2, 0], 3), 2, 2),
    ]


@masked_recurrence.random
def _(draw: Draw) -> Case:
    features, hidden, bias = draw.integer(1, 3), draw.integer(1, 3), draw.chance(0.8)
    cell = made_with_seed(
        draw.integer(0, 99),
        lambda: nn.RNNCell(features, hidden, bias=bias, dtype=torch.float64),
    )
    mask = draw.mask(draw.integer(1, 4), draw.integer(1, 4))
    inputs = draw.normal(*mask.shape, features)
    if draw.chance(0.4):  # pads that would fill every unit
        inputs = torch.where(mask[..., None], inputs, 100 * inputs)
    return Case("", (cell, inputs.requires_grad_(), mask))


@masked_recurrence.trait("a row goes on after a step at which every row is padding")
def _(mask: torch.Tensor) -> bool:
    someone = mask.any(0)
    return bool((~someone[:-1] & someone[1:].flip(0).cummax(0).values.flip(0)).any())


masked_recurrence.equivalent(
    "real = mask[:, None, t]", because="The new axis stands last in both: it is (B, 1)."
)


def _run(
    cell: nn.RNNCell,
    inputs: Tensor,
    mask: Tensor,
    carry: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """A recurrence whose state is ``carry(real, new, old)``, with outputs of zero at pads."""
    state = inputs.new_zeros(len(inputs), cell.hidden_size)
    outputs = []
    for t in range(inputs.shape[1]):
        real = mask[:, t, None]
        state = carry(real, cell(inputs[:, t], state), state)
        outputs.append(state.masked_fill(~real, 0))
    return torch.stack(outputs, dim=1), state


@masked_recurrence.wrong(
    "Your state moves on at the pads: the mask is applied to the outputs alone.",
    belief="Whatever happens at a pad is gone once the outputs are masked.",
)
def masks_outputs_alone(cell: nn.RNNCell, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return _run(cell, inputs, mask, lambda real, new, old: new)


@masked_recurrence.wrong(
    "You set the padded inputs to zero and let the state move on: biases and the recurrence still "
    "change it.",
    belief="Zeros at the pads leave the state as it is.",
)
def zeroes_the_inputs(cell: nn.RNNCell, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return masks_outputs_alone(cell, inputs.masked_fill(~mask[..., None], 0), mask)


@masked_recurrence.wrong(
    "Your state becomes zero at a pad, so the sequence is forgotten: carry the old state instead.",
    belief="Multiplying the state by the mask skips a step.",
)
def resets_the_state(cell: nn.RNNCell, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return _run(cell, inputs, mask, lambda real, new, old: new * real)


@masked_recurrence.wrong(
    "Your state moves at the pads and stands still at real steps: the two branches are swapped.",
    belief="The mask says where the state is to be kept.",
)
def swaps_the_branches(cell: nn.RNNCell, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return _run(cell, inputs, mask, lambda real, new, old: torch.where(real, old, new))


@masked_recurrence.wrong(
    "Your outputs hold the carried state at the pads: zeros are asked for there.",
    belief="The output of a step is always the state after it.",
)
def shows_the_carried_state(
    cell: nn.RNNCell, inputs: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    states = []

    def carry(real: Tensor, new: Tensor, old: Tensor) -> Tensor:
        states.append(torch.where(real, new, old))
        return states[-1]

    _run(cell, inputs, mask, carry)
    return torch.stack(states, dim=1), states[-1]


@masked_recurrence.wrong(
    "You return the last column of the outputs as the final state: it is zero for every row that "
    "ends in padding.",
    belief="The last column holds the final states.",
)
def returns_the_last_column(
    cell: nn.RNNCell, inputs: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    outputs, _ = _run(cell, inputs, mask, torch.where)
    return outputs, outputs[:, -1]


@solution("masking.masked_softmax", careful=masked.masked_softmax)
def masked_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Softmax over the last axis among real positions; empty rows get zeros."""
    return scores.masked_fill(~mask, -torch.inf).softmax(-1).masked_fill(~mask, 0)


@masked_softmax.cases
def _() -> list[Case]:
    def case(name: str, mask: list, *shape: int, scale: float = 1.0) -> Case:
        real = torch.tensor(mask, dtype=torch.bool, device="cpu")
        (scores,) = random_tensors(shape or real.shape, seed=real.numel())
        return Case(name, ((scale * scores).requires_grad_(), real))

    return [
        case("one row", [[1, 1, 0]]),
        case("three rows", [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]),
        case("a row without real steps", [[1, 1], [0, 0]]),
        case("as many rows as positions", [[1, 1, 0], [1, 1, 1], [0, 1, 1]]),
        case("the same keys for four queries", [[[1, 1, 0]], [[1, 0, 0]]], 2, 4, 3),
        case("large scores", [[1, 1, 1, 0], [1, 0, 1, 1]], scale=2000.0),
    ]


@masked_softmax.wrong(
    "Your weights do not sum to 1: the pads had their share of the softmax before you removed it.",
    belief="It does not matter whether a mask comes before or after the softmax.",
)
def masks_afterwards(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.softmax(-1) * mask


@masked_softmax.wrong(
    "A row without any real step attends evenly to its pads: all its scores are the same large "
    "negative number.",
    belief="A large negative score is as good as minus infinity.",
)
def large_negative_scores(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask, -1e9).softmax(-1)


@masked_softmax.wrong(
    "A row without any real step becomes NaN: softmax divides zero by zero there.",
    belief="Every row has a real step.",
)
def empty_rows_are_nan(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask, -torch.inf).softmax(-1)


@masked_softmax.wrong(
    "Your result is right, but an empty row's gradient is NaN: you add minus infinity and repair "
    "the NaN afterwards, and the backward pass still goes through it.",
    belief="A NaN that is replaced at the end does no harm.",
)
def repairs_afterwards(scores: Tensor, mask: Tensor) -> Tensor:
    penalty = torch.zeros_like(scores).masked_fill(~mask, -torch.inf)
    return (scores + penalty).softmax(-1).nan_to_num(0.0)


@masked_softmax.wrong(
    "Large scores overflow: subtract the largest one before the exponential, or use softmax.",
    belief="The exponential of a score is always a finite number.",
)
def overflows(scores: Tensor, mask: Tensor) -> Tensor:
    parts = scores.exp() * mask
    return parts / parts.sum(-1, keepdim=True).clamp(min=1e-30)


@masked_softmax.random
def _(draw: Draw) -> Case:
    rows, keys = draw.integer(1, 3), draw.integer(1, 4)
    scores, mask = draw.normal(rows, keys), draw.mask(rows, keys)
    if draw.chance(0.3):  # the same keys for several queries
        scores, mask = draw.normal(rows, 2, keys), mask[:, None, :]
    if draw.chance(0.3):  # a pad that would win by far
        scores = torch.where(mask, scores, draw.choice([60.0, 2000.0]))
    return Case("", (scores.requires_grad_(), mask))


@masked_softmax.trait("a pad has by far the largest score of its row")
def _(scores: torch.Tensor, mask: torch.Tensor) -> bool:
    pads = scores.masked_fill(mask, -torch.inf).amax(-1)
    real = scores.masked_fill(~mask, -torch.inf).amax(-1)
    return bool(((pads > real + 25) & mask.any(-1)).any())


masked_softmax.equivalent(
    "return scores.masked_fill(~mask, -10000.0).softmax(-1).masked_fill(~mask, 0)",
    because="Next to scores of ordinary size it is as good as infinity; pads become 0 afterwards.",
)


@solution("masking.safe_log")
def safe_log(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The logarithm where the mask is True, and 0 elsewhere."""
    return values.masked_fill(~mask, 1).log()


@safe_log.cases
def _() -> list[Case]:
    nan, inf = torch.nan, torch.inf

    def case(name: str, values: list, mask: list, dtype: torch.dtype = torch.float64) -> Case:
        numbers = torch.tensor(values, dtype=dtype, device="cpu").requires_grad_()
        return Case(name, (numbers, torch.tensor(mask, dtype=torch.bool, device="cpu")))

    return [
        case("a zero at the pad", [2.0, 0.0], [1, 0]),
        case("two rows", [[0.5, 3.0, 0.0], [1.5, 0.0, 0.0]], [[1, 1, 0], [1, 0, 0]]),
        case("NaN and a negative number at pads", [[0.25, nan], [-1.0, 4.0]], [[1, 0], [0, 1]]),
        case("no pads", [0.7, 1.3, 2.0], [1, 1, 1]),
        case("a very small real value", [1e-15, 1e-3, inf], [1, 1, 0]),
        case("nothing real, single precision", [0.0, 0.0], [0, 0], torch.float32),
    ]


@safe_log.random
def _(draw: Draw) -> Case:
    shape = [draw.integer(1, 4) for _ in range(draw.integer(1, 3))]
    dtype = draw.choice([torch.float64, torch.float64, torch.float32])
    values, mask = draw.normal(*shape, dtype=dtype).exp(), draw.mask(*shape)
    if draw.chance(0.3):
        values = values * 1e-15
    pad = draw.choice([0.0, -2.0, torch.nan, torch.inf, None])
    if pad is not None:
        values = torch.where(mask, values, pad)
    return Case("", (values.requires_grad_(), mask))


@safe_log.trait("a real value is very small")
def _(values: torch.Tensor, mask: torch.Tensor) -> bool:
    return bool((values[mask] < 1e-9).any())


@safe_log.trait("a masked value is NaN or infinite")
def _(values: torch.Tensor, mask: torch.Tensor) -> bool:
    return bool((~values[~mask].isfinite()).any())


@safe_log.wrong(
    "Your result holds NaN: the logarithm of zero is minus infinity, and zero times that is NaN.",
    belief="Multiplying by a mask of zeros removes any number.",
)
def multiplies_the_log(values: Tensor, mask: Tensor) -> Tensor:
    return values.log() * mask


@safe_log.wrong(
    "Your result is right and its gradient is NaN: the logarithm still runs on the masked values, "
    "and in the backward pass zero times infinity is NaN.",
    belief="What torch.where does not choose has no effect.",
)
def chooses_after_the_log(values: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, values.log(), 0.0)
