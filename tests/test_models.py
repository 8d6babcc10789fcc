"""Right models: one sequence at a time, masked recurrence and packing give the same numbers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from measures import assert_close
from torch import Tensor, nn

from course_utils.masked import masked_mse
from course_utils.models import (
    GatherRNN,
    LastStepRNN,
    MaskedRNN,
    MeanPoolRNN,
    RecurrentModel,
    gradients,
    oracle,
    run_masked,
)
from course_utils.sequences import lengths_of, lengths_to_mask, pad_batch

CELLS = ("rnn", "gru", "lstm")
F_IN, HIDDEN = 3, 4
SEEDS = st.integers(0, 2**31)
# One sequence, B = T, equal lengths, full rows and rows of a single step included.
LENGTHS = st.one_of(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.sampled_from([[1], [4], [3, 3, 3], [1, 2, 3], [5, 3, 7, 2]]),
)


def random_sequences(lengths: list[int], features: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, features, generator=generator, dtype=torch.float64) for n in lengths]


def same_gradients(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert_close(a[name], b[name], msg=lambda text, name=name: f"{name}: {text}")


def loop(rnn: nn.RNNBase, sequences: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """PyTorch's own layer, one sequence at a time, without lengths, masks or padding."""
    outputs, states = [], []
    for sequence in sequences:
        output, state = rnn(sequence[None])
        outputs.append(output[0])
        states.append(state[0] if isinstance(state, tuple) else state)
    return outputs, torch.cat(states, dim=1)


