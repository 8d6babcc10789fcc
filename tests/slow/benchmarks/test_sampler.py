"""What buckets cost and how much their batches change, beside random and sorted batches.

Print the table with ``pytest tests/slow/benchmarks/test_sampler.py -m slow -s``.
"""

from __future__ import annotations

import pytest
from measures import cells, log_normal_lengths, random_batches, repeated_pairs, sorted_batches
from torch import Tensor

from course_utils.data import BucketBatchSampler, load_japanese_vowels

EPOCHS = 4
ROW = "{:<16} {:>5} {:<22} {:>8} {:>16} {:>14}"


def ways(lengths: Tensor, batch_size: int) -> dict[str, list[list[list[int]]]]:
    """A few epochs of batches for each way of making them."""
    bucket, loose = (
        BucketBatchSampler(lengths, batch_size=batch_size, jitter=jitter) for jitter in (0.25, 0.5)
    )
    return {
        "sorted": [sorted_batches(lengths, batch_size)] * EPOCHS,
        "buckets (default)": [list(bucket) for _ in range(EPOCHS)],
        "buckets, jitter 0.5": [list(loose) for _ in range(EPOCHS)],
        "random": [random_batches(lengths, batch_size, epoch) for epoch in range(EPOCHS)],
    }


@pytest.mark.slow
def test_cells_and_repeated_pairs() -> None:
    sources = {
        "Japanese Vowels": load_japanese_vowels("train").lengths,
        "log-normal": log_normal_lengths(),
    }
    print()
    print(ROW.format("lengths", "batch", "way", "padding", "cells vs. sorted", "pairs repeated"))
    for source, lengths in sources.items():
        for batch_size in (8, 16, 32, 64):
            least = cells(lengths, sorted_batches(lengths, batch_size))
            for way, epochs in ways(lengths, batch_size).items():
                most = max(cells(lengths, epoch) for epoch in epochs)
                repeated = max(map(repeated_pairs, epochs, epochs[1:]))
                padding, ratio = 1 - int(lengths.sum()) / most, most / least
                row = (source, batch_size, way, f"{padding:.1%}", f"{ratio:.3f}", f"{repeated:.1%}")
                print(ROW.format(*row))
                if way == "buckets (default)":
                    assert ratio <= 1.15
                    assert repeated < 0.5
