"""The pretend device computes like the CPU and refuses what a GPU refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# The device cannot be taken back once it is registered: each test has a process of its own.
BEGIN = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport pretend, torch\n"


def run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + program], capture_output=True, text=True, timeout=120
    )


def test_recurrent_layers_have_the_outputs_and_gradients_of_the_cpu():
    done = run("""
import copy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
for kind in (torch.nn.RNN, torch.nn.GRU, torch.nn.LSTM):
    for bias in (True, False):
        here = kind(3, 4, 2, bias=bias, batch_first=True, bidirectional=True).double()
        there = copy.deepcopy(here).to("pretend")
        inputs, found = torch.randn(3, 5, 3).double(), []
        weight = torch.randn(3, 5, 8).double()
        for layer in (here, there):
            device = layer.weight_hh_l0.device
            packed = pack_padded_sequence(inputs.to(device), torch.tensor([2, 5, 1]), True, False)
            output, _ = layer(packed)
            output, lengths = pad_packed_sequence(output, True)
            assert output.device == device and lengths.device.type == "cpu"
            (output * weight.to(device)).sum().backward()
            found.append([output.detach().cpu(), *(p.grad.cpu() for p in layer.parameters())])
        torch.testing.assert_close(*found)
""")
    assert done.returncode == 0, done.stderr[-2000:]


def test_values_move_there_and_back_and_survive_a_file():
    done = run("""
import io
x = torch.randn(4, 3)
y = x.to("pretend")
assert y.device == torch.device("pretend:0") and torch.equal(y.cpu(), x)
assert y[[0, -1]].tolist() == x[[0, -1]].tolist()
assert f"{y.sum():.3f}" == f"{x.sum():.3f}"
y.t_()
assert y.shape == (3, 4) and y.is_contiguous() is False
file = io.BytesIO()
torch.save({"x": y}, file)
file.seek(0)
again = torch.load(file, map_location="pretend", weights_only=True)["x"]
assert again.device == y.device and torch.equal(again.cpu(), x.t())
leaf = torch.tensor([1.0, 2.0], device="pretend", requires_grad=True)
leaf.square().sum().backward()
assert leaf.grad.tolist() == [2.0, 4.0] and leaf.grad.device == leaf.device
""")
    assert done.returncode == 0, done.stderr[-2000:]


REFUSED = {
    "torch.ones(2, 3, device='pretend') + torch.ones(2, 3)": "on the same device",
    "torch.ones(2, 3) * torch.ones(3, device='pretend')": "on the same device",
    "torch.nn.Linear(3, 2)(torch.ones(1, 3, device='pretend'))": "on the same device",
    "torch.ones(2, device='pretend').numpy()": "can't convert pretend:0 device",
    "numpy.asarray(torch.ones(2, device='pretend'))": "can't convert pretend:0 device",
    "torch.ones(3)[torch.tensor([1], device='pretend')]": "indices should be either on cpu",
    "torch.nn.utils.rnn.pack_padded_sequence(torch.ones(2, 3, 1, device='pretend'),"
    " torch.tensor([3, 2], device='pretend'), batch_first=True)": "1D CPU int64 tensor",
}


def test_it_refuses_what_a_gpu_refuses():
    done = run(f"""
import numpy
for line in {list(REFUSED)!r}:
    try:
        exec(line)
        print("not refused")
    except (RuntimeError, TypeError) as error:
        print(error)
""")
    assert done.returncode == 0, done.stderr[-2000:]
    for line, said, expected in zip(
        REFUSED, done.stdout.splitlines(), REFUSED.values(), strict=True
    ):
        assert expected in said, line
