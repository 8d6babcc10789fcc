"""Random and nonsensical calls of data, models, gradients by hand and graphs."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch
from random_inputs import (
    FEW_OR_ALL,
    FLOATS,
    Case,
    as_lengths,
    lengths_at_most,
    need,
    numbers,
    try_out,
)
from test_random_sequences import SIDES, pad_batch, the_lengths, whole
from torch import Tensor, nn

from course_utils import backprop as b
from course_utils import data, models
from course_utils import graphs as g
from course_utils.parallel import shares


def floats(value: Any) -> Tensor:
    need(isinstance(value, Tensor) and value.is_floating_point())
    return value.detach()


# --- data ------------------------------------------------------------------------------------


def draw_small_batch(rng):
    lengths = lengths_at_most(rng, 5, rng.randint(0, 4))
    options = {"seed": rng.randint(0, 9), "dtype": rng.choice(FLOATS)}
    return [as_lengths(rng, lengths), rng.randint(0, 4)], options


def small_batch(lengths, features=10, *, seed=0, dtype=torch.float32):
    need(isinstance(dtype, torch.dtype) and dtype.is_floating_point)
    generator, width = torch.Generator().manual_seed(whole(seed, 0)), whole(features, 0)
    found = the_lengths(lengths)
    return [torch.randn(n, width, generator=generator, dtype=dtype) for n in found]


def draw_token_budget(rng):
    lengths = lengths_at_most(rng, 6, rng.randint(0, 8))
    return [as_lengths(rng, lengths), rng.randint(max(lengths, default=1), 20)], {}


def token_budget(lengths, max_cells):
    found, budget, batches = the_lengths(lengths), whole(max_cells, 0), []
    for i, n in enumerate(found):
        need(n <= budget)
        together = [*batches[-1], i] if batches else []
        if together and max(found[j] for j in together) * len(together) <= budget:
            batches[-1] = together
        else:
            batches.append([i])
    return batches


def collated(items, max_length=None, padding_side="right"):
    return list(data.collate(items, max_length=max_length, padding_side=padding_side))


def draw_collate(rng):
    lengths, width = lengths_at_most(rng, 5, rng.randint(1, 4)), rng.randint(0, 3)
    shape = rng.choice([None, (), (2,)])
    sequences = [numbers(rng, (n, width), torch.float32) for n in lengths]
    targets = [
        numbers(rng, () if shape is None else (n, *shape), torch.float64 if shape else torch.int64)
        for n in lengths
    ]
    items = list(zip(sequences, targets, strict=True))
    return [items, rng.choice([None, 7]), rng.choice(SIDES)], {}


def collate(items, max_length=None, padding_side="right"):
    sequences, targets = [], []
    for item in items:
        need(isinstance(item, (tuple, list)) and len(item) == 2)
        need(all(isinstance(part, Tensor) for part in item))
        sequences.append(item[0])
        targets.append(item[1])
    options = {"max_length": max_length, "padding_side": padding_side}
    inputs, single = pad_batch(sequences, **options), [t.dim() == 0 for t in targets]
    lengths = torch.tensor([len(x) for x in sequences])
    if all(single):
        dtype = targets[0].dtype
        for target in targets:
            dtype = torch.promote_types(dtype, target.dtype)
        return [inputs, lengths, torch.tensor([t.item() for t in targets], dtype=dtype)]
    need(not any(single) and all(len(t) == len(x) for t, x in zip(targets, sequences, strict=True)))
    return [inputs, lengths, pad_batch(targets, **options)]


def normalized(sequences):
    """The data itself, normalised: every result of the class in one call."""
    normalizer = data.Normalizer.fit(sequences)
    found = normalizer(data.SequenceDataset(list(sequences), torch.zeros(len(sequences))))
    return [normalizer.mean, normalizer.std, *found.sequences]


def draw_normalized(rng):
    lengths, width = lengths_at_most(rng, 5, rng.randint(1, 4), 1), rng.randint(1, 3)
    dtype = rng.choice([torch.float32, torch.float64])
    return [[numbers(rng, (n, width), dtype) for n in lengths]], {}


def normalize(sequences):
    for x in sequences:
        need(floats(x).dim() > 0 and x.shape[1:] == sequences[0].shape[1:])
        need(x.dtype == sequences[0].dtype)
    frames = torch.stack([row.detach() for x in sequences for row in x]).double()
    mean = sum(frames) / len(frames)
    spread = sum((row - mean) ** 2 for row in frames) / max(len(frames) - 1, 1)
    std = torch.where(spread > 1e-10, spread.sqrt(), 1.0)
    parts = [mean, std, *((x.detach() - mean) / std for x in sequences)]
    return [part.to(sequences[0].dtype) for part in parts]


def chosen(sequences, targets, indices):
    part = data.SequenceDataset(sequences, targets).subset(indices)
    return [part.sequences, list(part.targets)]


def draw_chosen(rng):
    count = rng.randint(1, 5)
    sequences = [numbers(rng, (rng.randint(0, 3), 2), torch.float32) for _ in range(count)]
    targets = numbers(rng, (count,), torch.int64)
    picks = [rng.randrange(count) for _ in range(rng.randint(0, 4))]
    return [sequences, rng.choice([targets, list(targets)]), picks], {}


def choose(sequences, targets, indices):
    need(len(sequences) == len(targets))
    places = [whole(i, 0) for i in indices]
    return [[sequences[i].detach() for i in places], [targets[i] for i in places]]


def bucketed(lengths, batch_size, max_cells, jitter, seed, epoch):
    sampler = data.BucketBatchSampler(
        lengths, batch_size=batch_size, max_cells=max_cells, jitter=jitter, seed=seed
    )
    sampler.set_epoch(epoch)
    size, batches = len(sampler), list(sampler)
    sampler.set_epoch(epoch)
    need(batches == list(sampler) and size == len(batches), "not the same epoch")
    found = the_lengths(lengths)
    if batch_size is not None:
        need(all(len(batch) <= batch_size for batch in batches))
        need(len(batches) == math.ceil(len(found) / batch_size))
    else:
        need(all(len(x) * max(found[i] for i in x) <= max_cells for x in batches))
    return sorted(i for batch in batches for i in batch)


def draw_bucketed(rng):
    lengths = lengths_at_most(rng, 6, rng.randint(0, 8))
    limits = [rng.randint(1, 4), None] if rng.random() < 0.5 else [None, rng.randint(6, 20)]
    return [
        as_lengths(rng, lengths), *limits, rng.choice([0, 0.25, 2.0]), rng.randint(0, 9),
        rng.randint(0, 9),
    ], {}  # fmt: skip


def bucket(lengths, batch_size, max_cells, jitter, seed, epoch):
    found = the_lengths(lengths)
    need((batch_size is None) != (max_cells is None))
    whole(batch_size if max_cells is None else max_cells, 1)
    need(max_cells is None or all(n <= max_cells for n in found))
    need(not isinstance(jitter, bool) and isinstance(jitter, (int, float)) and 0 <= jitter <= 2)
    whole(seed, 0), whole(epoch, 0)
    return list(range(len(found)))


# --- models ----------------------------------------------------------------------------------

KINDS = (models.MaskedRNN, models.LastStepRNN, models.GatherRNN, models.MeanPoolRNN)


def made(kind: type, cell: str, both: bool, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(2, 3, 2, cell=cell, bidirectional=both, num_layers=1 + seed % 2).double()


def draw_model(rng):
    kind = rng.choice(KINDS)
    both = rng.random() < 0.5 and kind is not models.GatherRNN
    steps = rng.randint(1, 5)
    lengths = lengths_at_most(rng, steps, rng.randint(1, 4), 1)
    inputs = numbers(rng, (len(lengths), steps, 2), torch.float64)
    return [made(kind, rng.choice(["rnn", "gru", "lstm"]), both, rng.randrange(99)), inputs,
            as_lengths(rng, lengths)], {}  # fmt: skip


def run(model, inputs, lengths):
    """A model's real results alone, so that nothing is said about pads."""
    output = model(inputs, lengths)
    if isinstance(model, models.MaskedRNN):
        return [row[:n] for row, n in zip(output, the_lengths(lengths), strict=True)]
    return list(output)