@settings(max_examples=6)
@given(LENGTHS, st.integers(0, 2), SEEDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_loop_masked_and_packed_agree(cell, layers, bidirectional, lengths, extra, seed):
    """Outputs at real steps, final states, a loss of both, and every parameter's gradient."""
    torch.manual_seed(seed)
    model = RecurrentModel(
        F_IN, HIDDEN, 1, cell=cell, num_layers=layers, bidirectional=bidirectional
    ).double()
    sequences = random_sequences(lengths, F_IN, seed)
    padded = pad_batch(sequences, math.pi, max_length=max(lengths) + extra)
    mask = lengths_to_mask(lengths, padded.shape[1])
    alone, alone_states = loop(model.rnn, sequences)
    at_steps = random_sequences(lengths, alone[0].shape[-1], seed + 1)
    at_states = torch.randn_like(alone_states)

    def loss(rows: list[Tensor], states: Tensor) -> Tensor:
        parts = [(row * weight).sum() for row, weight in zip(rows, at_steps, strict=True)]
        return sum(parts) + (states * at_states).sum()

    expected = loss(alone, alone_states)
    expected_gradients = gradients(expected, model)
    assert any(g.abs().max() > 1e-3 for g in expected_gradients.values())
    runs = (run_masked(model.rnn, padded, mask), model.run_packed(padded, torch.tensor(lengths)))
    for outputs, states in runs:
        assert outputs.shape == (*mask.shape, alone[0].shape[-1])
        assert not outputs[~mask].any()
        rows = [row[:n] for row, n in zip(outputs, lengths, strict=True)]
        for row, own in zip(rows, alone, strict=True):
            assert_close(row, own)
        assert_close(states, alone_states)
        found = loss(rows, states)
        assert_close(found, expected)
        same_gradients(gradients(found, model), expected_gradients)


@settings(max_examples=6)
@given(st.integers(1, 3), st.integers(1, 5), SEEDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_hole_is_as_if_the_step_were_not_there(cell, layers, bidirectional, batch, steps, seed):
    torch.manual_seed(seed)
    model = RecurrentModel(
        F_IN, HIDDEN, 1, cell=cell, num_layers=layers, bidirectional=bidirectional
    ).double()
    mask = torch.rand(batch, steps) < 0.6
    mask[:, seed % steps] = True
    inputs = torch.randn(batch, steps, F_IN, dtype=torch.float64)
    outputs, states = run_masked(model.rnn, inputs, mask)
    alone, alone_states = loop(
        model.rnn, [row[real] for row, real in zip(inputs, mask, strict=True)]
    )
    weights = [torch.randn_like(own) for own in alone]
    found = [row[real] for row, real in zip(outputs, mask, strict=True)]
    for row, own in zip(found, alone, strict=True):
        assert_close(row, own)
    assert_close(states, alone_states)
    losses = [
        sum((row * w).sum() for row, w in zip(rows, weights, strict=True)) + (h**2).sum()
        for rows, h in ((found, states), (alone, alone_states))
    ]
    same_gradients(*(gradients(loss, model) for loss in losses))


@pytest.mark.parametrize("cell", CELLS)
def test_pads_of_nan_reach_neither_outputs_nor_gradients(cell):
    model = RecurrentModel(F_IN, HIDDEN, 1, cell=cell, num_layers=2, bidirectional=True).double()
    lengths = [2, 4, 1]
    padded = pad_batch(random_sequences(lengths, F_IN, 0), math.nan, max_length=5)
    padded.requires_grad_()
    for outputs, states in (
        run_masked(model.rnn, padded, lengths_to_mask(lengths, 5)),
        model.run_packed(padded, lengths),
    ):
        loss = outputs.square().sum() + states.square().sum()
        (at_inputs,) = torch.autograd.grad(loss, padded, retain_graph=True)
        assert at_inputs[lengths_to_mask(lengths, 5)].all()
        assert not at_inputs[~lengths_to_mask(lengths, 5)].any()
        assert all(g.isfinite().all() for g in gradients(loss, model).values())


def test_a_row_without_real_steps_keeps_the_initial_state():
    rnn = nn.GRU(F_IN, HIDDEN, batch_first=True)
    outputs, states = run_masked(rnn, torch.randn(2, 3, F_IN), lengths_to_mask([0, 3]))
    assert not outputs[0].any()
    assert not states[:, 0].any()
    assert states[:, 1].all()


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_run_masked_knows_both_nonlinearities_and_layers_without_bias(nonlinearity, bias):
    rnn = nn.RNN(F_IN, HIDDEN, bias=bias, nonlinearity=nonlinearity, batch_first=True).double()
    sequences = random_sequences([4, 2], F_IN, 0)
    outputs, states = run_masked(rnn, pad_batch(sequences), lengths_to_mask([4, 2]))
    alone, alone_states = loop(rnn, sequences)
    assert_close(states, alone_states)
    assert_close(outputs[1, :2], alone[1])


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.ones(3, 2, dtype=torch.bool), ValueError, r"mask \(3, 2\) does not fit .*\(2, 3, 3"),
        (torch.ones(2, 1, dtype=torch.bool), ValueError, r"mask \(2, 1\) does not fit"),
        (torch.ones(2, 3, 1, dtype=torch.bool), ValueError, r"mask \(2, 3, 1\) does not fit"),
        (torch.ones(2, 3), TypeError, "dtype torch.float32, expected torch.bool"),
        (torch.ones(2, 3, dtype=torch.bool, device="meta"), ValueError, "the mask is on meta"),
    ],
)
def test_run_masked_refuses_other_masks(mask, error, message):
    with pytest.raises(error, match=message):
        run_masked(nn.RNN(F_IN, HIDDEN), torch.zeros(2, 3, F_IN), mask)


@pytest.mark.parametrize(
    "rnn",
    [nn.LSTM(F_IN, HIDDEN, proj_size=2), nn.GRU(F_IN, HIDDEN, num_layers=2, dropout=0.5)],
)
def test_run_masked_refuses_what_it_does_not_know(rnn):
    with pytest.raises(ValueError, match="neither projections nor dropout"):
        run_masked(rnn, torch.zeros(2, 3, F_IN), torch.ones(2, 3, dtype=torch.bool))


# --- models ----------------------------------------------------------------------------------

