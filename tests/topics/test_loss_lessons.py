"""What the lesson on masked losses computes: weights of positions, accumulated gradients."""

from __future__ import annotations

import pytest
import torch

from course_utils.data import collate, small_batch
from course_utils.explorers.loss_divisors import DIVISORS, loss_weights
from course_utils.models import MaskedRNN, oracle
from course_utils.sequences import lengths_to_mask
from course_utils.topics.loss import accumulate


def by_loop(error: torch.Tensor, lengths: list[int], divisor: str) -> torch.Tensor:
    """The loss that a divisor stands for, written as loops over rows and columns."""
    rows = [error[i, :n] for i, n in enumerate(lengths)]
    alive = [torch.stack([row[t] for row in rows if len(row) > t]) for t in range(max(lengths))]
    cells = error.shape[0] * error.shape[1]
    return {
        "token": sum(row.sum() for row in rows) / sum(lengths),
        "sequence": sum(row.sum() / len(row) for row in rows) / len(rows),
        "step": sum(column.sum() / len(column) for column in alive) / len(alive),
        "grid": error.sum() / cells,
        "masked grid": sum(row.sum() for row in rows) / cells,
    }[divisor]


@pytest.mark.parametrize("divisor", DIVISORS.values())
@pytest.mark.parametrize("lengths", [[5, 3, 7, 2], [3, 3, 3], [4], [1, 3, 2]], ids=str)
@pytest.mark.parametrize("extra", [0, 2])
def test_weights_are_the_gradient_of_the_loss_by_each_error(
    divisor: str, lengths: list[int], extra: int
):
    steps = max(lengths) + extra
    error = torch.rand(len(lengths), steps, requires_grad=True)
    (expected,) = torch.autograd.grad(by_loop(error, lengths, divisor), error)
    torch.testing.assert_close(loss_weights(lengths_to_mask(lengths, steps), divisor), expected)


@pytest.mark.parametrize("groups", [[[1], [6]], [[5, 3], [7, 2, 2]], [[2, 2], [2, 2]], [[4, 1]]])
@pytest.mark.parametrize("features", [1, 3])
def test_accumulated_gradients_are_those_of_single_runs(groups: list[list[int]], features: int):
    torch.manual_seed(0)
    model = MaskedRNN(2, 4, features, cell="gru").double()
    sequences, targets, batches = [], [], []
    for seed, lengths in enumerate(groups):
        inputs = small_batch(lengths, 2, seed=seed, dtype=torch.float64)
        wanted = small_batch(lengths, features, seed=seed + 9, dtype=torch.float64)
        batches.append(collate(list(zip(inputs, wanted, strict=True))))
        sequences, targets = sequences + inputs, targets + wanted
    numbers = sum(len(sequence) for sequence in sequences) * features

    def addend(output: torch.Tensor, i: int) -> torch.Tensor:
        return (output - targets[i]).square().sum() / numbers

    expected = list(oracle(model, sequences, addend).gradients.values())
    torch.testing.assert_close(accumulate(model, batches), expected)
