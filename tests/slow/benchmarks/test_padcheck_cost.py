"""What padcheck costs: passes, seconds and memory, beside questions about outputs only."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from course_utils.models import GatherRNN, LastStepRNN, MaskedRNN
from course_utils.padcheck import padcheck
from course_utils.wrong_models import LastColumnRNN, PaddedMeanRNN

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def counted(kind: type[nn.Module]) -> Iterator[dict[str, int]]:
    """Counts forward passes of a kind of model, and backward passes."""
    passes = {"forward": 0, "rows": 0, "backward": 0}
    call, grad = nn.Module.__call__, torch.autograd.grad

    def forward(module: nn.Module, *args, **kwargs):
        if isinstance(module, kind):
            passes["forward"] += 1
            passes["rows"] += len(args[0])
        return call(module, *args, **kwargs)

    def backward(*args, **kwargs):
        passes["backward"] += 1
        return grad(*args, **kwargs)

    def tensor_backward(*args, **kwargs):
        passes["backward"] += 1
        return whole(*args, **kwargs)

    whole = Tensor.backward
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Module, "__call__", forward)
        patch.setattr(Tensor, "backward", tensor_backward)
        patch.setattr(torch.autograd, "grad", backward)
        yield passes


def batch(rows: int, steps: int, features: int) -> tuple[Tensor, Tensor]:
    lengths = torch.randint(steps // 5, steps + 1, (rows,))
    lengths[0], lengths[1] = steps, steps // 5
    return torch.randn(rows, steps, features), lengths


@pytest.mark.parametrize("rows", [5, 8, 64])
def test_passes_are_as_the_docstring_says(rows):
    """Neither grows with the batch: five rows are asked."""
    with counted(LastStepRNN) as passes:
        assert padcheck(LastStepRNN(3, 4, 2), *batch(rows, 9, 3))
    assert passes["forward"] <= 12 + 5
    assert passes["rows"] <= 5 * 12
    assert passes["backward"] <= 2 + 5
    with counted(LastColumnRNN) as passes:
        assert not padcheck(LastColumnRNN(3, 4, 2), *batch(rows, 9, 3))
    assert passes["forward"] <= 17 + 5 + 25


class Encoder(nn.Module):
    """Six layers of attention, with their mask or without."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(256, 8, 1024, 0.1, batch_first=True)
        self.inner, self.outer, self.masked = nn.Linear(32, 256), nn.Linear(256, 10), masked
        self.layers = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        pads = torch.arange(x.shape[1]) >= lengths[:, None]
        return self.outer(
            self.layers(self.inner(x), src_key_padding_mask=pads if self.masked else None)
        )


def train(model: nn.Module, x: Tensor, lengths: Tensor) -> None:
    """Two steps of Adam: what the model itself needs."""
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        model(x, lengths).square().mean().backward()
        optimizer.step()


class Named(nn.Module):
    """The model behind the names that pytest-torch looks for."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model(input_ids, attention_mask.sum(1))


def outputs_only(model: nn.Module, x: Tensor, lengths: Tensor) -> None:
    """pytest-torch's assertion about more padding, and by hand its question about other pads."""
    from pytest_torch import assert_padding_invariant

    real = torch.arange(x.shape[1]) < lengths[:, None]
    named = Named(model.eval())
    with contextlib.suppress(AssertionError):
        assert_padding_invariant(named, {"input_ids": x, "attention_mask": real.long()})
    with torch.no_grad():  # theirs redraws token ids; these inputs are floats
        usual = model(x, lengths)[real]
        other = model(torch.where(real[..., None], x, torch.randn_like(x)), lengths)[real]
    torch.allclose(usual, other)


TASKS: dict[str, Callable[[nn.Module, Tensor, Tensor], object]] = {
    "two steps of training": train,
    "padcheck": padcheck,
    "outputs only (pytest-torch)": outputs_only,
}


def measure(task: str, masked: bool) -> None:
    """Print a line of the table: passes, seconds of processor time, peak memory above the start."""
    import resource

    torch.manual_seed(0)
    model, (x, lengths) = Encoder(masked), batch(16, 128, 32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with counted(Encoder) as passes:
        start = time.process_time()
        TASKS[task](model, x, lengths)
        seconds = time.process_time() - start
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    kind = "right" if masked else "wrong"
    print(
        f"{task:<28}{kind:<7}{passes['forward']:>8}{passes['rows']:>6}{passes['backward']:>9}"
        f"{seconds:>10.2f}{memory:>9.2f}"
    )


def test_six_layers_beside_training_and_outputs_only(capsys):
    """Each in a process of its own: memory is a process's peak."""
    columns = f"{'forward':>8}{'rows':>6}{'backward':>9}{'seconds':>10}{'GB':>9}"
    lines = [f"{'16 x 128 x 32, 6 layers':<35}{columns}"]
    for task in TASKS:
        if "pytest-torch" in task and not _installed():
            lines.append(f"{task:<28}not installed: pip install pytest-torch")
            continue
        for masked in (True, False):
            program = f"import test_padcheck_cost as t; t.measure({task!r}, {masked})"
            path = str(__file__).rsplit("/", 1)[0]
            command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r}); {program}"]
            run = subprocess.run(command, capture_output=True, text=True)
            assert run.returncode == 0, run.stderr
            lines.append(run.stdout.rstrip())
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("pytest_torch") is not None


@pytest.mark.parametrize("kind", [LastStepRNN, GatherRNN, MaskedRNN, LastColumnRNN, PaddedMeanRNN])
def test_seconds_for_a_model_of_the_course(kind, capsys):
    torch.manual_seed(0)
    model, (inputs, lengths) = kind(3, 8, 2, cell="lstm"), batch(4, 7, 3)
    padcheck(model, inputs, lengths)
    start = time.process_time()
    report = padcheck(model, inputs, lengths)
    with capsys.disabled():
        print(f"\npadcheck of {kind.__name__:<15} 4 x 7 x 3: {time.process_time() - start:.2f} s")
    assert report.ok is (kind in (LastStepRNN, GatherRNN, MaskedRNN))
