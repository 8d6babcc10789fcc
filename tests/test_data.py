"""Japanese Vowels, collating, normalising, bucketing."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from measures import cells, log_normal_lengths, repeated_pairs, sorted_batches
from torch import Tensor
from torch.testing import assert_close
from torch.utils.data import DataLoader

from course_utils.data import (
    Batch,
    BucketBatchSampler,
    Normalizer,
    SequenceDataset,
    collate,
    load_japanese_vowels,
    small_batch,
    split_validation,
    token_budget_batches,
)

MANY_LENGTHS = st.lists(st.integers(0, 20), max_size=40)
SEEDS = st.integers(0, 2**31)


def dataset_of(lengths: list[int], features: int = 2, per_step: bool = False) -> SequenceDataset:
    sequences = small_batch(lengths, features, seed=1)
    targets = [s[:, 0] for s in sequences] if per_step else torch.arange(len(lengths)) % 2
    return SequenceDataset(sequences, targets)


# --- sequences to learn from -----------------------------------------------------------------


def test_small_batch():
    sequences = small_batch()
    assert [tuple(s.shape) for s in sequences] == [(5, 10), (3, 10), (7, 10), (2, 10)]
    assert all(torch.equal(a, b) for a, b in zip(sequences, small_batch(), strict=True))
    assert not torch.equal(sequences[0], small_batch(seed=1)[0])
    state = torch.get_rng_state()
    assert small_batch([1], 3, dtype=torch.float64, device="meta")[0].device.type == "meta"
    assert torch.equal(state, torch.get_rng_state())
    with pytest.raises(ValueError, match=r"lengths\[1\] is -1"):
        small_batch([2, -1])


@pytest.mark.parametrize(("split", "count"), [("train", 270), ("test", 370)])
def test_japanese_vowels(split, count):
    vowels = load_japanese_vowels(split)
    assert len(vowels) == len(vowels.targets) == count
    assert all(s.shape[1:] == (12,) and s.dtype == torch.float32 for s in vowels.sequences)
    assert all(s.isfinite().all() for s in vowels.sequences)
    assert vowels.lengths.tolist() == [len(s) for s in vowels.sequences]
    assert vowels.lengths.min() == 7
    assert vowels.lengths.max() == {"train": 26, "test": 29}[split]
    speakers = {"train": [30] * 9, "test": [31, 35, 88, 44, 29, 24, 40, 50, 29]}[split]
    assert vowels.targets.bincount().tolist() == speakers
    first = {"train": [1.860936, -0.207383], "test": [1.635533, 0.024848]}[split]
    assert_close(vowels.sequences[0][0, :2], torch.tensor(first), rtol=0, atol=1e-5)


def test_a_split_that_does_not_exist():
    with pytest.raises(ValueError, match="split is 'valid', expected 'train' or 'test'"):
        load_japanese_vowels("valid")


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
def test_recordings_are_those_of_sktime(split):
    """Number by number; sktime reads the text files of the UCI repository."""
    from sktime.datasets import load_japanese_vowels as load

    frames, speakers = load(split=split, return_type="df-list")
    vowels = load_japanese_vowels(split)
    assert vowels.targets.tolist() == [int(speaker) - 1 for speaker in speakers]
    for sequence, table in zip(vowels.sequences, frames, strict=True):
        assert torch.equal(sequence, torch.tensor(table.to_numpy(), dtype=torch.float32))


def test_dataset_and_subset():
    data = dataset_of([3, 1, 2])
    part = data.subset([2, 0])
    assert part.lengths.tolist() == [2, 3]
    assert torch.equal(part[0][0], data[2][0])
    assert part.targets.tolist() == [0, 0]
    steps = dataset_of([3, 1, 2], per_step=True).subset([1])
    assert [len(target) for target in steps.targets] == [1]
    assert data == data  # by identity: comparing tensors has no single answer
    assert data != dataset_of([3, 1, 2])
    assert len({data, data, part}) == 2
    with pytest.raises(ValueError, match="3 sequences, but 2 targets"):
        SequenceDataset(data.sequences, data.targets[:2])


def test_validation_is_stratified_disjoint_and_complete():
    vowels = load_japanese_vowels("train")
    train, validation = split_validation(vowels, 0.2, seed=3)
    assert train.targets.bincount().tolist() == [24] * 9
    assert validation.targets.bincount().tolist() == [6] * 9
    where = {id(s): i for i, s in enumerate(vowels.sequences)}
    found = [where[id(s)] for s in train.sequences + validation.sequences]
    assert sorted(found) == list(range(270))
    targets = torch.cat([train.targets, validation.targets])
    assert torch.equal(targets, vowels.targets[found])
    again, _ = split_validation(vowels, 0.2, seed=3)
    other, _ = split_validation(vowels, 0.2, seed=4)
    assert torch.equal(again.sequences[0], train.sequences[0])
    assert [id(s) for s in other.sequences] != [id(s) for s in train.sequences]


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 0.5, 0.77])
@pytest.mark.parametrize("split", ["train", "test"])
def test_shares_of_the_classes_are_those_of_scikit_learn(split, fraction):
    """It rounds the whole set up first, so a class may differ by one where no share is whole."""
    from sklearn.model_selection import train_test_split

    vowels = load_japanese_vowels(split)
    _, theirs = train_test_split(vowels.targets, test_size=fraction, stratify=vowels.targets)
    ours = split_validation(vowels, fraction)[1].targets.bincount()
    shares = fraction * vowels.targets.bincount().double()
    assert ((ours - shares).abs() <= 0.5).all()
    assert ((ours - theirs.bincount()).abs() <= 1).all()
    if (shares == shares.round()).all():
        assert torch.equal(ours, theirs.bincount())


def test_every_sequence_is_held_out_by_some_seed():
    vowels = load_japanese_vowels("train")
    held_out = {id(s) for i in range(60) for s in split_validation(vowels, seed=i)[1].sequences}
    assert len(held_out) == 270  # one is missing with probability 270 x 0.8^60 = 0.0004
    sequences, targets = small_batch([3] * 4, 1), torch.tensor([7, 2, 7, 2])
    orders = {
        tuple(
            split_validation(SequenceDataset(sequences, targets), 0.5, seed=i)[0].targets.tolist()
        )
        for i in range(20)
    }
    assert orders == {(2, 7), (7, 2)}  # not class by class


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_a_class_that_would_be_missing_on_one_side(fraction):
    few = SequenceDataset(small_batch([2] * 12, 1), torch.tensor([0] * 10 + [1] * 2))
    with pytest.raises(ValueError, match=f"{fraction} of class 1, 2 sequences, leaves none"):
        split_validation(few, fraction)


def test_what_cannot_be_split():
    with pytest.raises(ValueError, match="one class number for each sequence"):
        split_validation(dataset_of([3, 1, 2], per_step=True))
    with pytest.raises(ValueError, match="one class number for each sequence"):
        split_validation(SequenceDataset([], torch.zeros(0, dtype=torch.long)))


@given(st.lists(st.integers(1, 6), min_size=2, max_size=5), st.integers(1, 3), SEEDS)
def test_normalizer_sees_real_frames_only(lengths, features, seed):
    sequences = [5 + 3 * s for s in small_batch(lengths, features, seed=seed, dtype=torch.float64)]
    normalizer = Normalizer.fit(sequences)
    frames = [frame for sequence in sequences for frame in sequence]
    mean = sum(frames) / len(frames)
    variance = sum((frame - mean) ** 2 for frame in frames) / (len(frames) - 1)
    assert_close(normalizer.mean, mean)
    assert_close(normalizer.std, variance.sqrt())
    data = normalizer(SequenceDataset(sequences, torch.arange(len(lengths))))
    assert data.lengths.tolist() == lengths
    assert data.targets.tolist() == list(range(len(lengths)))
    assert_close(data.sequences[0], (sequences[0] - mean) / variance.sqrt())


def test_a_channel_that_never_changes_is_not_blown_up():
    train = [torch.full((n, 1), 0.1) for n in (3, 1000, 7)]
    data = Normalizer.fit(train)(
        SequenceDataset([*train, torch.full((2, 1), 0.2)], torch.arange(4))
    )
    assert_close(data.sequences[0], torch.zeros(3, 1), rtol=0, atol=1e-6)
    assert_close(data.sequences[-1], torch.full((2, 1), 0.1))


# --- collate ---------------------------------------------------------------------------------


def test_collate_classes():
    data = dataset_of([3, 1, 2], features=1)
    batch = collate([data[i] for i in (1, 0, 2)])
    assert isinstance(batch, Batch)
    assert batch.inputs.shape == (3, 3, 1)
    assert batch.lengths.tolist() == [1, 3, 2]
    assert batch.targets.tolist() == [1, 0, 0]
    for row, i in enumerate((1, 0, 2)):
        assert torch.equal(batch.inputs[row, : len(data[i][0])], data[i][0])
        assert not batch.inputs[row, len(data[i][0]) :].any()


@pytest.mark.parametrize("side", ["right", "left"])
def test_collate_targets_at_every_step(side):
    data = dataset_of([3, 1, 2], per_step=True)
    batch = collate(list(data), max_length=5, padding_side=side)
    assert batch.inputs.shape == (3, 5, 2)
    assert batch.targets.shape == (3, 5)
    # The target is the first feature: it must stand wherever its input stands.
    assert torch.equal(batch.targets, batch.inputs[..., 0])


def test_collate_notices_targets_of_another_length():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match=r"item 1 has 3 steps but targets of shape \(2,\)"):
        collate([(x, torch.zeros(3)), (x, torch.zeros(2))])
    with pytest.raises(ValueError, match=r"lengths\[0\] is 3, but the batch has only 2"):
        collate([(x, torch.tensor(0))], max_length=2)


def test_a_batch_moves_but_its_lengths_stay():
    batch = collate(list(dataset_of([3, 1]))).to("meta")
    assert batch.inputs.device.type == batch.targets.device.type == "meta"
    assert batch.lengths.device.type == "cpu"


# --- buckets ---------------------------------------------------------------------------------


@given(MANY_LENGTHS, st.integers(20, 80))
def test_token_budget_batches(lengths, budget):
    batches = token_budget_batches(lengths, budget)
    assert [i for batch in batches for i in batch] == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[i] for i in batch) <= budget
    for batch, following in pairwise(batches):  # it ends where the next one does not fit
        assert (len(batch) + 1) * max(lengths[i] for i in [*batch, following[0]]) > budget


@given(MANY_LENGTHS, st.integers(1, 9), st.floats(0, 2), SEEDS, st.integers(0, 5))
def test_every_sequence_once_an_epoch(lengths, batch_size, jitter, seed, epoch):
    sampler = BucketBatchSampler(lengths, batch_size=batch_size, jitter=jitter, seed=seed)
    sampler.set_epoch(epoch)
    announced = len(sampler)
    batches = list(sampler)
    assert len(batches) == announced
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    sizes = sorted(len(batch) for batch in batches)
    assert sizes[1:] == [batch_size] * (len(sizes) - 1)
    assert not sizes or 1 <= sizes[0] <= batch_size


@given(MANY_LENGTHS, st.integers(20, 80), st.floats(0, 2), SEEDS)
def test_a_budget_of_cells_is_kept(lengths, budget, jitter, seed):
    sampler = BucketBatchSampler(lengths, max_cells=budget, jitter=jitter, seed=seed)
    announced = len(sampler)
    batches = list(sampler)
    assert len(batches) == announced
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(batch and len(batch) * max(lengths[i] for i in batch) <= budget for batch in batches)


def test_same_seed_same_epochs_and_other_batches_next_epoch():
    lengths = log_normal_lengths(100)
    first, second = (BucketBatchSampler(lengths, batch_size=8, seed=5) for _ in range(2))
    epochs = [list(first) for _ in range(3)]
    assert [list(second) for _ in range(3)] == epochs
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    second.set_epoch(1)
    assert list(second) == epochs[1]
    assert list(second) == epochs[2]
    assert list(BucketBatchSampler(lengths, batch_size=8, seed=6)) != epochs[0]


def test_the_sampler_leaves_the_global_random_state_alone():
    state = torch.get_rng_state()
    list(BucketBatchSampler([3, 1, 2], batch_size=2))
    assert torch.equal(state, torch.get_rng_state())


def test_without_jitter_the_batches_are_sorted_but_their_order_is_not():
    lengths = torch.randperm(64) + 1
    sampler = BucketBatchSampler(lengths, batch_size=8, jitter=0)
    batches = list(sampler)
    assert sorted(map(sorted, batches)) == sorted(map(sorted, sorted_batches(lengths, 8)))
    assert [min(b) for b in batches] != [min(b) for b in list(sampler)]


@pytest.mark.parametrize("source", ["Japanese Vowels", "log-normal"])
@pytest.mark.parametrize("batch_size", [8, 16, 32])
def test_buckets_cost_little_padding_and_change_every_epoch(source, batch_size):
    vowels = source == "Japanese Vowels"
    lengths = load_japanese_vowels("train").lengths if vowels else log_normal_lengths()
    least = cells(lengths, sorted_batches(lengths, batch_size))
    for seed in range(3):
        sampler = BucketBatchSampler(lengths, batch_size=batch_size, seed=seed)
        epochs = [list(sampler) for _ in range(3)]
        assert max(cells(lengths, epoch) for epoch in epochs) <= 1.15 * least
        assert max(map(repeated_pairs, epochs, epochs[1:])) < 0.5


@pytest.mark.parametrize("options", [{"batch_size": 4}, {"max_cells": 30}])
@pytest.mark.parametrize("workers", [0, 1])
def test_sampler_and_collate_in_a_data_loader(options, workers):
    data = dataset_of([5, 3, 7, 2, 2, 9, 1, 4, 6])
    sampler = BucketBatchSampler(data.lengths, **options)
    loader = DataLoader(data, batch_sampler=sampler, collate_fn=collate, num_workers=workers)
    for _ in range(2):
        announced, expected = len(loader), sampler._batches(sampler.epoch)
        batches = list(loader)
        assert announced == len(batches) == len(expected)
        for batch, indices in zip(batches, expected, strict=True):
            assert batch.lengths.tolist() == data.lengths[indices].tolist()


@pytest.mark.parametrize(
    ("lengths", "options", "error", "message"),
    [
        ([3], {}, ValueError, "either batch_size or max_cells"),
        ([3], {"batch_size": 1, "max_cells": 9}, ValueError, "either batch_size or max_cells"),
        ([3], {"batch_size": 0}, ValueError, "batch_size is 0, expected at least 1"),
        ([3], {"max_cells": -1}, ValueError, "max_cells is -1, expected at least 1"),
        ([3], {"batch_size": 1, "jitter": 3}, ValueError, "jitter is 3, expected .* 0 to 2"),
        ([3, 9], {"max_cells": 8}, ValueError, "max_cells is 8, but the longest .* has 9 steps"),
        ([3.0], {"batch_size": 1}, TypeError, "whole numbers"),
        ([-1], {"batch_size": 1}, ValueError, "cannot be negative"),
    ],
)
def test_samplers_that_cannot_be(lengths, options, error, message):
    with pytest.raises(error, match=message):
        BucketBatchSampler(lengths, **options)


def test_a_sequence_beyond_the_budget():
    with pytest.raises(ValueError, match="max_cells is 5, but the longest sequence alone has 6"):
        token_budget_batches([2, 6], 5)


def test_equal_lengths_give_random_batches():
    lengths: Tensor = torch.full((40,), 7)
    sampler = BucketBatchSampler(lengths, batch_size=8)
    epochs = [list(sampler) for _ in range(2)]
    assert cells(lengths, epochs[0]) == 280
    assert repeated_pairs(*epochs) < 0.5


def test_a_normalizer_of_other_channels_does_not_broadcast():
    normalize = Normalizer.fit([torch.randn(5, 3)])
    with pytest.raises(ValueError, match=r"sequences\[0\] has shape \(4, 1\)"):
        normalize(SequenceDataset([torch.randn(4, 1)], torch.zeros(1).long()))
    with pytest.raises(ValueError, match="nothing to measure"):
        Normalizer.fit([torch.randn(0, 3)])


def test_subsets_of_nothing_and_of_no_positions():
    data = SequenceDataset([torch.zeros(1, 1), torch.zeros(2, 1)], torch.tensor([4, 5]))
    assert len(data.subset([])) == 0
    with pytest.raises(TypeError, match="True"):  # a mask is not a list of positions
        data.subset([True, False])
    with pytest.raises(ValueError, match="index 2 is beyond"):
        data.subset([2])


def test_targets_that_are_no_tensors():
    with pytest.raises(TypeError, match=r"the target of items\[0\]: got 3 \(int\)"):
        collate([(torch.zeros(2, 1), 3)])


def test_a_number_of_sequences_is_no_fraction():
    data = SequenceDataset([torch.zeros(1, 1)] * 8, torch.arange(8) % 2)
    with pytest.raises(ValueError, match="fraction is 4, expected a share below 1"):
        split_validation(data, 4)
