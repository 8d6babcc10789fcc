"""Random and nonsensical calls of ``course_utils.masked`` and ``.documents``."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from random_inputs import (
    FEW_OR_ALL,
    FLOATS,
    INTEGERS,
    Case,
    lengths_at_most,
    need,
    numbers,
    poisoned,
    try_out,
)
from test_random_sequences import pad_batch, the_lengths
from torch import Tensor

from course_utils import documents as d
from course_utils import masked as m

PERS = ("token", "sequence", "step")


# --- what arguments mean ---------------------------------------------------------------------


def truths(mask: Any, values: Tensor) -> Tensor:
    """The mask at every number of the values, found by looking up every index."""
    need(isinstance(mask, Tensor) and isinstance(values, Tensor) and mask.dtype == torch.bool)
    need(min(2, values.dim()) <= mask.dim() <= values.dim())
    for axis, size in enumerate(mask.shape):
        need(size in (1, values.shape[axis]))
    found = torch.zeros(values.shape, dtype=torch.bool)
    for place in np.ndindex(*values.shape):
        own = tuple(0 if n == 1 else i for i, n in zip(place, mask.shape, strict=False))
        found[place] = bool(mask[own])
    return found


def is_zero(empty: Any) -> bool:
    """True for 0, False for "raise"; nothing else is known."""
    if isinstance(empty, str):
        need(empty == "raise")
        return False
    need(isinstance(empty, (int, float, np.number)) and not isinstance(empty, bool) and empty == 0)
    return True


def real_numbers(values: Any) -> None:
    need(isinstance(values, Tensor) and not values.is_complex())


def float_of(values: Tensor) -> torch.dtype:
    return values.dtype if values.is_floating_point() else torch.float32


def axis_of(dim: Any, values: Tensor) -> int:
    need(not isinstance(dim, (bool, np.bool_)))
    limit = max(values.dim(), 1)
    number = dim.__index__()
    need(-limit <= number < limit)
    return number % limit


def average(pairs: list[tuple[float, float]], zero: bool) -> float:
    """Mean of values with weights; only what has a weight is looked at."""
    total = sum(w for _, w in pairs)
    need(total > 0 or zero, "nothing to average")
    return sum(x * w for x, w in pairs if w) / total if total else 0.0


def weights_of(mask: Tensor, per: Any, zero: bool) -> list[list[float]]:
    """What every position counts."""
    need(isinstance(mask, Tensor) and mask.dtype == torch.bool and mask.dim() == 2)
    need(isinstance(per, str) and per in PERS)
    rows = mask.tolist()
    if per == "sequence":
        need(zero or all(any(row) for row in rows), "an empty sequence")
    else:
        need(zero or any(map(any, rows)), "an empty batch")
    columns = [[row[t] for row in rows] for t in range(mask.shape[1])]
    groups = {"token": 1, "sequence": sum(map(any, rows)), "step": sum(map(any, columns))}[per]
    weights = []
    for row in rows:
        sizes = {"token": [sum(map(sum, rows))] * len(row), "sequence": [sum(row)] * len(row),
                 "step": [sum(column) for column in columns]}[per]  # fmt: skip
        weights.append(
            [real / n / groups if real else 0.0 for real, n in zip(row, sizes, strict=True)]
        )
    return weights


# --- sensible arguments ----------------------------------------------------------------------


def draw_mask(rng: random.Random, least: int = 1) -> Tensor:
    """A mask ``(B, T)``: of lengths, or with holes; no row is empty unless ``least`` is 0."""
    steps = rng.randint(1, 5)
    count = steps if rng.random() < 0.3 else rng.randint(1, 4)
    lengths = lengths_at_most(rng, steps, count, least)
    rows = [[t < n for t in range(steps)] for n in lengths]
    if rng.random() < 0.3:
        for row in rows:
            rng.shuffle(row)
    return torch.tensor(rows)


def draw_values(rng: random.Random, mask: Tensor, shapes: Any, dtypes: Any) -> Tensor:
    shape = (*mask.shape, *rng.choice(shapes))
    return poisoned(rng, numbers(rng, shape, rng.choice(dtypes)), ~mask)


STEPS = ((), (1,), (3,), (2, 2))


def draw_expand_mask(rng):
    mask = draw_mask(rng, 0)
    values = draw_values(rng, mask, (*STEPS, (0,)), FLOATS)
    if rng.random() < 0.3:
        mask = mask[:1] if rng.random() < 0.5 else mask[:, :1]
    return [mask, values], {}


def draw_position_weights(rng):
    zero = rng.random() < 0.4
    mask = draw_mask(rng, 0 if zero else 1)
    return [mask, rng.choice(PERS)], {
        "empty": 0 if zero else "raise",
        "dtype": rng.choice([None, *FLOATS]),
    }


def position_weights(mask, per="token", *, empty="raise", dtype=None):
    need(dtype is None or (isinstance(dtype, torch.dtype) and dtype.is_floating_point))
    weights = weights_of(mask, per, is_zero(empty))
    return torch.tensor(weights, dtype=dtype or torch.float32).view(mask.shape)


def draw_masked_mean(rng):
    zero = rng.random() < 0.4
    mask = draw_mask(rng, 0 if zero else 1)
    shapes = (*STEPS, (0,)) if zero else STEPS
    values = draw_values(rng, mask, shapes, (*FLOATS, *INTEGERS, torch.bool))
    options = {"empty": 0 if zero else "raise"}
    kind = rng.randrange(3)
    if kind == 0:
        options["per"] = rng.choice(PERS)
    elif kind == 1:
        options["dim"] = 1 if not zero else rng.randrange(-1, values.dim())
    return [values, mask], options


def masked_mean(values, mask, *, dim=None, per="token", empty="raise"):
    real_numbers(values)
    zero, full = is_zero(empty), truths(mask, values)
    need(isinstance(per, str) and per in PERS)
    dtype, wide = float_of(values), values.detach().double()
    if per != "token":
        need(dim is None and mask.dim() == 2 and mask.shape == values.shape[:2])
        weights, size = weights_of(mask, per, zero), math.prod(values.shape[2:])
        cells = [(b, t) for b in range(mask.shape[0]) for t in range(mask.shape[1])]
        if size == 0:
            need(zero, "no features")
            return torch.tensor(0.0, dtype=dtype)
        total = sum(
            weights[b][t] * sum(wide[b, t].flatten().tolist()) / size
            for b, t in cells
            if weights[b][t]
        )
        return torch.tensor(float(total), dtype=dtype)
    if dim is None:
        pairs = zip(wide.flatten().tolist(), full.flatten().tolist(), strict=True)
        return torch.tensor(average(list(pairs), zero), dtype=dtype)
    return along(wide, full, axis_of(dim, values), lambda pairs: average(pairs, zero)).to(dtype)


def along(wide: Tensor, full: Tensor, axis: int, reduce: Any) -> Tensor:
    """Reduce every line along an axis by itself."""
    if wide.dim() == 0:
        return torch.tensor(reduce([(wide.item(), full.item())]), dtype=wide.dtype)
    rows, mask = wide.movedim(axis, -1), full.movedim(axis, -1)
    found = torch.zeros(rows.shape[:-1], dtype=wide.dtype)
    for place in np.ndindex(*found.shape):
        found[place] = reduce(list(zip(rows[place].tolist(), mask[place].tolist(), strict=True)))
    return found


def draw_masked_max(rng):
    zero = rng.random() < 0.4
    mask = draw_mask(rng, 0 if zero else 1)
    values = draw_values(rng, mask, STEPS, (*FLOATS, *INTEGERS))
    axis = rng.randrange(-1, values.dim()) if zero else 1
    return [values, mask], {"dim": axis, "empty": 0 if zero else "raise"}


def masked_max(values, mask, *, dim=1, empty="raise"):
    real_numbers(values)
    need(values.dtype != torch.bool)
    zero, full = is_zero(empty), truths(mask, values)

    def largest(pairs: list) -> float:
        real = [x for x, kept in pairs if kept]
        need(real or zero, "nothing to choose from")
        return math.nan if any(map(math.isnan, real)) else max(real, default=0)

    exact = values.detach().double() if values.is_floating_point() else values.long()
    return along(exact, full, axis_of(dim, values), largest).to(values.dtype)


def draw_masked_softmax(rng):
    mask = draw_mask(rng, 0)
    scores = draw_values(rng, mask, ((),), FLOATS)
    if rng.random() < 0.5:
        scores, mask = scores[:, None].expand(-1, 2, -1), mask[:, None]
    return [scores, mask], {"dim": rng.randrange(-scores.dim(), scores.dim())}


def masked_softmax(scores, mask, *, dim=-1):
    need(isinstance(scores, Tensor) and scores.is_floating_point())
    need(isinstance(mask, Tensor) and mask.dim() == scores.dim())
    full, axis = truths(mask, scores), axis_of(dim, scores)
    wide = scores.detach().double().masked_fill(~full, -math.inf)
    lines = wide.movedim(axis, -1) if wide.dim() else wide[None]
    found = torch.zeros(lines.shape, dtype=torch.float64)
    for place in np.ndindex(*lines.shape[:-1]):
        line = lines[place].tolist()
        top = max(line, default=-math.inf)
        if any(map(math.isnan, line)) or top == math.inf:
            found[place] = torch.where(torch.tensor(line) == -math.inf, 0.0, math.nan)
            found[place] = found[place].masked_fill(~full.movedim(axis, -1)[place], 0)
        elif top > -math.inf:
            powers = [math.exp(x - top) for x in line]
            found[place] = torch.tensor(powers, dtype=torch.float64) / sum(powers)
    return (found.movedim(-1, axis) if wide.dim() else found[0]).to(scores.dtype)


def draw_masked_mse(rng):
    zero = rng.random() < 0.4
    mask = draw_mask(rng, 0 if zero else 1)
    dtypes = (rng.choice([*FLOATS, *INTEGERS]),)
    prediction = draw_values(rng, mask, (rng.choice(STEPS),), dtypes)
    target = poisoned(rng, numbers(rng, tuple(prediction.shape), dtypes[0]), ~mask)
    return [prediction, target, mask], {
        "per": rng.choice(PERS),
        "empty": 0 if zero else "raise",
    }


def masked_mse(prediction, target, mask, *, per="token", empty="raise"):
    for values in (prediction, target):
        real_numbers(values)
        need(values.dtype != torch.bool)
    need(prediction.shape == target.shape)
    full = truths(mask, prediction)
    error = (prediction.detach().double() - target.detach().double()).masked_fill(~full, 0)
    found = masked_mean(error.square(), mask, per=per, empty=empty)
    dtype = torch.promote_types(prediction.dtype, target.dtype)
    return found.to(dtype if dtype.is_floating_point else torch.float32)


def draw_classes(rng):
    zero = rng.random() < 0.4
    mask, classes = draw_mask(rng, 0 if zero else 1), rng.randint(1, 4)
    logits = poisoned(rng, numbers(rng, (*mask.shape, classes), rng.choice(FLOATS)), ~mask)
    target = numbers(rng, tuple(mask.shape), rng.choice(INTEGERS)) % classes
    if rng.random() < 0.5:
        target = target.masked_fill(~mask, 77)
    return [logits, target, mask], {"empty": 0 if zero else "raise"}


def draw_cross_entropy(rng):
    args, options = draw_classes(rng)
    return args, options | {"per": rng.choice(PERS)}


def the_classes(logits: Any, target: Any, mask: Any) -> Tensor:
    """The mask at every target; at real ones stands a class."""
    need(isinstance(logits, Tensor) and isinstance(target, Tensor) and logits.dim() > 1)
    need(not target.is_floating_point() and not target.is_complex() and target.dtype != torch.bool)
    need(logits.shape[:-1] == target.shape)
    full = truths(mask, target)
    need(all(0 <= k < logits.shape[-1] for k in target[full].tolist()))
    return full


def masked_cross_entropy(logits, target, mask, *, per="token", empty="raise"):
    full = the_classes(logits, target, mask)
    need(logits.is_floating_point() and logits.shape[-1] > 0)
    losses = torch.zeros(target.shape, dtype=torch.float64)
    for place in np.ndindex(*target.shape):
        if full[place]:
            line, top = logits.detach()[place].tolist(), max(logits.detach()[place].tolist())
            log_sum = top + math.log(sum(math.exp(x - top) for x in line))
            losses[place] = log_sum - line[int(target[place])]
    return masked_mean(losses, mask, per=per, empty=empty).to(logits.dtype)


def masked_accuracy(logits, target, mask, *, empty="raise"):
    full = the_classes(logits, target, mask)
    need(not logits.is_complex() and logits.dtype != torch.bool and logits.shape[-1] > 0)
    right = torch.zeros(target.shape)
    for place in np.ndindex(*target.shape):
        if full[place]:
            line = logits.detach()[place].tolist()
            wild = [k for k, x in enumerate(line) if math.isnan(x)]
            largest = wild[0] if wild else line.index(max(line))
            right[place] = largest == int(target[place])
    return masked_mean(right, mask, empty=empty)


# --- documents -------------------------------------------------------------------------------


def draw_rows(rng):
    return [[rng.randint(1, 3) for _ in range(rng.randint(0, 3))] for _ in range(rng.randint(1, 4))]


def draw_document_ids(rng):
    rows = draw_rows(rng)
    steps = max(map(sum, rows))
    made = [torch.tensor(row, dtype=torch.long) if rng.random() < 0.3 else row for row in rows]
    return [made, rng.choice([None, steps, steps + 2])], {}


def document_ids(rows, max_length=None):
    filled = []
    for row in rows:
        lengths = the_lengths(row, least=1)
        numbered = [number for number, n in enumerate(lengths) for _ in range(n)]
        filled.append(torch.tensor(numbered, dtype=torch.int64))
    return pad_batch(filled, -1, max_length=max_length)


def draw_documents(rng):
    found = document_ids(draw_rows(rng), 10).to(rng.choice(INTEGERS[1:]))
    return [found[:, : rng.randint(1, 10)]], {}


def the_documents(documents: Any) -> list[list[int]]:
    need(isinstance(documents, Tensor) and documents.dim() == 2)
    need(documents.dtype in INTEGERS and documents.dtype.is_signed, "no room for -1")
    return documents.tolist()


def restarted_positions(documents):
    rows = []
    for row in the_documents(documents):
        positions: list[int] = []
        for t, own in enumerate(row):
            goes_on = t > 0 and row[t - 1] == own
            positions.append(positions[-1] + 1 if goes_on else 0)
        rows.append(positions)
    return torch.tensor(rows, dtype=torch.int64).view(documents.shape)


def block_diagonal_mask(documents, causal=False):
    found = torch.zeros(*documents.shape, documents.shape[-1], dtype=torch.bool)
    for b, row in enumerate(the_documents(documents)):
        for q, query in enumerate(row):
            for k, key in enumerate(row):
                found[b, q, k] = query == key != -1 and (k <= q or not causal)
    return found


def draw_block_diagonal_mask(rng):
    return [*draw_documents(rng)[0], rng.random() < 0.5], {}


def draw_packed_labels(rng):
    (documents,), _ = draw_documents(rng)
    tokens = numbers(rng, tuple(documents.shape), rng.choice(INTEGERS[1:]))
    return [tokens, documents], {}


def packed_labels(tokens, documents):
    rows = the_documents(documents)
    need(isinstance(tokens, Tensor) and tokens.dtype in INTEGERS and tokens.dtype.is_signed)
    need(tokens.shape == documents.shape)
    labels = []
    for own, row in zip(tokens.tolist(), rows, strict=True):
        following = [
            own[t + 1] if row[t] == row[t + 1] != -1 else -100 for t in range(len(row) - 1)
        ]
        labels.append([*following, -100][: len(row)])
    return torch.tensor(labels, dtype=tokens.dtype).view(tokens.shape)


CASES = {
    "expand_mask": Case(m.expand_mask, draw_expand_mask, truths),
    "position_weights": Case(m.position_weights, draw_position_weights, position_weights),
    "masked_mean": Case(m.masked_mean, draw_masked_mean, masked_mean, slopes=True),
    "masked_max": Case(m.masked_max, draw_masked_max, masked_max, slopes=True),
    "masked_softmax": Case(m.masked_softmax, draw_masked_softmax, masked_softmax, slopes=True),
    "masked_mse": Case(m.masked_mse, draw_masked_mse, masked_mse, slopes=True),
    "masked_cross_entropy": Case(
        m.masked_cross_entropy, draw_cross_entropy, masked_cross_entropy, slopes=True
    ),
    "masked_accuracy": Case(m.masked_accuracy, draw_classes, masked_accuracy),
    "document_ids": Case(
        d.document_ids, draw_document_ids, document_ids, words=("lengths", "sequences")
    ),
    "restarted_positions": Case(d.restarted_positions, draw_documents, restarted_positions),
    "block_diagonal_mask": Case(
        d.block_diagonal_mask, draw_block_diagonal_mask, block_diagonal_mask, touch=("documents",)
    ),
    "packed_labels": Case(d.packed_labels, draw_packed_labels, packed_labels),
}


@FEW_OR_ALL
@pytest.mark.parametrize("name", CASES)
def test_masked_answers_rightly_or_refuses(name: str, part: float):
    print(f"\n{name}: {dict(try_out(CASES[name], part))}")
