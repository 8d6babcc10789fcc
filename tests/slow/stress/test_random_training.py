"""Random training, experiments and padchecks: against loops, and refused with reason."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
import torch
from random_inputs import FEW_OR_ALL, Case, as_lengths, lengths_at_most, need, numbers, try_out
from test_random_models import made, one_at_a_time
from test_random_sequences import the_lengths, whole
from torch import Tensor, nn

from course_utils import devices, training
from course_utils.data import Batch, SequenceDataset
from course_utils.models import GatherRNN, LastStepRNN, MaskedRNN
from course_utils.padcheck import assert_padding_invariant, padcheck
from course_utils.parallel import experiments, shares
from course_utils.wrong_models import LastColumnRNN, PaddedMeanRNN

# --- losses and evaluation -------------------------------------------------------------------


def class_loss(output, targets):
    return training.class_loss(output, Batch(output, torch.ones(1).long(), targets))


def draw_class_loss(rng):
    count, classes = rng.randint(1, 4), rng.randint(1, 4)
    targets = torch.tensor([rng.randrange(classes) for _ in range(count)])
    return [numbers(rng, (count, classes), torch.float64), targets], {}


def expected_class_loss(output, targets):
    need(output.is_floating_point() and targets.dim() >= 1 and output.shape[:-1] == targets.shape)
    need(not targets.is_floating_point() and targets.dtype != torch.bool and targets.numel())
    need(not targets.is_complex())
    need(all(0 <= k < output.shape[-1] for k in targets.flatten().tolist()))
    need(targets.dim() == 1)
    logs = output.detach().double().log_softmax(-1)
    total = -sum(float(row[k]) for row, k in zip(logs, targets.tolist(), strict=True))
    return torch.tensor(total, dtype=output.dtype), len(targets)


def step_loss(output, targets, lengths):
    return training.step_mse_loss(output, Batch(output, lengths, targets))


def draw_step_loss(rng):
    steps = rng.randint(1, 4)
    lengths = lengths_at_most(rng, steps, rng.randint(1, 4), 1)
    shape = (len(lengths), steps, rng.randint(1, 3))
    values = [numbers(rng, shape, torch.float64) for _ in range(2)]
    return [*values, torch.tensor(lengths)], {}


def expected_step_loss(output, targets, lengths):
    need(isinstance(output, Tensor) and isinstance(targets, Tensor))
    need(output.shape == targets.shape and output.dim() >= 2 and output.numel())
    for values in (output, targets):
        need(not values.is_complex() and values.dtype != torch.bool)
    found = the_lengths(lengths, output.shape[1], count=len(output))
    need(sum(found))
    errors = (output.detach().double() - targets.detach().double()) ** 2
    total = sum(float(row[:n].flatten(1).mean(1).sum()) if row.dim() > 1 else float(row[:n].sum())
                for row, n in zip(errors, found, strict=True))  # fmt: skip
    dtype = torch.promote_types(output.dtype, targets.dtype)
    return torch.tensor(total, dtype=dtype if dtype.is_floating_point else torch.float32), sum(
        found
    )


def evaluated(lengths, batch_size, max_length):
    """Loss, outputs, accuracy and confusion of a fixed model."""
    sequences = [numbers(random.Random(i), (n, 2), torch.float64).detach()
                 for i, n in enumerate(the_lengths(lengths))]  # fmt: skip
    data = SequenceDataset(sequences, torch.arange(len(sequences)) % 2)
    found = training.evaluate(
        made(LastStepRNN, "gru", False, 1), data, batch_size=batch_size, max_length=max_length
    )
    return [found.loss, found.outputs, found.accuracy, found.confusion(2)]


def draw_evaluated(rng):
    lengths = lengths_at_most(rng, 5, rng.randint(1, 7), 1)
    return [lengths, rng.randint(1, 8), rng.choice([None, 5, 7])], {}


def expected_evaluation(lengths, batch_size, max_length):
    found, model = the_lengths(lengths, least=1), made(LastStepRNN, "gru", False, 1)
    need(found and whole(batch_size, 1))
    need(max_length is None or whole(max_length, max(found)))
    outputs, loss, right, table = [], 0.0, 0, torch.zeros(2, 2, dtype=torch.int64)
    for i, n in enumerate(found):
        row = numbers(random.Random(i), (n, 2), torch.float64).detach()
        outputs += one_at_a_time(model, row[None], [n])
        loss -= float(outputs[-1].log_softmax(0)[i % 2]) / len(found)
        guess = int(outputs[-1][1] > outputs[-1][0])
        right, table[i % 2, guess] = right + (guess == i % 2), table[i % 2, guess] + 1
    return [loss, outputs, right / len(found), table]


def fitted(lengths, epochs, learning_rate, batch_size, clip, patience, bucket):
    """How often and on what a model was trained; the weights move unless the rate is 0."""
    data = SequenceDataset([torch.ones(n, 2).double() for n in the_lengths(lengths)],
                           torch.arange(len(lengths)) % 2)  # fmt: skip
    model, seen = made(LastStepRNN, "rnn", False, 0), []
    before = torch.cat([p.detach().flatten() for p in model.parameters()])

    def loss(output, batch):
        seen.extend(batch.lengths.tolist() if torch.is_grad_enabled() else [])
        return training.class_loss(output, batch)

    history = training.fit(
        model, data, data, epochs=epochs, learning_rate=learning_rate, batch_size=batch_size,
        clip=clip, patience=patience, bucket=bucket, loss=loss, progress=False,
    )  # fmt: skip
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    done = len(history.train_loss)
    need(
        len(history.validation_loss) == done and sorted(seen) == sorted(the_lengths(lengths) * done)
    )
    need(patience is not None or done == epochs)
    need(bool(after.isfinite().all()) and (history.best_epoch < 1 or not before.equal(after)))
    return "trained"


def draw_fitted(rng):
    return [
        lengths_at_most(rng, 4, rng.randint(1, 5), 1), rng.randint(0, 2), rng.choice([0.0, 0.01]),
        rng.randint(1, 6), rng.choice([0.5, float("inf")]), rng.choice([None, 1]),
        rng.random() < 0.5,
    ], {}  # fmt: skip


def expected_fit(lengths, epochs, learning_rate, batch_size, clip, patience, bucket):
    need(the_lengths(lengths, least=1) and len(lengths))
    whole(epochs, 0), whole(batch_size, 1), patience is None or whole(patience, 1)
    need(learning_rate >= 0 and clip > 0 and not isinstance(clip, bool))
    return "trained"


# --- shares and experiments of a single process ----------------------------------------------


@pytest.fixture(scope="module")
def alone():
    """A group of one process."""
    with experiments.joined() as device:
        yield device


def draw_moments(rng):
    return [numbers(rng, (rng.randint(1, 5), rng.randint(1, 3)), torch.float64)], {}


def moments(frames):
    need(isinstance(frames, Tensor) and frames.is_floating_point() and frames.dim() == 2)
    need(len(frames))
    rows = frames.detach().double()
    mean = sum(rows) / len(rows)
    std = (sum((row - mean) ** 2 for row in rows) / len(rows)).sqrt()
    return mean.to(frames.dtype), std.to(frames.dtype)


def draw_gather(rng):
    steps = rng.randint(1, 4)
    lengths = lengths_at_most(rng, steps, rng.randint(1, 4))
    return [numbers(rng, (len(lengths), steps, 2), torch.float64), as_lengths(rng, lengths)], {}


def gather(values, lengths):
    need(isinstance(values, Tensor) and values.dim() >= 2)
    found = the_lengths(lengths, values.shape[1], count=len(values))
    return [row[:n].detach() for row, n in zip(values, found, strict=True) if n]


def counted(count):
    return shares.gather_counts(count, torch.device("cpu"))


def expected_count(count):
    return torch.tensor([whole(count, 0)])


def experiment(lengths, seed, name):
    problem = experiments.example_problem(lengths, seed)
    problem["batches"] = [[[i] for i in range(len(problem["sequences"]))]]
    found = experiments.EXPERIMENTS[name](problem, torch.device("cpu"))
    return {"averages": lambda: found["scaled sums"], "rounds_together": lambda: found[0],
            "rounds_joined": lambda: found[0]}.get(name, lambda: found)()  # fmt: skip


NAMES = ("averages", "with_ddp", "gathered", "rounds_together", "rounds_joined")


def draw_experiment(rng):
    return [lengths_at_most(rng, 4, rng.randint(1, 4), 1), rng.randint(0, 9), rng.choice(NAMES)], {}


def expected_experiment(lengths, seed, name):
    """One sequence at a time; rounds have one sequence each, the first is looked at."""
    the_lengths(lengths, least=1), whole(seed, 0)
    problem = experiments.example_problem(lengths, seed)
    model, total, count = experiments.build_model(problem), 0.0, 0
    rows = list(zip(problem["sequences"], problem["targets"], strict=True))
    need(rows)
    if name == "gathered":
        return [model(x[None], [len(x)])[0].detach() for x, _ in rows]
    for x, y in rows[:1] if name.startswith("rounds") else rows:
        total = total + (model(x[None], [len(x)])[0] - y).square().sum()
        count += len(x)
    named = dict(model.named_parameters())
    return dict(zip(named, torch.autograd.grad(total / count, list(named.values())), strict=True))


# --- devices and padcheck --------------------------------------------------------------------


def device_of(name):
    before = os.environ.get("COURSE_DEVICE")
    os.environ["COURSE_DEVICE"] = name
    try:
        return str(devices.get_device())
    finally:
        os.environ.pop("COURSE_DEVICE")
        if before is not None:
            os.environ["COURSE_DEVICE"] = before


def draw_device(rng):
    return [rng.choice(["cpu", "meta", "cpu:0"])], {}


def expected_device(name):
    need(name in ("cpu", "meta", "cpu:0", ""))
    return name or "cpu"


def checked(model, inputs, lengths, *extra, **options):
    report = padcheck(model, inputs, lengths, *extra, **options)
    if report.ok:
        assert_padding_invariant(model, inputs, lengths, *extra, **options)
    return [report.ok, "meaning" in str(report) or bool(report.headline)]


def draw_checked(rng):
    lengths = [rng.randint(1, 3), 5, *(rng.randint(1, 5) for _ in range(rng.randint(0, 2)))]
    rng.shuffle(lengths)
    kind = rng.choice([MaskedRNN, LastStepRNN, GatherRNN, LastColumnRNN, PaddedMeanRNN])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.randrange(99))
        model = kind(2, 3, 2)
    inputs = numbers(rng, (len(lengths), 5, 2), torch.float64).detach()
    options = {"mode": rng.choice(["eval", "train"]), "seed": rng.randint(0, 9),
               "dtype": torch.float64, "padding_side": "right"}  # fmt: skip
    return [model, inputs, as_lengths(rng, lengths)], options


def verdict(model, inputs, lengths, **options):
    need(isinstance(inputs, Tensor) and inputs.is_floating_point() and inputs.shape[2:] == (2,))
    need(inputs.dim() == 3 and isinstance(model, nn.Module))
    need(len(set(the_lengths(lengths, inputs.shape[1], count=len(inputs), least=1))) > 1)
    need(options["mode"] in ("eval", "train") and options["padding_side"] == "right")
    need(options["dtype"].is_floating_point)
    whole(options["seed"], 0)
    return [isinstance(model, (MaskedRNN, LastStepRNN, GatherRNN)), True]


CASES: dict[str, Case] = {
    "class_loss": Case(class_loss, draw_class_loss, expected_class_loss,
                       words=("logits", "target")),
    "step_mse_loss": Case(step_loss, draw_step_loss, expected_step_loss,
                          words=("prediction", "batch", "mask")),
    "evaluate": Case(evaluated, draw_evaluated, expected_evaluation, draws=200,
                     touch=("batch_size", "max_length")),
    "fit": Case(fitted, draw_fitted, expected_fit, draws=150, words=("lr", "learning rate"), touch=(
        "epochs", "learning_rate", "batch_size", "clip", "patience")),
    "global_moments": Case(shares.global_moments, draw_moments, moments),
    "gather_padded": Case(shares.gather_padded, draw_gather, gather),
    "gather_counts": Case(counted, lambda rng: ([rng.randint(0, 99)], {}), expected_count),
    "experiments": Case(experiment, draw_experiment, expected_experiment, draws=150,
                        touch=("lengths", "seed")),
    "get_device": Case(device_of, draw_device, expected_device),
    "padcheck": Case(checked, draw_checked, verdict, draws=60, touch=(
        "inputs", "lengths", "mode", "dtype", "padding_side", "seed")),
}  # fmt: skip


@FEW_OR_ALL
@pytest.mark.parametrize("name", CASES)
def test_training_and_checks_answer_rightly_or_refuse(name: str, part: float, alone: Any):
    print(f"\n{name}: {dict(try_out(CASES[name], part))}")
