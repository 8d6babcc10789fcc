"""Train a model on sequences of different lengths, and measure it."""

from __future__ import annotations

import contextlib
import copy
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from course_utils.checks import check_count, check_number, check_tensor
from course_utils.data import Batch, BucketBatchSampler, SequenceDataset, collate
from course_utils.masked import masked_cross_entropy, masked_mse
from course_utils.sequences import check_lengths, lengths_to_mask

# A loss returns the sum over what it counts, and how much it counted. Only then is an epoch's
# mean the mean, whatever the sizes of its batches.
SumAndCount = tuple[Tensor, int]
Loss = Callable[[Tensor, Batch], SumAndCount]


def class_loss(output: Tensor, batch: Batch) -> SumAndCount:
    """Cross-entropy of logits ``(B, C)``: its sum over sequences, and their number.

    Raises:
        TypeError, ValueError: logits and targets that do not fit, or a target that is no class.
    """
    check_tensor(batch.targets, "targets")
    if batch.targets.dim() != 1:
        raise ValueError(f"targets have shape {tuple(batch.targets.shape)}, expected (B,)")
    everyone = torch.ones(batch.targets.shape, dtype=torch.bool, device=batch.targets.device)
    mean = masked_cross_entropy(output, batch.targets, everyone)
    return mean * len(batch.targets), len(batch.targets)


def step_mse_loss(output: Tensor, batch: Batch) -> SumAndCount:
    """Squared error of ``(B, T, F)`` averaged over features: its sum over real steps, and
    their number.

    Raises:
        TypeError, ValueError: an output, targets and lengths that do not fit.
    """
    check_tensor(output, "output")
    if output.dim() < 2:
        raise ValueError(f"output has shape {tuple(output.shape)}, expected (B, T, ...)")
    lengths = check_lengths(batch.lengths, output.shape[1], batch_size=len(output))
    mask = lengths_to_mask(lengths, output.shape[1], device=output.device)
    count = int(lengths.sum())
    return masked_mse(output, batch.targets, mask) * count, count


@dataclass(eq=False)
class Evaluation:
    """How a model did on a data set."""

    loss: float
    """Mean loss over all that the loss counts."""
    outputs: list[Tensor]
    """The model's output for each sequence, in the data set's order, on the CPU."""
    targets: Tensor | list[Tensor]

    @functools.cached_property
    def predictions(self) -> Tensor:
        """The class with the largest logit for each sequence, ``(N,)``.

        Raises:
            ValueError: outputs or targets that are not one for each sequence.
        """
        if not isinstance(self.targets, Tensor) or any(o.dim() != 1 for o in self.outputs):
            raise ValueError("only a model with one row of logits a sequence predicts classes")
        return torch.stack(self.outputs).argmax(-1)

    @property
    def accuracy(self) -> float:
        """Share of sequences whose class was found, 0 to 1."""
        return (self.predictions == self.targets).float().mean().item()

    @property
    def standard_error(self) -> float:
        """Standard error of the accuracy: how far another test set of this size would differ."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / len(self.outputs))

    def confusion(self, classes: int) -> Tensor:
        """Counts ``(classes, classes)``: row = true class, column = predicted class.

        Raises:
            ValueError: a class that is not below ``classes``.
        """
        largest = int(torch.maximum(self.targets.max(), self.predictions.max()))
        check_count(classes, "classes", largest + 1)
        pairs = self.targets * classes + self.predictions
        return pairs.bincount(minlength=classes**2).view(classes, classes)


@contextlib.contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards every module has the mode that it had, errors or not."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _device_of(model: nn.Module) -> torch.device:
    """Where a model is; one without parameters is on the CPU."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@torch.no_grad()
def evaluate(
    model: nn.Module,
    dataset: SequenceDataset,
    *,
    batch_size: int = 32,
    max_length: int | None = None,
    loss: Loss = class_loss,
) -> Evaluation:
    """Run a model over a data set in eval mode; the model's mode is restored afterwards.

    Args:
        model: called as ``model(inputs, lengths)``.
        dataset: its sequences are visited in order.
        batch_size: 1 serves one sequence at a time, without any padding.
        max_length: pad every batch to this length; to its longest sequence if not given.
        loss: returns a sum and a count.

    Raises:
        TypeError, ValueError: an empty data set, or a batch size below 1.
    """
    check_count(batch_size, "batch_size", 1)
    if len(dataset) == 0:
        raise ValueError("the data set is empty: there is nothing to evaluate")
    device = _device_of(model)
    outputs, total, count = [], 0.0, 0
    pad = functools.partial(collate, max_length=max_length)
    # Without a generator of its own a loader draws from the caller's random numbers.
    loader = DataLoader(
        dataset, batch_size=batch_size, collate_fn=pad, generator=torch.Generator("cpu")
    )
    with _eval_mode(model):
        for batch in loader:
            batch = batch.to(device)
            output = model(batch.inputs, batch.lengths)
            batch_sum, batch_count = loss(output, batch)
            total, count = total + batch_sum.item(), count + batch_count
            outputs += output.cpu().unbind()
    return Evaluation(total / count, outputs, dataset.targets)