PER_SEQUENCE = [
    (LastStepRNN, False),
    (LastStepRNN, True),
    (GatherRNN, False),
    (MeanPoolRNN, False),
    (MeanPoolRNN, True),
]


def per_sequence_by_hand(model: RecurrentModel, sequence: Tensor) -> Tensor:
    """What the model should read, written with PyTorch's layer on a sequence without padding."""
    output = model.rnn(sequence[None])[0][0]
    forward, backward = output[:, :HIDDEN], output[:, HIDDEN:]
    if isinstance(model, MeanPoolRNN):
        return model.linear(output.mean(0))
    if model.rnn.bidirectional:
        return model.linear(torch.cat([forward[-1], backward[0]]))
    return model.linear(forward[-1])


@settings(max_examples=4)
@given(LENGTHS, st.sampled_from([1, 2]), SEEDS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("kind", "bidirectional"), PER_SEQUENCE)
def test_one_result_a_sequence(kind, bidirectional, cell, lengths, layers, seed):
    torch.manual_seed(seed)
    options = {"bidirectional": True} if bidirectional else {}
    model = kind(F_IN, HIDDEN, 2, cell=cell, num_layers=layers, **options).double()
    sequences = random_sequences(lengths, F_IN, seed)
    padded = pad_batch(sequences, 9.0, max_length=max(lengths) + 1)
    result = model(padded, torch.tensor(lengths))
    expected = torch.stack([per_sequence_by_hand(model, s) for s in sequences])
    assert result.shape == (len(lengths), 2)
    assert_close(result, expected)
    weights = torch.randn_like(result)
    same_gradients(
        gradients((result * weights).sum(), model), gradients((expected * weights).sum(), model)
    )


@settings(max_examples=5)
@given(LENGTHS, st.sampled_from([1, 3]), st.booleans(), SEEDS)
@pytest.mark.parametrize("cell", CELLS)
def test_masked_loss_of_a_batch_is_the_oracle_s(cell, lengths, features, bidirectional, seed):
    torch.manual_seed(seed)
    model = MaskedRNN(F_IN, HIDDEN, features, cell=cell, bidirectional=bidirectional).double()
    sequences = random_sequences(lengths, F_IN, seed)
    targets = random_sequences(lengths, features, seed + 1)
    inputs = pad_batch(sequences, 5.0)
    count = sum(lengths) * features
    truth = oracle(model, sequences, lambda out, i: (out - targets[i]).square().sum() / count)
    outputs = model(inputs, lengths_of(sequences))
    loss = masked_mse(outputs, pad_batch(targets, 7.0), lengths_to_mask(lengths))
    assert_close(loss.detach(), truth.loss)
    same_gradients(gradients(loss, model), truth.gradients)
    for row, alone in zip(outputs, truth.outputs, strict=True):
        assert_close(row[: len(alone)].detach(), alone)


def test_shapes_of_the_small_batch():
    inputs, lengths = torch.randn(4, 7, 10), [5, 3, 7, 2]
    outputs = MaskedRNN(10, 8)(inputs, lengths)
    assert outputs.shape == (4, 7, 1)
    model = MaskedRNN(10, 8)
    pads = ~lengths_to_mask(lengths)
    assert_close(model(inputs, lengths)[pads], model.linear.bias.expand(int(pads.sum()), 1))
    assert LastStepRNN(10, 8, 5)(inputs, lengths).shape == (4, 5)


@pytest.mark.parametrize("kind", [MaskedRNN, LastStepRNN, GatherRNN, MeanPoolRNN])
@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([4, 1], ValueError, r"lengths\[0\] is 4, but the batch has only 3 steps"),
        ([3, 0], ValueError, r"lengths\[1\] is 0: every sequence needs at least 1 real step"),
        ([3, -1], ValueError, "cannot be negative"),
        ([3.0, 1.0], TypeError, "whole numbers"),
        ([3], ValueError, "got 1 lengths for a batch of 2"),
        (torch.tensor([3, 1], device="meta"), ValueError, "lengths are on meta"),
    ],
)
def test_every_model_refuses_impossible_lengths(kind, lengths, error, message):
    with pytest.raises(error, match=message):
        kind(F_IN, HIDDEN, 2)(torch.zeros(2, 3, F_IN), lengths)


