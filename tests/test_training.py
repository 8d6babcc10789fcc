"""Fitting and measuring: on tasks small enough to know the answer."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from measures import assert_close
from torch import Tensor, nn

from course_utils.data import Batch, SequenceDataset, collate, small_batch
from course_utils.models import GatherRNN, LastStepRNN, MaskedRNN, MeanPoolRNN
from course_utils.training import Evaluation, class_loss, evaluate, fit, step_mse_loss

LENGTHS = [1, 4, 7, 2, 2, 6, 3, 5, 7, 1, 3]


def random_data(lengths: list[int] = LENGTHS, seed: int = 0) -> SequenceDataset:
    sequences = small_batch(lengths, 2, seed=seed, dtype=torch.float64)
    return SequenceDataset(sequences, torch.arange(len(lengths)) % 2)


def sign_data(count: int, seed: int) -> SequenceDataset:
    """The class is the sign of the first feature of the last real step: learnable at once."""
    lengths = (
        torch.randperm(count, generator=torch.Generator().manual_seed(seed)) % 5 + 1
    ).tolist()
    sequences = small_batch(lengths, 2, seed=seed)
    return SequenceDataset(sequences, torch.stack([s[-1, 0] > 0 for s in sequences]).long())


def step_data() -> SequenceDataset:
    sequences = small_batch([3, 1, 4, 2, 4, 2], 2)
    return SequenceDataset(sequences, [s.cumsum(0)[:, :1].tanh() for s in sequences])


class PaddedLastStep(nn.Module):
    """Wrong on purpose: reads the padding that follows a short sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(2, 4, batch_first=True)
        self.linear = nn.Linear(4, 2)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        return self.linear(self.rnn(inputs)[0][:, -1])


