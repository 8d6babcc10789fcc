"""Loop, padded and packed: the same gradients, at which price?

Print the table with ``pytest tests/slow/benchmarks/test_packing.py -m slow -s``. Times are medians
with their spread; they are shown and never judged, because they differ between machines.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
import torch
from measures import assert_close, log_normal_lengths
from torch import Tensor, nn

from course_utils.data import load_japanese_vowels
from course_utils.masked import masked_mse
from course_utils.models import MaskedRNN, gradients, oracle
from course_utils.sequences import lengths_to_mask, pad_batch, padding_waste

FEATURES, HIDDEN, BATCH, ROUNDS = 12, 64, 32, 9
ROW = "{:<16} {:>8} {:<5} {:<7} {:>16} {:>10}"

LENGTHS = {
    "all 20": torch.full((BATCH,), 20),
    "Japanese Vowels": load_japanese_vowels("train").lengths[: BATCH * 8 : 8],
    "log-normal": log_normal_lengths(BATCH),
    "one long": torch.tensor([100] + [5] * (BATCH - 1)),
}


def steps(model: MaskedRNN, lengths: Tensor) -> dict[str, Callable[[], dict[str, Tensor]]]:
    """The gradients of the mean squared error, each way from sequences to numbers."""
    dtype = next(model.parameters()).dtype
    sequences = [torch.randn(n, FEATURES, dtype=dtype) for n in lengths.tolist()]
    inputs, mask = pad_batch(sequences), lengths_to_mask(lengths)
    target = torch.zeros(*mask.shape, 1, dtype=dtype)
    real = int(lengths.sum())

    def loop() -> dict[str, Tensor]:
        return oracle(model, sequences, lambda output, _: output.square().sum() / real).gradients

    def padded() -> dict[str, Tensor]:
        return gradients(masked_mse(model.linear(model.rnn(inputs)[0]), target, mask), model)

    def packed() -> dict[str, Tensor]:
        return gradients(masked_mse(model(inputs, lengths), target, mask), model)

    return {"loop": loop, "padded": padded, "packed": packed}


def milliseconds(step: Callable[[], object]) -> tuple[float, float, float]:
    """Median, fastest and slowest of a few rounds, after one to warm up."""
    step()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), min(times), max(times)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("source", LENGTHS)
def test_same_gradients(source: str, cell: str) -> None:
    """In one direction, with a masked loss, the padded run is exact as well."""
    model = MaskedRNN(FEATURES, HIDDEN, cell=cell).double()
    found = {way: step() for way, step in steps(model, LENGTHS[source]).items()}
    for name, gradient in found["loop"].items():
        assert_close(found["padded"][name], gradient)
        assert_close(found["packed"][name], gradient)


@pytest.mark.slow
def test_times() -> None:
    print(f"\none training step without the optimizer, {HIDDEN} hidden units, {BATCH} sequences,")
    print(f"{torch.get_num_threads()} CPU thread, median of {ROUNDS} rounds (fastest to slowest)")
    print(ROW.format("lengths", "padding", "cell", "way", "ms", "vs. padded"))
    for source, lengths in LENGTHS.items():
        for cell in ("rnn", "gru", "lstm"):
            times = {
                way: milliseconds(step)
                for way, step in steps(MaskedRNN(FEATURES, HIDDEN, cell=cell), lengths).items()
            }
            for way, (median, fastest, slowest) in times.items():
                shown = f"{median:.1f} ({fastest:.0f} to {slowest:.0f})"
                relative = f"{median / times['padded'][0]:.2f}"
                print(
                    ROW.format(source, f"{padding_waste(lengths):.0%}", cell, way, shown, relative)
                )


@pytest.mark.slow
@pytest.mark.parametrize("source", LENGTHS)
def test_packing_computes_the_real_steps_and_no_more(source: str) -> None:
    lengths = LENGTHS[source]
    rnn, seen = nn.GRU(FEATURES, HIDDEN, batch_first=True), []
    rnn.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0].data)))
    model = MaskedRNN(FEATURES, HIDDEN, cell="gru")
    model.rnn = rnn
    model(torch.zeros(BATCH, int(lengths.max()), FEATURES), lengths)
    assert seen == [int(lengths.sum())]
    cells = BATCH * int(lengths.max())
    assert seen[0] / cells == pytest.approx(1 - padding_waste(lengths))