def by_hand(rnn: nn.RNNBase, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Outputs ``(L, ...)`` of one sequence and the final states, by PyTorch's own cells."""
    finals = []
    for layer in range(rnn.num_layers):
        outputs = []
        for end in ("", "_reverse")[: 1 + rnn.bidirectional]:
            kind = {"RNN_TANH": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}[rnn.mode]
            with torch.random.fork_rng(devices=[]):
                cell = kind(x.shape[1], rnn.hidden_size).double()
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(cell, name).data = getattr(rnn, f"{name}_l{layer}{end}").data
            state, found = None, []
            for step in reversed(x) if end else x:
                state = cell(step, state)
                found.append(state[0] if rnn.mode == "LSTM" else state)
            outputs.append(torch.stack(found[::-1] if end else found))
            finals.append(found[-1])
        x = torch.cat(outputs, 1)
    return x, finals


@torch.no_grad()
def one_at_a_time(model, inputs, lengths):
    need(floats(inputs).dim() == 3 and inputs.shape[2] == 2 and inputs.dtype == torch.float64)
    found = the_lengths(lengths, inputs.shape[1], count=len(inputs), least=1)
    need(found)
    results = []
    for row, n in zip(inputs.detach(), found, strict=True):
        outputs, finals = by_hand(model.rnn, row[:n])
        vector = {
            models.MaskedRNN: lambda o, f: o,
            models.LastStepRNN: lambda o, f: torch.cat(f[-1 - model.rnn.bidirectional :]),
            models.GatherRNN: lambda o, f: o[-1],
            models.MeanPoolRNN: lambda o, f: sum(o) / len(o),
        }[type(model)](outputs, finals)
        results.append(model.linear(vector))
    return results


def draw_run_masked(rng):
    (model, inputs, lengths), _ = draw_model(rng)
    rows = [[t < n for t in range(inputs.shape[1])] for n in the_lengths(lengths, least=1)]
    if rng.random() < 0.3:
        for row in rows:
            rng.shuffle(row)
    return [model.rnn, inputs, torch.tensor(rows)], {}


@torch.no_grad()
def run_masked(rnn, inputs, mask):
    need(floats(inputs).dim() == 3 and inputs.shape[2] == 2 and inputs.dtype == torch.float64)
    need(mask.dtype == torch.bool and mask.shape == inputs.shape[:2] and mask.numel() > 0)
    wide = rnn.hidden_size * (1 + rnn.bidirectional)
    outputs = torch.zeros(*mask.shape, wide, dtype=torch.float64)
    finals = torch.zeros(
        rnn.num_layers * (1 + rnn.bidirectional), len(inputs), rnn.hidden_size, dtype=torch.float64
    )
    for i, (row, real) in enumerate(zip(inputs.detach(), mask, strict=True)):
        if real.any():
            outputs[i, real], states = by_hand(rnn, row[real])
            finals[:, i] = torch.stack(states)
    return outputs, finals


def oracle_run(sequences, weights):
    """The oracle's loss of a fixed model."""
    model = made(models.MaskedRNN, "gru", False, 0)
    found = models.oracle(model, sequences, lambda output, i: weights[i] * output.sum())
    return [found.outputs, found.loss, [*found.gradients]]


def draw_oracle(rng):
    lengths = lengths_at_most(rng, 4, rng.randint(1, 3), 1)
    sequences = [numbers(rng, (n, 2), torch.float64) for n in lengths]
    return [sequences, [rng.uniform(0.5, 2) for _ in lengths]], {}


@torch.no_grad()
def expected_oracle(sequences, weights):
    model = made(models.MaskedRNN, "gru", False, 0)
    need(len(sequences) > 0)
    for x in sequences:
        need(floats(x).dim() == 2 and x.shape[1] == 2 and len(x) and x.dtype == torch.float64)
    outputs = [model.linear(by_hand(model.rnn, x.detach())[0]) for x in sequences]
    loss = sum(weights[i] * output.sum() for i, output in enumerate(outputs))
    return [outputs, loss, [name for name, _ in model.named_parameters()]]


def draw_share_sum(rng):
    lengths = lengths_at_most(rng, 4, rng.randint(0, 3), 1)
    sequences = [numbers(rng, (n, 2), torch.float64) for n in lengths]
    return [sequences, [numbers(rng, (n, 2), torch.float64) for n in lengths]], {}


def share_sum(sequences, targets):
    model = made(models.MaskedRNN, "gru", False, 0)
    return shares.share_sum(model, sequences, targets, 2)


@torch.no_grad()
def expected_share_sum(sequences, targets):
    model, total, count = made(models.MaskedRNN, "gru", False, 0), 0.0, 0
    need(len(sequences) == len(targets))
    for x, y in zip(sequences, targets, strict=True):
        need(floats(x).dim() == 2 and x.shape[1] == 2 and len(x) and x.dtype == torch.float64)
        need(isinstance(y, Tensor) and y.shape == x.shape and y.dtype == targets[0].dtype)
        output = model.linear(by_hand(model.rnn, x.detach())[0])
        total, count = total + float((output - y).square().sum()), count + len(x)
    return torch.tensor(total, dtype=torch.float64), count


def draw_share_by_tokens(rng):
    lengths = lengths_at_most(rng, 9, rng.randint(0, 8))
    return [as_lengths(rng, lengths), rng.randint(1, 5)], {}


def share_by_tokens(lengths, devices):
    found, parts = the_lengths(lengths), [[] for _ in range(whole(devices, 1))]
    for i in sorted(range(len(found)), key=lambda i: (-found[i], i)):
        min(parts, key=lambda part: sum(found[j] for j in part)).append(i)
    return [sorted(part) for part in parts]


def draw_scaled_loss(rng):
    total, counts = numbers(rng, (), torch.float64), [rng.randint(0, 5) for _ in range(3)]
    return [total, torch.tensor(counts)], {}


def scaled_loss(error_sum, counts):
    need(floats(error_sum).dim() == 0)
    steps = the_lengths(counts)
    need(steps)
    return error_sum.detach() * (len(steps) / max(sum(steps), 1))


# --- gradients by hand -----------------------------------------------------------------------


def network(rng: random.Random) -> list[Tensor]:
    steps, width, hidden = rng.randint(1, 5), rng.randint(1, 3), rng.randint(1, 3)
    shapes = ((steps, width), (hidden, width), (hidden, hidden), (hidden,))
    return [numbers(rng, shape, torch.float64) / 2 for shape in shapes]


def fitting(x, w_x, w_h, bias):
    need(floats(x).dim() == floats(w_h).dim() == 2 and len(x) > 0)
    hidden = w_h.shape[0]
    for values, shape in ((w_x, (hidden, x.shape[1])), (w_h, (hidden, hidden)), (bias, (hidden,))):
        need(floats(values).shape == shape and values.dtype == x.dtype)


def rnn_forward(x, w_x, w_h, b, window=1):
    fitting(x, w_x, w_h, b)
    whole(window, 1)
    hidden, state, states = len(b), [0.0] * len(b), []
    for step in x.detach().tolist():
        state = [
            math.tanh(
                sum(w * v for w, v in zip(w_x[i].tolist(), step, strict=True))
                + sum(w * v for w, v in zip(w_h[i].tolist(), state, strict=True))
                + b[i].item()
            )
            for i in range(hidden)
        ]
        states.append(state)
    return torch.tensor(states, dtype=x.dtype).view(len(x), hidden)


def draw_truncated(rng):
    return [*network(rng), rng.randint(1, 6)], {}


def draw_bptt(rng):
    x, w_x, w_h, bias = (part.detach() for part in network(rng))
    states = b.rnn_forward(x, w_x, w_h, bias)
    return [numbers(rng, tuple(states.shape), torch.float64), x, states, w_h], {}


def bptt(grad_states, x, states, w_h):
    """PyTorch's gradients of the same recurrence, linearised at the states that were given."""
    hidden = floats(w_h).shape[0]
    zeros = w_h.new_zeros(hidden, floats(x).shape[1])
    fitting(x, zeros, w_h, w_h.new_zeros(hidden))
    for values in (grad_states, states):
        need(isinstance(values, Tensor) and values.shape == (len(x), hidden))
        need(values.is_floating_point())
    leaves = [t.requires_grad_() for t in (zeros, w_h.detach().clone(), w_h.new_zeros(hidden))]
    before, total = torch.zeros_like(leaves[2]), 0.0
    for t in range(len(x)):
        # tanh' is 1 - h^2; only what varies with the parameters matters, so values are restored.
        sums = leaves[0] @ x[t].detach() + leaves[1] @ before + leaves[2]
        moved = (1 - states[t].detach() ** 2) * sums
        state = states[t].detach() + moved - moved.detach()
        total = total + (grad_states[t].detach() * state).sum()
        before = state
    return torch.autograd.grad(total, leaves)


def draw_layer(rng):
    rows, width, hidden = rng.randint(1, 4), rng.randint(1, 3), rng.randint(1, 3)
    shapes = ((rows, hidden), (rows, width), (hidden, width), (hidden,))
    return [numbers(rng, shape, torch.float64) / 2 for shape in shapes], {}


def layer_backward(grad, x, weight, bias):
    for values, axes in ((grad, 2), (x, 2), (weight, 2), (bias, 1)):
        need(floats(values).dim() == axes and values.dtype == x.dtype)
    need(weight.shape == (len(bias), x.shape[1]) and grad.shape == (len(x), len(bias)))
    leaves = [part.detach().clone().requires_grad_() for part in (x, weight, bias)]
    output = torch.tanh(torch.einsum("bf,hf->bh", leaves[0], leaves[1]) + leaves[2])
    return torch.autograd.grad((output * grad.detach()).sum(), leaves)


def slope_of_squares(x, epsilon=1e-6):
    return b.numerical_gradient(lambda t: (t**2).sum(), x, epsilon)


def draw_numerical(rng):
    shape = rng.choice([(), (3,), (2, 2), (0,)])
    return [numbers(rng, shape, rng.choice([torch.float32, torch.float64])), 1e-4], {}


def squares(x, epsilon=1e-6):
    need(not isinstance(epsilon, bool) and isinstance(epsilon, (int, float)) and epsilon > 0)
    found = 2 * floats(x)
    return torch.full_like(found, math.nan) if math.isinf(epsilon) else found


def state_sizes(factors):
    """Gradients over a chain of products, from its factors; None cuts the graph."""
    states = [torch.ones((), dtype=torch.float64, requires_grad=True)]
    for factor in factors:
        if not isinstance(factor, (float, type(None))):
            raise TypeError(f"a factor is {type(factor).__name__}")
        states.append(states[-1].detach().clone() if factor is None else states[-1] * factor)
    return b.state_gradients(states)


def draw_state_sizes(rng):
    return [[rng.uniform(-2, 2) for _ in range(rng.randint(0, 5))]], {}


def products(factors):
    factors = list(factors)
    need(all(isinstance(f, float) for f in factors))
    sizes = [abs(math.prod(factors[i:])) for i in range(len(factors) + 1)]
    return torch.tensor(sizes, dtype=torch.float64)


# --- graphs ----------------------------------------------------------------------------------


def random_graph(rng: random.Random) -> tuple:
    names, operations = ["x", "y"], []
    for number in range(rng.randint(1, 6)):
        kind = rng.choice(list(g.RULES))
        count = 1 if kind in ("tanh", "square") else 2
        inputs = tuple(rng.choice(names) for _ in range(count))
        operations.append(g.Operation(f"v{number}", kind, inputs))
        names.append(f"v{number}")
    return tuple(operations)


def draw_graph(rng):
    return [random_graph(rng)], {}


def the_operations(graph):
    need(isinstance(graph, (tuple, list)))
    need(all(isinstance(operation, g.Operation) for operation in graph))
    return graph


def leaves_of(graph):
    made_here = [operation.name for operation in the_operations(graph)]
    found = []
    for operation in graph:
        found += [name for name in operation.inputs if name not in made_here]
    return list(dict.fromkeys(found))


def uses_of(graph):
    used = [name for operation in the_operations(graph) for name in operation.inputs]
    return {name: used.count(name) for name in dict.fromkeys(used)}


def gradients_through(graph, leaves):
    return dict(sorted(g.step_through(graph, leaves).gradients.items()))


def draw_steps(rng):
    graph = random_graph(rng)
    leaves = {name: numbers(rng, (), torch.float64).detach() / 3 for name in leaves_of(graph)}
    return [graph, leaves], {}


def run_graph(graph, leaves) -> dict[str, Tensor]:
    """All values, with autograd at work."""
    need(the_operations(graph))
    values = {}
    for name in leaves_of(graph):
        need(isinstance(leaves[name], Tensor) and leaves[name].dim() == 0)
        need(leaves[name].dtype == torch.float64)
        values[name] = leaves[name].detach().clone().requires_grad_()
    plain = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
             "tanh": torch.tanh, "square": lambda a: a**2}  # fmt: skip
    for operation in graph:
        need(operation.name not in values)
        values[operation.name] = plain[operation.kind](*(values[n] for n in operation.inputs))
    return values