def test_models_that_do_not_exist():
    with pytest.raises(ValueError, match=r"cell is 'transformer', expected one of \['rnn', 'gru'"):
        MaskedRNN(F_IN, HIDDEN, cell="transformer")
    with pytest.raises(ValueError, match=r"two directions reads padding: use LastStepRNN"):
        GatherRNN(F_IN, HIDDEN, 2, bidirectional=True)


# --- oracle and gradients --------------------------------------------------------------------


def test_gradients_leave_grad_alone_and_give_zeros_for_unused_parameters():
    model = nn.ModuleDict({"used": nn.Linear(2, 1), "unused": nn.Linear(2, 1)})
    model["used"].bias.requires_grad_(False)
    x = torch.randn(5, 2)
    found = gradients(model["used"](x).sum(), model)
    assert set(found) == {"used.weight", "unused.weight", "unused.bias"}
    assert_close(found["used.weight"], x.sum(0, keepdim=True))
    assert not found["unused.weight"].any()
    assert all(p.grad is None for p in model.parameters())


def test_the_oracle_against_a_loop_that_accumulates_grad():
    model = LastStepRNN(F_IN, HIDDEN, 2, cell="lstm").double()
    sequences = random_sequences([4, 1, 3], F_IN, 0)
    truth = oracle(model, sequences, lambda out, i: (i + 1) * out.square().sum())
    total = 0.0
    for i, sequence in enumerate(sequences):
        loss = (i + 1) * per_sequence_by_hand(model, sequence).square().sum()
        loss.backward()
        total += loss.item()
    assert truth.loss.item() == pytest.approx(total, rel=1e-12)
    same_gradients(truth.gradients, {name: p.grad for name, p in model.named_parameters()})
    assert [tuple(out.shape) for out in truth.outputs] == [(2,)] * 3
    assert not any(out.requires_grad for out in truth.outputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_models_work_in_any_dtype(dtype):
    model = LastStepRNN(F_IN, HIDDEN, 2, cell="gru").to(dtype)
    inputs = torch.randn(2, 3, F_IN).to(dtype)
    assert model(inputs, [3, 1]).dtype == dtype
    outputs, states = run_masked(model.rnn, inputs, lengths_to_mask([3, 1]))
    assert outputs.dtype == states.dtype == dtype


def test_inputs_that_a_model_cannot_read():
    model = MaskedRNN(F_IN, HIDDEN)
    with pytest.raises(ValueError, match=rf"\(2, 3, {F_IN + 1}\), expected \(B, T, {F_IN}\)"):
        model(torch.zeros(2, 3, F_IN + 1), [3, 1])
    with pytest.raises(TypeError, match=r"torch.float64, and the layer's weights torch.float32"):
        model(torch.zeros(2, 3, F_IN, dtype=torch.float64), [3, 1])
    with pytest.raises(ValueError, match="expected one number with a history"):
        gradients(torch.zeros(()), model)


def test_gradients_can_be_asked_for_twice():
    model, inputs = nn.Linear(3, 2).double(), torch.randn(4, 3, dtype=torch.float64)
    loss = model(inputs).tanh().square().sum()
    first, second = gradients(loss, model), gradients(loss, model)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_under_autocast_the_layer_takes_what_the_layer_before_it_made():
    torch.manual_seed(0)
    model, inputs = MaskedRNN(3, 4, 2, cell="gru"), torch.randn(2, 5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(inputs.bfloat16(), [5, 3])
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), model(inputs, [5, 3]), rtol=0.05, atol=0.05)
    with pytest.raises(TypeError, match=r"torch.bfloat16, and the layer's weights torch.float32"):
        model(inputs.bfloat16(), [5, 3])
