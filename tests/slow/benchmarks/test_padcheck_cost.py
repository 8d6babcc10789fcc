"""What padcheck costs: passes of the model, and seconds for a batch of 32 x 100 x 64."""

from __future__ import annotations

import contextlib
import time

import pytest
import torch
from torch import Tensor, nn

from course_utils.models import LastStepRNN
from course_utils.padcheck import padcheck
from course_utils.wrong_models import LastColumnRNN

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def counted():
    """Counts forward and backward passes, over the batch and over single sequences."""
    passes = {"forward, batch": 0, "forward, one": 0, "backward": 0}
    call, grad = nn.Module.__call__, torch.autograd.grad

    def forward(module: nn.Module, *args, **kwargs):
        if isinstance(module, LastStepRNN | LastColumnRNN):
            passes["forward, one" if len(args[0]) == 1 else "forward, batch"] += 1
        return call(module, *args, **kwargs)

    def backward(*args, **kwargs):
        passes["backward"] += 1
        return grad(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Module, "__call__", forward)
        patch.setattr(torch.autograd, "grad", backward)
        yield passes


def batch(rows: int, steps: int, features: int) -> tuple[Tensor, Tensor]:
    lengths = torch.randint(steps // 5, steps + 1, (rows,))
    lengths[0] = steps
    return torch.randn(rows, steps, features), lengths


@pytest.mark.parametrize("rows", [4, 8])
def test_passes_are_as_the_docstring_says(rows):
    """Batch passes do not grow with B; single passes are 2 B and a few."""
    with counted() as passes:
        assert padcheck(LastStepRNN(3, 4, 2), *batch(rows, 9, 3)).ok is True
    assert passes["forward, batch"] <= 31
    assert passes["forward, one"] <= 2 * rows + 2
    assert passes["backward"] <= rows + 6


@pytest.mark.parametrize("kind", [LastStepRNN, LastColumnRNN])
def test_seconds_for_a_two_layer_lstm(kind, capsys):
    torch.manual_seed(0)
    model, (inputs, lengths) = kind(64, 64, 5, cell="lstm", num_layers=2), batch(32, 100, 64)
    with counted() as passes:
        start = time.perf_counter()
        report = padcheck(model, inputs, lengths)
        seconds = time.perf_counter() - start
    counts = ", ".join(f"{name}: {count}" for name, count in passes.items())
    with capsys.disabled():
        print(f"\npadcheck of {kind.__name__}, 32 x 100 x 64, LSTM of 2 layers: "
              f"{seconds:.1f} s ({counts})")  # fmt: skip
    assert report.ok is (kind is LastStepRNN)
