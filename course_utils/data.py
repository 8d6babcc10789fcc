"""Sequences to learn from: Japanese Vowels, a small batch, collating and bucketing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from course_utils.checks import check_alike, check_count, check_float, check_number, check_tensor
from course_utils.sequences import Lengths, Side, check_lengths, lengths_of, pad_batch

SMALL_LENGTHS = (5, 3, 7, 2)
_JAPANESE_VOWELS = Path(__file__).with_name("japanese_vowels.npz")


def small_batch(
    lengths: Sequence[int] = SMALL_LENGTHS,
    features: int = 10,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> list[Tensor]:
    """Random sequences of shapes ``(L_i, features)``, the same on every device.

    Raises:
        TypeError, ValueError: lengths, features or a seed that are no whole numbers, or a dtype
            that is not floating-point.
    """
    features = check_count(features, "features")
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype is {dtype!r:.40}, expected a floating-point dtype of torch")
    generator = torch.Generator("cpu").manual_seed(check_count(seed, "seed"))
    return [
        torch.randn(n, features, generator=generator, dtype=dtype, device="cpu").to(device)
        for n in check_lengths(lengths).tolist()
    ]


@dataclass(frozen=True, eq=False)
class SequenceDataset(Dataset):
    """Sequences of shapes ``(L_i, F)`` and one target for each.

    Targets are class numbers ``(N,)``, or a list of tensors ``(L_i, ...)``, one target a step.
    """

    sequences: list[Tensor]
    targets: Tensor | list[Tensor]

    def __post_init__(self) -> None:
        if len(self.sequences) != len(self.targets):
            raise ValueError(f"{len(self.sequences)} sequences, but {len(self.targets)} targets")

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.sequences[index], self.targets[index]

    @cached_property
    def lengths(self) -> Tensor:
        """Number of steps of each sequence, ``(N,)``."""
        return lengths_of(self.sequences)

    def subset(self, indices: Sequence[int]) -> SequenceDataset:
        """The sequences and targets at these indices, in this order.

        Raises:
            TypeError, ValueError: an index that is no whole number from 0 to ``N - 1``.
        """
        places = [check_count(i, "an index") for i in indices]
        if max(places, default=-1) >= len(self):
            raise ValueError(f"index {max(places)} is beyond the {len(self)} sequences")
        listed = not isinstance(self.targets, Tensor)
        targets = [self.targets[i] for i in places] if listed else self.targets[places]
        return SequenceDataset([self.sequences[i] for i in places], targets)


@lru_cache
def load_japanese_vowels(split: Literal["train", "test"]) -> SequenceDataset:
    """Utterances of two Japanese vowels by nine speakers; the target is the speaker, 0 to 8.

    270 utterances to train on and 370 to test on, 7 to 29 frames each, 12 LPC cepstrum
    coefficients a frame, float32 on the CPU. Read from a file beside this module.

    Source: M. Kudo, J. Toyama, M. Shimbo, Japanese Vowels, UCI Machine Learning Repository,
    https://doi.org/10.24432/C5NS47, CC BY 4.0; here rounded to float32 and kept as NumPy arrays.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}, expected 'train' or 'test'")
    import numpy as np

    names = [f"{split}_{name}" for name in ("frames", "lengths", "speakers")]
    with np.load(_JAPANESE_VOWELS, allow_pickle=False) as file:
        frames, lengths, speakers = (torch.from_numpy(file[name]) for name in names)
    return SequenceDataset([s.clone() for s in frames.split(lengths.tolist())], speakers)


def split_validation(
    dataset: SequenceDataset, fraction: float = 0.2, *, seed: int = 0
) -> tuple[SequenceDataset, SequenceDataset]:
    """Split off a validation set in which every class keeps its share: ``(train, validation)``.

    Each class gives the same fraction of its sequences, rounded to a whole number; chance says
    which ones, and in which order both sets come. The same seed gives the same sets.

    Raises:
        ValueError: targets that are not one class a sequence, a fraction outside 0 to 1, or one
            that leaves a class without a sequence on either side.
    """
    check_number(fraction, "fraction", above=0)
    if not fraction < 1:
        raise ValueError(f"fraction is {fraction}, expected a share below 1")
    if not isinstance(dataset.targets, Tensor) or dataset.targets.dim() != 1 or not len(dataset):
        raise ValueError("a stratified split needs one class number for each sequence, (N,)")
    generator = torch.Generator("cpu").manual_seed(check_count(seed, "seed"))
    order = torch.randperm(len(dataset), generator=generator, device="cpu")
    classes = dataset.targets.cpu()[order]
    held_out = torch.zeros_like(order, dtype=torch.bool)
    for number in classes.unique():
        members = (classes == number).nonzero().flatten()
        share = round(fraction * len(members))
        if share in (0, len(members)):
            raise ValueError(
                f"fraction {fraction} of class {number}, {len(members)} sequences, leaves none on "
                "one side"
            )
        held_out[members[:share]] = True
    return dataset.subset(order[~held_out].tolist()), dataset.subset(order[held_out].tolist())


