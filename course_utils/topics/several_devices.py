"""Shares of a batch: the loss' scale, dealing out, and an empty share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.data import small_batch
from course_utils.lessons.case_inputs import made_with_seed
from course_utils.lessons.draws import Draw
from course_utils.lessons.solutions import Case, solution
from course_utils.models import MaskedRNN
from course_utils.parallel import shares
from course_utils.sequences import lengths_of, lengths_to_mask, pad_batch


@solution("devices.scaled_loss", careful=shares.scaled_loss, exact=("history",))
def my_scaled_loss(error_sum: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The loss for backward() on one device; counts are the real steps of all, (devices,)."""
    return error_sum * len(counts) / counts.sum().clamp(min=1)


@my_scaled_loss.cases
def _() -> list[Case]:
    def case(
        name: str, error_sum: float, counts: Sequence[int], dtype: torch.dtype = torch.float32
    ) -> Case:
        return _case_of_sum(torch.tensor(error_sum, dtype=dtype, device="cpu"), counts, name)

    return [
        case("two devices", 6.0, [2, 10]),
        case("equal shares", 6.0, [4, 4]),
        case("another device without real steps", 2.5, [3, 0, 5]),
        case("one device", 7.0, [9]),
        case("a single real step", 3.0, [1, 0]),
        case("this device without real steps", 0.0, [0, 8]),
        case("no device with real steps", 0.0, [0, 0]),
        case("double precision", 3.25, [5, 3, 6, 2], torch.float64),
    ]


def _case_of_sum(error_sum: Tensor, counts: Sequence[int], name: str = "") -> Case:
    """Of a loss that is 0 by definition the gradient is not determined: it must only arrive."""
    gradients = True if any(counts) else "reached"
    numbers = torch.tensor(counts, device="cpu")
    return Case(name, (error_sum.requires_grad_(), numbers), gradients=gradients)


@my_scaled_loss.random
def _(draw: Draw) -> Case:
    counts = draw.lengths(draw.integer(1, 4), 6, least=draw.choice([0, 1]))
    if draw.chance(0.2):
        counts = [0] * len(counts)
    error_sum = draw.normal(dtype=torch.float32).abs() + 0.5
    return _case_of_sum(error_sum if any(counts) else error_sum * 0, counts)


@my_scaled_loss.trait("no device has a real step")
def _(counts: Tensor) -> bool:
    return not counts.any()


@my_scaled_loss.trait("some device has no real step")
def _(counts: Tensor) -> bool:
    return not counts.all()


@my_scaled_loss.trait("there are several devices")
def _(counts: Tensor) -> bool:
    return len(counts) > 1