def gradients_by_autograd(graph, leaves):
    values = run_graph(graph, leaves)
    found = torch.autograd.grad(
        values[graph[-1].name], list(values.values()), allow_unused=True, retain_graph=True
    )
    pairs = zip(values, found, strict=True)
    # What the result does not depend on may have been sent nothing.
    return dict(sorted((name, grad) for name, grad in pairs if grad is not None))


CASES = {
    "small_batch": Case(data.small_batch, draw_small_batch, small_batch),
    "token_budget_batches": Case(data.token_budget_batches, draw_token_budget, token_budget),
    "collate": Case(collated, draw_collate, collate, words=("item", "sequences", "batch")),
    "Normalizer": Case(normalized, draw_normalized, normalize, words=("measure",)),
    "SequenceDataset": Case(
        chosen, draw_chosen, choose, words=("index",), touch=("targets", "indices")
    ),
    "BucketBatchSampler": Case(bucketed, draw_bucketed, bucket),
    "models": Case(
        run, draw_model, one_at_a_time, draws=300, touch=("inputs", "lengths"),
        words=("padded",),
    ),
    "run_masked": Case(models.run_masked, draw_run_masked, run_masked, draws=200),
    "oracle": Case(
        oracle_run, draw_oracle, expected_oracle, draws=300, touch=("sequences",),
        words=("inputs",),
    ),
    "share_by_tokens": Case(shares.share_by_tokens, draw_share_by_tokens, share_by_tokens),
    "share_sum": Case(share_sum, draw_share_sum, expected_share_sum, draws=500),
    "scaled_loss": Case(shares.scaled_loss, draw_scaled_loss, scaled_loss),
    "rnn_forward": Case(b.rnn_forward, lambda rng: (network(rng), {}), rnn_forward, slopes=True),
    "rnn_forward_truncated": Case(b.rnn_forward_truncated, draw_truncated, rnn_forward),
    "bptt": Case(b.bptt, draw_bptt, bptt),
    "layer_backward": Case(b.layer_backward, draw_layer, layer_backward),
    "numerical_gradient": Case(slope_of_squares, draw_numerical, squares, touch=("x",)),
    "state_gradients": Case(state_sizes, draw_state_sizes, products, words=("states", "factor")),
    "leaves_of": Case(g.leaves_of, draw_graph, leaves_of),
    "uses_of": Case(g.uses_of, draw_graph, uses_of),
    "step_through": Case(
        gradients_through, draw_steps, gradients_by_autograd, words=("leaf", "rule", "made")
    ),
}  # fmt: skip


@FEW_OR_ALL
@pytest.mark.parametrize("name", CASES)
def test_models_and_data_answer_rightly_or_refuse(name: str, part: float):
    print(f"\n{name}: {dict(try_out(CASES[name], part))}")