@dataclass(frozen=True, eq=False)
class Normalizer:
    """Subtract each channel's mean and divide by its standard deviation, both ``(F,)``."""

    mean: Tensor
    std: Tensor

    @classmethod
    def fit(cls, sequences: Sequence[Tensor]) -> Normalizer:
        """Measure mean and deviation over real frames only, before any padding exists.

        Raises:
            TypeError, ValueError: no frames, frames that are not floating-point, or sequences
                that differ in channels, dtype or device.
        """
        check_alike(sequences)
        if sum(map(len, sequences)) == 0:
            raise ValueError(f"{len(sequences)} sequences without a frame: nothing to measure")
        frames = torch.cat(list(sequences))
        check_float(frames, "sequences")
        std = frames.std(0) if len(frames) > 1 else torch.zeros_like(frames[0])
        # The deviation of a channel that never changes is a rounding error: leave it as it is.
        varies = std > 10 * torch.finfo(std.dtype).eps * frames.abs().amax(0)
        return cls(frames.mean(0), torch.where(varies, std, torch.ones_like(std)))

    def __call__(self, dataset: SequenceDataset) -> SequenceDataset:
        """The same data set with every channel normalised.

        Raises:
            ValueError: a sequence with other channels than those that were measured.
        """
        for i, sequence in enumerate(dataset.sequences):
            if sequence.shape[1:] != self.mean.shape:
                raise ValueError(
                    f"sequences[{i}] has shape {tuple(sequence.shape)}, but "
                    f"{tuple(self.mean.shape)} channels were measured"
                )
        return SequenceDataset(
            [(s - self.mean) / self.std for s in dataset.sequences], dataset.targets
        )


