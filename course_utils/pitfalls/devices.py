"""Wrong ways to scale a device's loss, to deal out sequences, and to treat an empty share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.parallel.shares import scaled_loss, share_by_tokens, share_sum
from course_utils.pitfalls.wrong import wrong
from course_utils.sequences import lengths_of, lengths_to_mask, pad_batch


@wrong(
    "Your gradients are too small by the number of devices: the average divides by it once more.",
    belief="Gradients of several devices are added up.",
)
def forgets_the_average(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum / counts.sum().clamp(min=1)


@wrong(
    "You divide by the number of devices, and the average does that again: multiply by it.",
    belief="An average over devices needs a division by their number.",
)
def divides_by_devices(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum / counts.sum().clamp(min=1) / len(counts)


@wrong(
    "You never divide by the real steps: your loss is a sum, and grows with the batch.",
    belief="Averaging over devices turns sums into a mean.",
)
def never_divides(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum * len(counts)


@wrong(
    "You count only devices that have real steps: the average counts every device, empty ones too.",
    belief="A device without data takes no part in the average.",
)
def counts_busy_devices(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum * (counts > 0).sum() / counts.sum().clamp(min=1)


@wrong(
    "You divide by the largest share: divide by the real steps of all devices.",
    belief="The device with the most steps sets the scale.",
)
def divides_by_largest(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum / counts.max().clamp(min=1)


@wrong(
    "Where no device has a real step you compute 0/0: divide by at least 1.",
    belief="Some device always has data.",
)
def divides_by_zero(error_sum: Tensor, counts: Tensor) -> Tensor:
    return error_sum * len(counts) / counts.sum()


@wrong(
    "Your number is right, but no gradient flows through it: it was taken out of the graph.",
    belief="A tensor with the same numbers is the same tensor.",
)
def scales_a_number(error_sum: Tensor, counts: Tensor) -> Tensor:
    return scaled_loss(error_sum.detach(), counts)


@wrong(
    "You deal the sequences out in turn, whatever their lengths: one device may get all long ones.",
    belief="Equally many sequences are equally much work.",
)
def deals_in_turn(lengths: Sequence[int], devices: int) -> list[list[int]]:
    return [list(range(device, len(lengths), devices)) for device in range(devices)]


@wrong(
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


@wrong(
    "You start with the shortest: the longest ones come last, and nothing is left to balance them.",
    belief="The order of dealing does not matter.",
)
def shortest_first(lengths: Sequence[int], devices: int) -> list[list[int]]:
    return _dealt(lengths, devices, sorted(range(len(lengths)), key=lambda i: lengths[i]), lengths)


@wrong(
    "You deal in the order given: take the longest sequence first.",
    belief="The order of dealing does not matter.",
)
def in_the_order_given(lengths: Sequence[int], devices: int) -> list[list[int]]:
    return _dealt(lengths, devices, range(len(lengths)), lengths)


@wrong(
    "You give the next sequence to the device with the fewest sequences: count real steps.",
    belief="The number of rows is the size of a batch.",
)
def fewest_sequences(lengths: Sequence[int], devices: int) -> list[list[int]]:
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return _dealt(lengths, devices, order, [1] * len(lengths))


@wrong(
    "Your shares hold lengths: positions in the list are asked for.",
    belief="A sequence is known by its length.",
)
def returns_lengths(lengths: Sequence[int], devices: int) -> list[list[int]]:
    return [[lengths[i] for i in share] for share in share_by_tokens(lengths, devices)]


def _shapes(sequences: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    return pad_batch(sequences), pad_batch(targets)


@wrong(
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
    return share_sum(model, sequences, targets, features)


@wrong(
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
    return share_sum(model, sequences, targets, features)


@wrong(
    "You count the stand-in as a real step: an empty share has none.",
    belief="Every row of a batch counts.",
)
def counts_the_stand_in(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    total, count = share_sum(model, sequences, targets, features)
    return total, max(count, 1)


@wrong(
    "You return the mean of the share: the sum and the count are asked for.",
    belief="Each device's mean can be averaged.",
)
def mean_of_the_share(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    total, count = share_sum(model, sequences, targets, features)
    return total / max(count, 1), count


@wrong(
    "Your sum contains the errors at pads: it depends on the longest sequence of the share.",
    belief="Errors at pads are zero.",
)
def sums_the_pads(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    if not sequences:
        return share_sum(model, sequences, targets, features)
    inputs, wanted = _shapes(sequences, targets)
    lengths = lengths_of(sequences)
    return (model(inputs, lengths) - wanted).square().sum(), int(lengths.sum())


@wrong(
    "You count cells, pads included: count the real steps of the share.",
    belief="The number of cells is the size of a batch.",
)
def counts_cells(
    model: nn.Module, sequences: Sequence[Tensor], targets: Sequence[Tensor], features: int
) -> tuple[Tensor, int]:
    total, count = share_sum(model, sequences, targets, features)
    return total, lengths_to_mask(lengths_of(sequences)).numel() if sequences else count