@dataclass
class History:
    """Mean losses, one number an epoch, and the epoch whose weights were kept (from 0)."""

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    best_epoch: int = -1


def _train_epoch(
    model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer, loss: Loss, clip: float
) -> float:
    device = _device_of(model)
    model.train()
    total, count = 0.0, 0
    for batch in loader:
        batch = batch.to(device)
        batch_sum, batch_count = loss(model(batch.inputs, batch.lengths), batch)
        optimizer.zero_grad()
        (batch_sum / batch_count).backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        total, count = total + batch_sum.item(), count + batch_count
    return total / count


def _check_options(
    epochs: int,
    learning_rate: float,
    clip: float,
    patience: int | None,
    validation: SequenceDataset | None,
) -> None:
    check_count(epochs, "epochs")
    check_number(learning_rate, "learning_rate", above=-math.inf)  # Adam refuses those below 0
    check_number(clip, "clip", above=0)  # below 0 it would turn the gradient round
    if validation is not None and len(validation) == 0:
        raise ValueError("the validation set is empty: no epoch can be judged")
    if patience is not None:
        check_count(patience, "patience", 1)
        if validation is None:
            raise ValueError("patience needs a validation set: early stopping watches its loss")


def _make_loader(
    dataset: SequenceDataset, batch_size: int, bucket: bool, max_length: int | None, seed: int
) -> DataLoader:
    check_count(batch_size, "batch_size", 1)
    if len(dataset) == 0:
        raise ValueError("the training set is empty: there is nothing to learn from")
    pad = functools.partial(collate, max_length=max_length)
    generator = torch.Generator("cpu").manual_seed(check_count(seed, "seed"))
    if bucket:
        sampler = BucketBatchSampler(dataset.lengths, batch_size=batch_size, seed=seed)
        return DataLoader(dataset, batch_sampler=sampler, collate_fn=pad, generator=generator)
    return DataLoader(
        dataset, batch_size=batch_size, shuffle=True, collate_fn=pad, generator=generator
    )


def fit(
    model: nn.Module,
    train: SequenceDataset,
    validation: SequenceDataset | None = None,
    *,
    epochs: int = 40,
    learning_rate: float = 3e-3,
    batch_size: int = 32,
    clip: float = 1.0,
    patience: int | None = None,
    max_length: int | None = None,
    bucket: bool = False,
    loss: Loss = class_loss,
    seed: int = 0,
    progress: bool | str = True,
) -> History:
    """Train a model in place with Adam; with a validation set the best weights are kept.

    Args:
        model: called as ``model(inputs, lengths)``; it stays on its device.
        train: sequences to learn from, another order every epoch.
        validation: sequences to choose the best epoch by.
        epochs: passes over the training set, at most.
        learning_rate: Adam's step size.
        batch_size: sequences a batch.
        clip: largest norm of the gradient.
        patience: stop after this many epochs without a better validation loss.
        max_length: pad every batch to this length; to its longest sequence if not given.
        bucket: put sequences of similar length in a batch, see ``BucketBatchSampler``.
        loss: returns a sum and a count; a step follows the gradient of their quotient.
        seed: order of the batches; the model's weights are the caller's business.
        progress: show a bar, under this name if it is a string.

    Raises:
        TypeError, ValueError: ``patience`` without a validation set, an empty data set, or a
            number out of range.
    """
    _check_options(epochs, learning_rate, clip, patience, validation)
    loader = _make_loader(train, batch_size, bucket, max_length, seed)
    options = {"batch_size": batch_size, "max_length": max_length, "loss": loss}
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    history, best, best_loss = History(), None, math.inf
    name = progress if isinstance(progress, str) else "training"
    with tqdm(total=epochs, desc=name, unit="epoch", disable=not progress) as bar:
        for epoch in range(epochs):
            history.train_loss.append(_train_epoch(model, loader, optimizer, loss, clip))
            if validation is not None:
                history.validation_loss.append(evaluate(model, validation, **options).loss)
            found = (history.validation_loss or history.train_loss)[-1]
            bar.set_postfix({"loss" if validation is None else "validation_loss": f"{found:.3f}"})
            bar.update()
            if validation is not None and found < best_loss:
                best_loss, best = found, copy.deepcopy(model.state_dict())
                history.best_epoch = epoch
            elif patience is not None and epoch - history.best_epoch >= patience:
                bar.total = bar.n  # stopped on purpose: a bar that ends early looks like an error
                break
    if best is not None:
        model.load_state_dict(best)
    return history