class Batch(NamedTuple):
    """A padded batch: inputs ``(B, T, F)``, lengths ``(B,)`` on the CPU, and targets."""

    inputs: Tensor
    lengths: Tensor
    targets: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The batch with inputs and targets on a device; lengths stay on the CPU."""
        return Batch(self.inputs.to(device), self.lengths, self.targets.to(device))


def _check_item(i: int, item: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise TypeError(f"items[{i}] is {item!r:.40}, expected (sequence, target)")
    check_tensor(item[1], f"the target of items[{i}]")
    return item[0], item[1]


def collate(
    items: Sequence[tuple[Tensor, Tensor]],
    *,
    max_length: int | None = None,
    padding_side: Side = "right",
) -> Batch:
    """Turn a list of ``(sequence, target)`` into a :class:`Batch`, for ``DataLoader``.

    Args:
        items: sequences ``(L_i, F)``; targets are single numbers, or ``(L_i, ...)``, padded
            like the inputs.
        max_length: the padded length ``T``; the longest sequence if not given.
        padding_side: where the pads go.

    Raises:
        TypeError, ValueError: as :func:`pad_batch`, or a sequence and its targets that differ
            in their number of steps.
    """
    items = [_check_item(i, item) for i, item in enumerate(items)]
    if not items:
        raise ValueError("items is empty: a batch needs at least one (sequence, target)")
    sequences, targets = zip(*items, strict=True)
    inputs = pad_batch(sequences, max_length=max_length, padding_side=padding_side)
    if all(target.dim() == 0 for target in targets):
        stacked = torch.stack(targets)
    else:
        for i, (sequence, target) in enumerate(items):
            if target.dim() == 0 or len(sequence) != len(target):
                raise ValueError(
                    f"item {i} has {len(sequence)} steps but targets of shape "
                    f"{tuple(target.shape)}: targets are single numbers, or one a step"
                )
        stacked = pad_batch(targets, max_length=max_length, padding_side=padding_side)
    return Batch(inputs, lengths_of(sequences), stacked)


def _check_budget(lengths: Tensor, max_cells: int) -> None:
    if (lengths > max_cells).any():
        raise ValueError(
            f"max_cells is {max_cells}, but the longest sequence alone has {int(lengths.max())} "
            "steps: raise the budget, or drop or cut the sequence"
        )


def token_budget_batches(lengths: Lengths, max_cells: int) -> list[list[int]]:
    """Cut sequences, in the order given, into batches of at most ``max_cells`` cells.

    A batch is padded to its own longest sequence, so it has ``B x T`` cells, pads included. A
    new batch begins where the next sequence would not fit.

    Args:
        lengths: number of steps of each sequence, ``(N,)``.
        max_cells: most cells of a batch: a token budget.

    Returns:
        For each batch the positions of its sequences, from 0 to ``N - 1``.

    Raises:
        ValueError: a sequence longer than ``max_cells``.
    """
    lengths, max_cells = check_lengths(lengths), check_count(max_cells, "max_cells")
    _check_budget(lengths, max_cells)
    batches: list[list[int]] = []
    longest = 0
    for position, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        if not batches or (len(batches[-1]) + 1) * longest > max_cells:
            batches.append([])
            longest = length
        batches[-1].append(position)
    return batches


class BucketBatchSampler(Sampler[list[int]]):
    """Batches of sequences of similar length, different ones every epoch.

    Each epoch multiplies every length by a random factor near 1, sorts by the result, cuts the
    order into batches and shuffles the batches. The factor's width decides: 0 gives sorted
    batches that hardly ever change, much more gives random batches full of padding.

    Args:
        lengths: number of steps of every sequence in the data set, ``(N,)``.
        batch_size: sequences a batch; give this or ``max_cells``.
        max_cells: most cells ``B x T`` of a batch, padding included: a token budget, which
            bounds the memory that the largest batch needs.
        jitter: width of the random factor, which lies in ``1 - jitter/2`` to ``1 + jitter/2``.
        seed: the same seed gives the same batches in the same epoch.

    Raises:
        ValueError: both or neither of ``batch_size`` and ``max_cells``, a number below 1, a
            jitter outside 0 to 2, or a sequence longer than ``max_cells``.

    Use: ``DataLoader(dataset, batch_sampler=BucketBatchSampler(...), collate_fn=collate)``.
    """

    def __init__(
        self,
        lengths: Lengths,
        *,
        batch_size: int | None = None,
        max_cells: int | None = None,
        jitter: float = 0.25,
        seed: int = 0,
    ) -> None:
        self.lengths = check_lengths(lengths).cpu()
        if (batch_size is None) == (max_cells is None):
            raise ValueError("give either batch_size or max_cells")
        for name, value in (("batch_size", batch_size), ("max_cells", max_cells)):
            if value is not None:
                check_count(value, name, 1)
        check_number(jitter, "jitter", above=-1)
        if not 0 <= jitter <= 2:
            raise ValueError(f"jitter is {jitter}, expected a number from 0 to 2")
        if max_cells is not None:
            _check_budget(self.lengths, max_cells)
        self.batch_size, self.max_cells = batch_size, max_cells
        self.jitter, self.seed, self.epoch = jitter, check_count(seed, "seed"), 0

    def set_epoch(self, epoch: int) -> None:
        """Choose which epoch's batches come next; iterating moves on by itself."""
        self.epoch = check_count(epoch, "epoch")

    def __len__(self) -> int:
        """Number of batches in the epoch that comes next; with ``max_cells`` it may vary."""
        return len(self._batches(self.epoch))

    def __iter__(self) -> Iterator[list[int]]:
        # A generator, so that an epoch begins with its first batch: a DataLoader with workers
        # asks for two iterators an epoch and uses one.
        batches = self._batches(self.epoch)
        self.epoch += 1
        yield from batches

    def _batches(self, epoch: int) -> list[list[int]]:
        generator = torch.Generator("cpu").manual_seed(self.seed + 1_000_003 * epoch)
        batches = self._cut(self._noisy_order(generator))
        shuffled = torch.randperm(len(batches), generator=generator, device="cpu")
        return [batches[i] for i in shuffled.tolist()]

    def _noisy_order(self, generator: torch.Generator) -> list[int]:
        noise = torch.rand(len(self.lengths), generator=generator, device="cpu") - 0.5
        return (self.lengths * (1 + self.jitter * noise)).argsort().tolist()

    def _cut(self, order: list[int]) -> list[list[int]]:
        if self.max_cells is None:
            starts = range(0, len(order), self.batch_size)
            return [order[start : start + self.batch_size] for start in starts]
        batches = token_budget_batches(self.lengths[order], self.max_cells)
        return [[order[position] for position in batch] for batch in batches]
