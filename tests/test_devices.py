"""Device, threads, seed, report; and that nothing is made on the wrong device."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

import course_utils as cu
from course_utils.devices import environment_report, get_device, set_up
from course_utils.training import class_loss, step_mse_loss


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


def test_the_device_can_be_chosen(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "meta")
    assert get_device() == torch.device("meta")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    monkeypatch.setenv("COURSE_DEVICE", "")
    assert get_device().type == default
    monkeypatch.delenv("COURSE_DEVICE")
    assert get_device().type == default


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there(monkeypatch, name):
    monkeypatch.setenv("COURSE_DEVICE", name)
    with pytest.raises(ValueError, match=f"COURSE_DEVICE is '{name}', but no tensor can be put"):
        get_device()
    assert f"COURSE_DEVICE is '{name}'" in environment_report()


def test_set_up(monkeypatch, capsys, threads):
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert set_up(seed=7, threads=2) == torch.device("cpu")
    first = torch.rand(3)
    assert torch.get_num_threads() == 2
    set_up(seed=7)
    assert torch.get_num_threads() == 1
    assert torch.equal(torch.rand(3), first)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"torch {torch.__version__} on cpu, 2 CPU threads, seed 7"
    assert lines[1].endswith("1 CPU thread, seed 7")


def test_environment_report(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    rows = dict(line.split(maxsplit=1) for line in environment_report().splitlines())
    assert rows["torch"] == torch.__version__
    assert rows["device"].startswith("cpu (")
    assert {"python", "system", "jupyterlab", "ipywidgets", "numpy", "drawsvg"} <= set(rows)


# --- nothing is created without a device -----------------------------------------------------

LENGTHS = [3, 1, 2]
SEQUENCES = cu.small_batch(LENGTHS, 2)
PADDED = cu.pad_batch(SEQUENCES)
MASK = cu.lengths_to_mask(LENGTHS)
TARGETS = torch.tensor([0, 1, 1])
STEP_TARGETS = torch.tensor([[0, 1, 1]] * 3)
DATA = cu.SequenceDataset(SEQUENCES, TARGETS)
OPTIONS = {"cell": "lstm", "num_layers": 2}
MODELS = {
    "MaskedRNN": cu.MaskedRNN(2, 4, 2, bidirectional=True, **OPTIONS),
    "LastStepRNN": cu.LastStepRNN(2, 4, 2, bidirectional=True, **OPTIONS),
    "GatherRNN": cu.GatherRNN(2, 4, 2, **OPTIONS),
    "MeanPoolRNN": cu.MeanPoolRNN(2, 4, 2, **OPTIONS),
}
LAYER = nn.GRU(2, 4, num_layers=2, bidirectional=True, batch_first=True)
BATCH = cu.collate(list(DATA))
EVALUATION = cu.Evaluation(0.0, list(PADDED[:, 0]), TARGETS)

CALLS = {
    "check_lengths": lambda: cu.check_lengths(LENGTHS),
    "lengths_of": lambda: cu.lengths_of(SEQUENCES),
    "lengths_to_mask, list": lambda: cu.lengths_to_mask(LENGTHS, 4),
    "lengths_to_mask, tensor": lambda: cu.lengths_to_mask(torch.tensor(LENGTHS, device="cpu")),
    "mask_to_lengths": lambda: cu.mask_to_lengths(MASK),
    "convert_mask": lambda: [cu.convert_mask(MASK, c) for c in ("mha", "sdpa", "huggingface")],
    "pad_batch": lambda: cu.pad_batch(SEQUENCES, max_length=5, padding_side="left"),
    "unpad_batch": lambda: cu.unpad_batch(PADDED, LENGTHS),
    "padding_waste": lambda: cu.padding_waste(LENGTHS),
    "pack": lambda: list(cu.pack(PADDED, LENGTHS)),
    "unpack": lambda: cu.unpack(cu.pack(PADDED, LENGTHS), total_length=5),
    "last_steps": lambda: cu.last_steps(PADDED, LENGTHS),
    "expand_mask": lambda: cu.expand_mask(MASK, PADDED),
    "position_weights": lambda: [
        cu.position_weights(MASK, per) for per in ("token", "sequence", "step")
    ],
    "masked_mean": lambda: [cu.masked_mean(PADDED, MASK, per=p) for p in ("token", "sequence")],
    "masked_mean, dim": lambda: cu.masked_mean(PADDED, MASK, dim=1),
    "masked_max": lambda: cu.masked_max(PADDED, MASK),
    "masked_softmax": lambda: cu.masked_softmax(PADDED[..., 0], MASK),
    "masked_mse": lambda: cu.masked_mse(PADDED, PADDED.flip(0), MASK, per="step"),
    "masked_cross_entropy": lambda: cu.masked_cross_entropy(PADDED, STEP_TARGETS, MASK),
    "masked_accuracy": lambda: cu.masked_accuracy(PADDED, STEP_TARGETS, MASK),
    "small_batch": lambda: cu.small_batch(),
    "load_japanese_vowels": lambda: cu.load_japanese_vowels.__wrapped__("train").sequences[:2],
    "split_validation": lambda: (
        cu.split_validation(cu.SequenceDataset(SEQUENCES * 4, TARGETS.repeat(4)), 0.5)[0].targets
    ),
    "Normalizer": lambda: cu.Normalizer.fit(SEQUENCES)(DATA).sequences,
    "collate": lambda: list(cu.collate(list(DATA), max_length=4)),
    "BucketBatchSampler": lambda: list(cu.BucketBatchSampler(LENGTHS, batch_size=2)),
    "token_budget_batches": lambda: cu.token_budget_batches(LENGTHS, 4),
    "run_masked": lambda: cu.run_masked(LAYER, PADDED, MASK),
    "oracle": lambda: list(cu.oracle(MODELS["LastStepRNN"], SEQUENCES, lambda o, i: o.sum())),
    "gradients": lambda: cu.gradients(
        MODELS["MaskedRNN"](PADDED, LENGTHS).sum(), MODELS["MaskedRNN"]
    ),
    "class_loss": lambda: class_loss(PADDED[:, 0], BATCH)[0],
    "step_mse_loss": lambda: step_mse_loss(PADDED, BATCH._replace(targets=PADDED.flip(0)))[0],
    "Evaluation": lambda: [EVALUATION.confusion(2), torch.full_like(TARGETS, EVALUATION.accuracy)],
} | {name: lambda model=model: model(PADDED, LENGTHS) for name, model in MODELS.items()}


def tensors(result: object) -> list[Tensor]:
    """All tensors in a result; what holds none stands for itself."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        return [tensor for part in result for tensor in tensors(part)]
    return [result if isinstance(result, Tensor) else torch.tensor(result or 0, device="cpu")]


@pytest.mark.parametrize("name", CALLS)
def test_no_tensor_is_made_on_the_default_device(name):
    expected = tensors(CALLS[name]())
    with torch.device("meta"):
        found = tensors(CALLS[name]())
    assert len(found) == len(expected) > 0
    for a, b in zip(found, expected, strict=True):
        assert a.device.type == "cpu"
        assert_close(a, b)


def test_the_check_above_would_notice():
    with torch.device("meta"):
        assert torch.arange(3).device.type == "meta"
        with pytest.raises(RuntimeError):
            bool((torch.arange(3, device="cpu") < torch.arange(3)).all())


def test_every_public_function_is_checked_for_its_device():
    """What is left out creates no tensor, or goes through PyTorch's own ``DataLoader``."""
    left_out = {"fit", "evaluate", "set_up", "get_device", "environment_report"}
    functions = {name for name in cu.__all__ if name[0].islower()}
    assert functions - left_out <= {name.split(",")[0] for name in CALLS}
