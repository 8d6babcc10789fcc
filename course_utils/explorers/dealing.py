"""Explorer of shares: deal sequences out to devices and see the bias of averaged means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets
import torch
from torch import Tensor

from course_utils.data import small_batch
from course_utils.explorers.controls import Choice, Slider
from course_utils.explorers.wiring import explorer, lengths_field, parse_lengths
from course_utils.parallel.shares import share_by_tokens
from course_utils.pictures import Picture, draw_shares, percent

Shares = list[list[int]]


def in_turn(lengths: Sequence[int], devices: int) -> Shares:
    """Positions dealt out like cards."""
    return [list(range(device, len(lengths), devices)) for device in range(devices)]


def in_blocks(lengths: Sequence[int], devices: int) -> Shares:
    """Positions cut into blocks of equally many, as far as possible."""
    return [part.tolist() for part in torch.arange(len(lengths)).tensor_split(devices)]


# What a learner chooses -> how it is done.
DEALINGS: dict[str, Callable[[Sequence[int], int], Shares]] = {
    "in turn, like cards": in_turn,
    "in blocks": in_blocks,
    "by real steps, the longest first": share_by_tokens,
}


def mean_errors(lengths: Sequence[int], features: int = 4) -> tuple[Tensor, Tensor]:
    """Errors and gradients of a linear model, summed over each sequence: ``(N,)``, ``(N, F)``.

    Sequences, targets and weights are random, and the same every time.
    """
    sequences = small_batch(lengths, features, seed=1)
    goals = small_batch(lengths, 1, seed=2)
    weight = small_batch([1], features, seed=3)[0][0]
    errors = [x @ weight - y[:, 0] for x, y in zip(sequences, goals, strict=True)]
    gradients = [2 * e @ x for e, x in zip(errors, sequences, strict=True)]
    return torch.stack([e.square().sum() for e in errors]), torch.stack(gradients)


def bias_of_average(gradients: Tensor, lengths: Tensor, shares: Shares) -> float:
    """Relative error of the averaged gradients of the shares' means; NaN if a share is empty."""
    truth = gradients.sum(0) / lengths.sum()
    means = [gradients[share].sum(0) / lengths[share].sum() for share in shares]
    return float((torch.stack(means).mean(0) - truth).norm() / truth.norm())


def explore_devices(lengths: Sequence[int] = (12, 2, 10, 1, 3, 2)) -> widgets.Widget:
    """Lengths, a number of devices and a way of dealing: see each share, and the bias.

    Args:
        lengths: what the learner starts from, and may edit.
    """

    def draw(lengths: str, devices: float, dealing: str) -> Picture:
        numbers = parse_lengths(lengths)
        shares = DEALINGS[dealing](numbers, int(devices))
        errors, gradients = mean_errors(numbers)
        counts = torch.tensor(numbers)
        notes, fair = [], 100 / sum(numbers)
        for share in shares:
            steps = int(counts[share].sum())
            mean, weight = float(errors[share].sum()) / max(steps, 1), 1 / (devices * max(steps, 1))
            said = f"mean error {mean:.2f}, a step weighs {100 * weight:.1f} % (fair: {fair:.1f} %)"
            notes.append(said if steps else "its mean is 0/0")
        bias = bias_of_average(gradients, counts, shares)
        title = f"The average of the devices' gradients is off by {percent(bias)}"
        if not all(shares):
            title = "A device has no real step: the average of the means is NaN on all"
        picked = [[numbers[i] for i in share] for share in shares]
        return draw_shares(picked, notes, title=title)

    return explorer(
        draw,
        lengths=lengths_field(lengths),
        devices=Slider(description="Devices", value=2, min=1, max=4),
        dealing=Choice(DEALINGS, description="Deal out"),
    )