@my_scaled_loss.wrong(
    "Your gradients are too small by the number of devices: the average divides by it once more.",
    belief="Gradients of several devices are added up.",
)
def forgets_the_average(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum / counts.sum().clamp(min=1)


@my_scaled_loss.wrong(
    "You divide by the number of devices, and the average does that again: multiply by it.",
    belief="An average over devices needs a division by their number.",
)
def divides_by_devices(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum / counts.sum().clamp(min=1) / len(counts)


@my_scaled_loss.wrong(
    "You never divide by the real steps: your loss is a sum, and grows with the batch.",
    belief="Averaging over devices turns sums into a mean.",
)
def never_divides(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum * len(counts)


@my_scaled_loss.wrong(
    "You count only devices that have real steps: the average counts every device, empty ones too.",
    belief="A device without data takes no part in the average.",
)
def counts_busy_devices(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum * (counts > 0).sum() / counts.sum().clamp(min=1)


@my_scaled_loss.wrong(
    "You divide by the largest share: divide by the real steps of all devices.",
    belief="The device with the most steps sets the scale.",
)
def divides_by_largest(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum / counts.max().clamp(min=1)


@my_scaled_loss.wrong(
    "Where no device has a real step you compute 0/0: divide by at least 1.",
    belief="Some device always has data.",
)
def divides_by_zero(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum * len(counts) / counts.sum()


@solution("devices.share_by_tokens", careful=shares.share_by_tokens)
def my_shares(lengths: list[int], devices: int) -> list[list[int]]:
    """Positions for every device: the longest first, each to the device with the fewest steps."""
    shares = [[] for _ in range(devices)]
    steps = [0] * devices
    for position in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        chosen = steps.index(min(steps))
        shares[chosen].append(position)
        steps[chosen] += lengths[position]
    return [sorted(share) for share in shares]


@my_shares.cases
def _() -> list[Case]:
    return [
        Case("three sequences", ([3, 1, 2], 2)),
        Case("four sequences", ([5, 3, 7, 2], 2)),
        Case("two long sequences among short ones", ([9, 1, 1, 1, 8], 2)),
        Case("equal lengths", ([4, 4, 4, 4], 2)),
        Case("more devices than sequences", ([2, 6], 3)),
        Case("three devices", ([7, 5, 6, 3, 1, 2, 9, 4], 3)),
        Case("one sequence", ([5], 1)),
    ]


@my_shares.random
def _(draw: Draw) -> Case:
    lengths = draw.lengths(draw.integer(1, 7), draw.choice([3, 9, 30]))
    return Case("", (lengths, draw.integer(1, 4)))


@my_shares.trait("there are more devices than sequences")
def _(lengths: list[int], devices: int) -> bool:
    return devices > len(lengths)


@my_shares.trait("two sequences are equally long")
def _(lengths: list[int]) -> bool:
    return len(set(lengths)) < len(lengths)


@my_shares.trait("there are several devices")
def _(devices: int) -> bool:
    return devices > 1


@my_shares.wrong(
    "You deal the sequences out in turn, whatever their lengths: one device may get all long ones.",
    belief="Equally many sequences are equally much work.",
)
def deals_in_turn(lengths: Sequence[int], devices: int) -> list[list[int]]:
    return [list(range(device, len(lengths), devices)) for device in range(devices)]


@my_shares.wrong(
    "You cut the list into blocks of equally many sequences: their real steps can differ a lot.",
    belief="Equally many sequences are equally much work.",
)
def cuts_blocks(lengths: Sequence[int], devices: int) -> list[list[int]]:
    size = -(-len(lengths) // devices)
    return [list(range(len(lengths)))[size * d : size * (d + 1)] for d in range(devices)]


def _dealt(
    lengths: Sequence[int], devices: int, order: Sequence[int], cost: Sequence[int]
) -> list[list[int]]:
    """Deal out in this order; the cheapest device so far gets the next one."""
    shares: list[list[int]] = [[] for _ in range(devices)]
    total = [0] * devices
    for position in order:
        chosen = total.index(min(total))
        shares[chosen].append(position)
        total[chosen] += cost[position]
    return [sorted(share) for share in shares]


@my_shares.wrong(
    "You start with the shortest: the longest ones come last, and nothing is left to balance them.",
    belief="The order of dealing does not matter.",
)
def shortest_first(lengths: Sequence[int], devices: int) -> list[list[int]]:
    return _dealt(lengths, devices, sorted(range(len(lengths)), key=lambda i: lengths[i]), lengths)


@my_shares.wrong(
    "You deal in the order given: take the longest sequence first.",
    belief="The order of dealing does not matter.",
)
def in_the_order_given(lengths: Sequence[int], devices: int) -> list[list[int]]:
    return _dealt(lengths, devices, range(len(lengths)), lengths)


@my_shares.wrong(
    "You give the next sequence to the device with the fewest sequences: count real steps.",
    belief="The number of rows is the size of a batch.",
)
def fewest_sequences(lengths: Sequence[int], devices: int) -> list[list[int]]:
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return _dealt(lengths, devices, order, [1] * len(lengths))


@my_shares.wrong(
    "Your shares hold lengths: positions in the list are asked for.",
    belief="A sequence is known by its length.",
)
def returns_lengths(lengths: Sequence[int], devices: int) -> list[list[int]]:
    return [[lengths[i] for i in share] for share in my_shares(lengths, devices)]


my_shares.equivalent(
    "steps = [-1] * devices", because="All devices start with the same number, whichever it is."
)
my_shares.equivalent(
    "steps = [1] * devices", because="All devices start with the same number, whichever it is."
)


@solution(
    "devices.share_sum",
    careful=shares.share_sum,
    parts=("sum", "count"),
    gradients=("model",),
    exact=("history",),
)
def my_share_sum(
    model: torch.nn.Module,
    sequences: list[torch.Tensor],
    targets: list[torch.Tensor],
    features: int,
) -> tuple[torch.Tensor, int]:
    """Sum of squared errors over a share's real steps, and their number; the share may be empty."""
    if not sequences:
        stand_in = next(model.parameters()).new_zeros(1, 1, features)
        return 0 * model(stand_in, [1]).sum(), 0
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    inputs = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    mask = torch.arange(inputs.shape[1]) < lengths[:, None]
    errors = model(inputs, lengths)[mask] - torch.cat(targets)
    return errors.square().sum(), int(lengths.sum())


class OneNumberAStep(nn.Module):
    """A recurrent network with one number a step, outputs ``(B, T)``."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.network = MaskedRNN(features, hidden, 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Outputs of ``MaskedRNN`` without their last axis."""
        return self.network(inputs, lengths)[..., 0]


@my_share_sum.cases
def _() -> list[Case]:
    def case(name: str, lengths: Sequence[int], features: int, outputs: int = 1) -> Case:
        seed = sum(lengths) + features
        model = made_with_seed(seed, lambda: MaskedRNN(features, 3, outputs).double())
        inputs = small_batch(lengths, features, seed=1, dtype=torch.float64)
        targets = small_batch(lengths, outputs, seed=2, dtype=torch.float64)
        return Case(name, (model, inputs, targets, features))

    def one_number_a_step(name: str, lengths: Sequence[int], features: int) -> Case:
        model = made_with_seed(features, lambda: OneNumberAStep(features, 2))
        inputs = small_batch(lengths, features, seed=3)
        targets = [wanted[:, 0] for wanted in small_batch(lengths, 1, seed=4)]
        return Case(name, (model, inputs, targets, features))

    return [
        case("two sequences", [2, 1], 2),
        case("an empty share", [], 2),
        case("equal lengths", [3, 3], 1),
        case("four sequences, two outputs", [5, 3, 7, 2], 4, outputs=2),
        case("one sequence", [4], 3),
        case("an empty share, three outputs", [], 5, outputs=3),
        one_number_a_step("one number a step, single precision", [3, 1], 2),
        one_number_a_step("an empty share, one number a step", [], 3),
    ]


@my_share_sum.random
def _(draw: Draw) -> Case:
    features, outputs = draw.integer(1, 3), draw.choice([0, 1, 2, 3])
    lengths = [] if draw.chance(0.2) else draw.lengths(draw.integer(1, 3), 4)
    kind = MaskedRNN if outputs else OneNumberAStep
    sizes = (features, draw.integer(1, 3), *([outputs] if outputs else []))
    model = made_with_seed(draw.integer(0, 999), lambda: kind(*sizes).double())
    inputs = [draw.normal(length, features) for length in lengths]
    targets = [draw.normal(length, *sizes[2:]) for length in lengths]
    return Case("", (model, inputs, targets, features))


@my_share_sum.trait("the share is empty")
def _(sequences: list[Tensor]) -> bool:
    return not sequences


@my_share_sum.trait("the model's outputs are (B, T)")
def _(model: nn.Module) -> bool:
    return isinstance(model, OneNumberAStep)


@my_share_sum.trait("the share has pads")
def _(sequences: list[Tensor]) -> bool:
    return len({len(sequence) for sequence in sequences}) > 1


@my_share_sum.trait("a step has several targets")
def _(targets: list[Tensor]) -> bool:
    return any(wanted.dim() > 1 and wanted.shape[1] > 1 for wanted in targets)


def _shapes(sequences: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    return pad_batch(sequences), pad_batch(targets)


@my_share_sum.wrong(
    "Your empty share is a zero without a history: backward stops there, this device has no "
    "gradients to average, and the others wait.",
    belief="A loss of zero needs no graph.",
)
def zero_without_history(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    if not sequences:
        weight = next(model.parameters())
        return torch.zeros((), dtype=weight.dtype, device=weight.device), 0
    return my_share_sum(model, sequences, targets, features)


@my_share_sum.wrong(
    "Your stand-in leaves a trace: the made-up step's result is in the sum.",
    belief="A sequence of zeros gives a zero.",
)
def keeps_the_stand_in(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    if not sequences:
        weight = next(model.parameters())
        stand_in = torch.zeros(1, 1, features, dtype=weight.dtype, device=weight.device)
        return model(stand_in, [1]).square().sum(), 0
    return my_share_sum(model, sequences, targets, features)


@my_share_sum.wrong(
    "You count the stand-in as a real step: an empty share has none.",
    belief="Every row of a batch counts.",
)
def counts_the_stand_in(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    total, count = my_share_sum(model, sequences, targets, features)
    return total, max(count, 1)


@my_share_sum.wrong(
    "Your sum contains the errors at pads: it depends on the longest sequence of the share.",
    belief="Errors at pads are zero.",
)
def sums_the_pads(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    if not sequences:
        return my_share_sum(model, sequences, targets, features)
    inputs, wanted = _shapes(sequences, targets)
    lengths = lengths_of(sequences)
    return (model(inputs, lengths) - wanted).square().sum(), int(lengths.sum())


@my_share_sum.wrong(
    "You count cells, pads included: count the real steps of the share.",
    belief="The number of cells is the size of a batch.",
)
def counts_cells(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    total, count = my_share_sum(model, sequences, targets, features)
    return total, lengths_to_mask(lengths_of(sequences)).numel() if sequences else count


my_share_sum.equivalent(
    "errors = torch.cat(targets) - model(inputs, lengths)[mask]",
    because="A square has no sign.",
)
my_share_sum.equivalent("if not targets:", because="There are as many targets as sequences.")
my_share_sum.equivalent(
    "lengths = torch.tensor([len(sequence) for sequence in targets])",
    because="Targets are as long as their sequences.",
)
for _sign in "+-":
    my_share_sum.equivalent(
        f"return (0 * (model(stand_in, [1]).sum() {_sign} 1), 0)",
        because="Whatever is multiplied by 0 is 0.",
    )
my_share_sum.equivalent(
    "return (errors.square().sum(), int(mask.sum()))",
    because="The mask is True once for each real step.",
)
my_share_sum.equivalent(
    "return (0 * model(stand_in, [1]).mean(), 0)",
    because="Whatever is multiplied by 0 is 0.",
)
my_share_sum.equivalent(
    "return (0 / model(stand_in, [1]).sum(), 0)",
    because="Zero divided by any other number is 0, and so is its gradient.",
)
my_share_sum.equivalent(
    "return (errors.square().sum(), int(lengths.sum(-1, keepdim=True)))",
    because="A single number becomes an `int`, with or without an axis.",
)
my_share_sum.equivalent(
    "return (errors.square().sum(), int(lengths.sum(0, keepdim=True)))",
    because="A single number becomes an `int`, with or without an axis.",
)
my_share_sum.equivalent(
    "return (errors.square().sum(), lengths.sum())",
    because="The task accepts a tensor without axes as a count.",
)
my_share_sum.equivalent(
    "stand_in = next(model.parameters()).new_ones(1, 1, features)",
    because="Whatever is multiplied by 0 is 0.",
)
my_share_sum.equivalent(
    "stand_in = next(model.parameters()).new_zeros(1, 2, features)",
    because="A second step of the stand-in is a pad.",
)