class Scripted(nn.Module):
    """One weight, which is also the output: it shows how many steps were taken."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        return self.weight.expand(len(inputs))


def scripted_losses(values: list[float]):
    """A loss that pushes the weight up in training and reports these values in evaluation."""
    left = iter(values)

    def loss(output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        if torch.is_grad_enabled():
            return -output.sum(), len(output)
        return torch.tensor(next(left)) * len(output), len(output)

    return loss


# --- losses ----------------------------------------------------------------------------------


def test_class_loss_is_a_sum_over_sequences():
    batch = collate(list(random_data()))
    logits = torch.randn(len(LENGTHS), 2)
    total, count = class_loss(logits, batch)
    by_hand = sum(-row.log_softmax(0)[k] for row, k in zip(logits, batch.targets, strict=True))
    assert_close(total, by_hand)
    assert count == len(LENGTHS)


def test_step_loss_is_a_sum_over_real_steps():
    data = step_data()
    batch = collate(list(data))
    output = torch.randn_like(batch.targets)
    total, count = step_mse_loss(output, batch)
    by_hand = sum(
        (row[: len(target)] - target).square().mean(-1).sum()
        for row, target in zip(output, data.targets, strict=True)
    )
    assert_close(total, by_hand)
    assert count == 16


# --- evaluate --------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
def test_the_mean_of_an_epoch_is_the_mean_whatever_the_batches(batch_size):
    data = random_data()
    model = LastStepRNN(2, 4, 2).double()
    alone = torch.cat([model(s[None], [len(s)]) for s in data.sequences])
    expected = F.cross_entropy(alone, data.targets)
    found = evaluate(model, data, batch_size=batch_size)
    assert found.loss == pytest.approx(expected.item(), rel=1e-12)
    assert_close(torch.stack(found.outputs), alone.detach())


@pytest.mark.parametrize("batch_size", [1, 4, 6])
def test_the_mean_of_an_epoch_counts_steps_where_the_loss_does(batch_size):
    data, model = step_data(), MaskedRNN(2, 4)
    errors = [
        (model(s[None], [len(s)])[0] - t).square()
        for s, t in zip(*vars(data).values(), strict=True)
    ]
    expected = torch.cat(errors).mean().item()
    found = evaluate(model, data, batch_size=batch_size, loss=step_mse_loss)
    assert found.loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [LastStepRNN, GatherRNN, MeanPoolRNN])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_alone_and_batched_agree_for_right_models(kind, cell):
    model, data = kind(2, 4, 2, cell=cell).double(), random_data()
    alone = torch.stack(evaluate(model, data, batch_size=1).outputs)
    for batch_size, max_length in ((4, None), (11, None), (4, 15), (1, 9)):
        found = evaluate(model, data, batch_size=batch_size, max_length=max_length)
        assert_close(torch.stack(found.outputs), alone)


def test_alone_and_batched_differ_for_a_reader_of_padding():
    model, data = PaddedLastStep().double(), random_data()
    alone = torch.stack(evaluate(model, data, batch_size=1).outputs)
    batched = torch.stack(evaluate(model, data, batch_size=len(data)).outputs)
    wrong = (alone - batched).abs().amax(1) > 1e-3
    assert wrong.tolist() == [n < max(LENGTHS) for n in LENGTHS]


def test_evaluation_in_numbers():
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [0.0, 3.0], [1.0, 5.0], [1.0, 0.0]])
    found = Evaluation(0.5, list(logits), torch.tensor([0, 1, 0, 0, 1]))
    assert found.predictions.tolist() == [0, 1, 1, 1, 0]
    assert found.accuracy == pytest.approx(2 / 5)
    assert found.standard_error == pytest.approx(math.sqrt(0.6 * 0.4 / 5))
    assert found.confusion(2).tolist() == [[1, 2], [1, 1]]
    assert found.confusion(3).tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 0]]


def test_evaluate_restores_the_mode_of_every_module():
    class Frozen(LastStepRNN):
        def __init__(self):
            super().__init__(2, 4, 2)
            self.norm = nn.Dropout(0.5)
            self.norm.eval()

        def forward(self, inputs, lengths):
            modes.append([module.training for module in self.modules()])
            return super().forward(inputs, lengths)

    modes: list[list[bool]] = []
    model, data = Frozen(), small_data()
    for train in (True, False):
        model.train(train)
        model.norm.eval()
        before = [module.training for module in model.modules()]
        evaluate(model, data)
        assert [module.training for module in model.modules()] == before
    assert not any(map(any, modes))
    assert all(p.grad is None for p in model.parameters())


def small_data() -> SequenceDataset:
    return SequenceDataset(small_batch([2, 3], 2), torch.tensor([0, 1]))


def test_the_mode_is_restored_after_an_error_too():
    def broken(output: Tensor, batch: Batch):
        raise RuntimeError("on purpose")

    model = LastStepRNN(2, 4, 2).train()
    with pytest.raises(RuntimeError, match="on purpose"):
        evaluate(model, small_data(), loss=broken)
    assert model.training


# --- fit -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket", [False, True])
def test_fit_learns_a_small_task(bucket):
    model = LastStepRNN(2, 8, 2, cell="gru")
    train, test = sign_data(80, 1), sign_data(60, 2)
    before = evaluate(model, test)
    history = fit(
        model, train, epochs=30, learning_rate=0.02, batch_size=16, bucket=bucket, progress=False
    )
    after = evaluate(model, test)
    assert len(history.train_loss) == 30
    assert history.validation_loss == []
    assert history.best_epoch == -1
    assert history.train_loss[-1] < 0.4 * history.train_loss[0]
    assert after.loss < 0.5 * before.loss
    assert after.accuracy > 0.85


def test_fit_learns_targets_at_every_step():
    model, data = MaskedRNN(2, 8, cell="gru"), step_data()
    history = fit(
        model, data, epochs=40, learning_rate=0.02, batch_size=3, loss=step_mse_loss, progress=False
    )
    assert history.train_loss[-1] < 0.3 * history.train_loss[0]


def test_an_epoch_s_training_loss_is_the_true_mean():
    """With a learning rate of zero the weights stand still, so one pass must find the mean."""
    model, data = LastStepRNN(2, 4, 2).double(), random_data()
    history = fit(model, data, epochs=2, learning_rate=0.0, batch_size=4, progress=False)
    expected = evaluate(model, data, batch_size=1).loss
    assert history.train_loss == pytest.approx([expected] * 2, rel=1e-12)


@pytest.mark.parametrize("clip", [math.inf, 0.05])
def test_steps_follow_the_clipped_gradient_of_each_batch_s_mean(clip):
    """Batches of 4, 4 and 3, replayed on a twin with mean losses and clipping by hand."""
    seen: list[Batch] = []

    def watched(output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        seen.append(batch)
        return class_loss(output, batch)

    model, twin = LastStepRNN(2, 4, 2).double(), LastStepRNN(2, 4, 2).double()
    twin.load_state_dict(model.state_dict())
    fit(model, random_data(), epochs=2, batch_size=4, clip=clip, loss=watched, progress=False)
    assert [len(batch.targets) for batch in seen] == [4, 4, 3] * 2
    optimizer = torch.optim.Adam(twin.parameters(), lr=3e-3)
    for batch in seen:
        optimizer.zero_grad()
        F.cross_entropy(twin(batch.inputs, batch.lengths), batch.targets).backward()
        norm = torch.sqrt(sum(p.grad.square().sum() for p in twin.parameters()))
        assert norm > 0.05
        for p in twin.parameters():
            p.grad *= min(1.0, clip / norm.item())
        optimizer.step()
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert_close(p, q, rtol=1e-4, atol=1e-7)  # PyTorch adds an epsilon of 1e-6 to the norm


def test_the_best_weights_are_kept_and_not_the_last_ones():
    losses = [3.0, 2.0, 1.0, 2.5, 4.0]
    model = Scripted()
    history = fit(
        model,
        small_data(),
        small_data(),
        epochs=5,
        learning_rate=0.1,
        loss=scripted_losses(losses),
        progress=False,
    )
    assert history.validation_loss == losses
    assert history.best_epoch == 2
    assert len(history.train_loss) == 5
    # Adam moves the weight by the learning rate in every epoch: three steps, not five.
    assert model.weight.item() == pytest.approx(0.3, abs=1e-4)


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 6), (3, 7), (None, 8)])
def test_early_stopping(patience, epochs):
    losses = [3.0, 1.0, 2.0, 0.9, 1.5, 1.2, 1.1, 8.0]
    history = fit(
        Scripted(),
        small_data(),
        small_data(),
        epochs=8,
        patience=patience,
        loss=scripted_losses(losses),
        progress=False,
    )
    assert len(history.train_loss) == len(history.validation_loss) == epochs


def test_losses_of_nan_never_are_the_best():
    history = fit(
        Scripted(),
        small_data(),
        small_data(),
        epochs=9,
        patience=2,
        loss=scripted_losses([math.nan, 1.0, math.nan, math.nan, 0.0]),
        progress=False,
    )
    assert history.best_epoch == 1
    assert len(history.validation_loss) == 4


def test_the_same_seed_gives_the_same_training():
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(0)
        model = LastStepRNN(2, 4, 2)
        fit(model, sign_data(20, 0), epochs=2, batch_size=4, seed=seed, progress=False)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("progress", [True, "reader", False])
def test_the_progress_bar_changes_nothing_but_the_screen(progress, capsys):
    torch.manual_seed(0)
    model, quiet = LastStepRNN(2, 4, 2), LastStepRNN(2, 4, 2)
    quiet.load_state_dict(model.state_dict())
    history = fit(model, small_data(), small_data(), epochs=2, progress=progress)
    shown = capsys.readouterr().err
    assert history == fit(quiet, small_data(), small_data(), epochs=2, progress=False)
    assert capsys.readouterr().err == ""
    assert bool(shown) == bool(progress)
    if progress:
        assert ("reader" if progress == "reader" else "training") in shown
        assert "validation_loss=" in shown


def test_a_run_that_stops_early_fills_its_bar(capsys):
    model = LastStepRNN(2, 4, 2)
    history = fit(model, small_data(), small_data(), epochs=50, patience=1, learning_rate=10.0)
    epochs = len(history.train_loss)
    assert epochs < 50
    assert f"{epochs}/{epochs}" in capsys.readouterr().err


def test_max_length_pads_every_batch():
    lengths: list[int] = []

    class Watched(LastStepRNN):
        def forward(self, inputs, of):
            lengths.append(inputs.shape[1])
            return super().forward(inputs, of)

    fit(
        Watched(2, 4, 2),
        sign_data(12, 0),
        sign_data(6, 1),
        epochs=1,
        batch_size=4,
        max_length=9,
        progress=False,
    )
    assert lengths == [9] * 5


def test_impossible_wishes():
    model, data, none = (
        LastStepRNN(2, 4, 2),
        small_data(),
        SequenceDataset([], torch.ones(0).long()),
    )
    with pytest.raises(ValueError, match="patience needs a validation set"):
        fit(model, data, patience=3, progress=False)
    for bucket in (False, True):
        with pytest.raises(ValueError, match="the training set is empty"):
            fit(model, none, bucket=bucket, progress=False)
    with pytest.raises(ValueError, match="the data set is empty"):
        evaluate(model, none)
    with pytest.raises(ValueError, match=r"lengths\[1\] is 3, but the batch has only 2 steps"):
        evaluate(model, data, max_length=2)


@pytest.mark.parametrize("bucket", [False, True])
def test_the_caller_s_random_numbers_are_left_alone(bucket):
    model, data = LastStepRNN(2, 4, 2), small_data()
    before = torch.get_rng_state()
    fit(model, data, data, epochs=1, bucket=bucket, progress=False)
    evaluate(model, data)
    assert torch.equal(torch.get_rng_state(), before)


def test_numbers_that_would_turn_training_round():
    model, data = LastStepRNN(2, 4, 2), small_data()
    for option in ({"clip": -1.0}, {"epochs": -1}, {"batch_size": 0}, {"patience": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(option))} is "):
            fit(model, data, data, progress=False, **option)


def test_a_target_that_is_no_class():
    batch = collate([(torch.zeros(2, 1), torch.tensor(5))])
    with pytest.raises(ValueError, match="is 5, expected a class from 0 to 2"):
        class_loss(torch.zeros(1, 3), batch)
