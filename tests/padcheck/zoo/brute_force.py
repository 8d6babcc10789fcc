"""A judge that knows nothing of padcheck: run every sequence alone, and padded in many ways."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.entries import Problem, Ragged, Specimen

# (pads more in the main input, pads more in the others, size of the padding's numbers)
WAYS = [(0, 0, 1.0), (0, 2, 1.0), (1, 0, 1.0), (3, 1, 1000.0), (8, 5, 1.0), (30, 11, 1.0)]

# Smaller results are rounding alone.
NOTHING = 1e-6


@dataclass(frozen=True)
class Judgement:
    """How far padding moves the results and the parameters' gradients, and where most."""

    outputs: float
    gradients: float
    where: str
    tolerance: float
    size: float
    """The largest real result, alone and without padding."""

    @property
    def deviation(self) -> float:
        return max(self.outputs, self.gradients)

    @property
    def right(self) -> bool:
        return self.deviation <= self.tolerance


@dataclass(frozen=True)
class Run:
    """Real results of some rows, and the gradients of a fixed combination of them."""

    results: list[Tensor]
    gradients: list[Tensor]


def brute_force(specimen: Specimen, model: Any, problem: Problem) -> Judgement:
    """Compare all padded runs with runs of each sequence alone, without any padding."""
    judge = _Judge(specimen, model, problem)
    rows = range(len(problem.main.rows))
    alone = [judge.run([row], way=None) for row in rows]
    pairs = [
        (judge.run([row], way, number), alone[row], f"row {row} padded by {way}")
        for number, way in enumerate(WAYS)
        for row in rows
    ]
    batches = [judge.run(rows, way, number) for number, way in enumerate(WAYS)]
    choices = []
    for weights in judge.weightings():
        expected = judge.together(alone, weights)
        together = [
            (found, expected, f"the batch padded by {way}")
            for found, way in zip(batches, WAYS, strict=True)
        ]
        choices.append(_worst(pairs + together, specimen.tolerance))
    return min(choices, key=lambda choice: choice.deviation)


def _worst(pairs: list[tuple[Run, Run, str]], tolerance: float) -> Judgement:
    found = [
        (distance(a.results, b.results), distance(a.gradients, b.gradients), where)
        for a, b, where in pairs
    ]
    worst = max(found, key=lambda three: max(three[:2]))
    outputs, gradients = max(o for o, _, _ in found), max(g for _, g, _ in found)
    size = max(float(result.abs().max()) for _, run, _ in pairs for result in run.results)
    return Judgement(outputs, gradients, worst[2], tolerance, size)


def distance(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Largest difference over the largest size; infinite where only one side is finite."""
    if not expected:
        return 0.0
    a = torch.cat([t.detach().double().flatten() for t in found])
    b = torch.cat([t.detach().double().flatten() for t in expected])
    if a.shape != b.shape or not torch.equal(a.isfinite(), b.isfinite()):
        return math.inf
    a, b = a[a.isfinite()], b[b.isfinite()]
    if not len(b) or torch.equal(a, b):
        return 0.0
    return float((a - b).abs().max() / b.abs().max().clamp(min=NOTHING))


class _Judge:
    def __init__(self, specimen: Specimen, model: Any, problem: Problem) -> None:
        self.specimen, self.model = specimen, copy.deepcopy(model)
        if isinstance(self.model, nn.Module):
            self.model.to(specimen.real_dtype).train(specimen.mode == "train")
            for module in self.model.modules():
                _without_dropout(module)
        wide = specimen.real_dtype == torch.float64
        extras = tuple(_double(e) if wide else e for e in problem.extras)
        self.problem = Problem(problem.main.double() if wide else problem.main, extras)
        self.steps = max(map(len, problem.main.rows)) + problem.spare

    def run(self, rows: Sequence[int], way: tuple[int, int, float] | None, number: int = 0) -> Run:
        """Some rows in one batch, without padding (``way=None``) or with some."""
        arguments = self._arguments(rows, way, torch.Generator().manual_seed(number))
        with _surroundings(self.specimen):
            result = self._call(*arguments)
        results = self._real(result, rows)
        leaves = [p for p in _parameters(self.model) if p.requires_grad]
        combined = sum((self._weights(r, i) * r).sum() for r, i in zip(results, rows, strict=False))
        if not leaves or not combined.requires_grad:
            return Run(results, [])
        found = torch.autograd.grad(combined, leaves, allow_unused=True)
        gradients = [
            torch.zeros_like(leaf) if g is None else g
            for g, leaf in zip(found, leaves, strict=True)
        ]
        return Run(results, gradients)

    def together(self, alone: list[Run], weights: Tensor | None) -> Run:
        """What the batch must give: all results, and the sum (for a loss: weighted) of them."""
        if weights is None:
            results = [result for run in alone for result in run.results]
            weights = torch.ones(len(alone))
        else:
            results = [sum(w * run.results[0] for w, run in zip(weights, alone, strict=True))]
        columns = zip(*(run.gradients for run in alone), strict=True)
        gradients = [sum(w * g for w, g in zip(weights, column, strict=True)) for column in columns]
        return Run(results, gradients)

    def weightings(self) -> list[Tensor | None]:
        """What each sequence may count in a loss: as much as any, as its steps, as it is said."""
        if self.specimen.kind != "loss":
            return [None]
        if self.specimen.weights is not None:
            own = self.specimen.weights(self.problem).double()
            return [own / own.sum()]
        inputs = [self.problem.main, *(e for e in self.problem.extras if isinstance(e, Ragged))]
        counts = [torch.ones(len(self.problem.main.rows)).double()]
        counts += [ragged.lengths.double() for ragged in inputs]
        return [counts[0], *(count / count.sum() for count in counts)]

    def _arguments(
        self, rows: Sequence[int], way: tuple[int, int, float] | None, generator: torch.Generator
    ) -> list[Tensor]:
        side, main = self.specimen.side, self.problem.main.take(rows)
        more, others, size = way or (0, 0, 1.0)
        steps = max(map(len, main.rows))
        if way is not None:
            limit = math.inf if self.specimen.limit is None else self.steps + self.specimen.limit
            steps = min(self.steps + more, limit)
        arguments = [main.padded(steps, generator, size, side), main.lengths]
        for extra in self.problem.extras:
            if isinstance(extra, Tensor):
                arguments.append(extra[list(rows)])
                continue
            part = extra.take(rows)
            own = steps if extra.shared else max(map(len, part.rows)) + others
            arguments.append(part.padded(own, generator, size, side))
            if not extra.shared:
                arguments.append(part.lengths)
        return arguments

    def _call(self, *arguments: Tensor) -> Tensor:
        call = self.specimen.call
        result = self.model(*arguments) if call is None else call(self.model, *arguments)
        return result[0] if isinstance(result, tuple) else result

    def _real(self, result: Tensor, rows: Sequence[int]) -> list[Tensor]:
        if self.specimen.kind == "loss":
            return [result]
        if self.specimen.kind == "vector":
            return list(result)
        own = [e for e in self.problem.extras if isinstance(e, Ragged) and not e.shared]
        lengths = [part.take(rows).lengths for part in (self.problem.main, *own)]
        counts = (self.specimen.out_lengths or (lambda n, *_: n))(*lengths).tolist()
        if self.specimen.side == "left":
            return [row[len(row) - n :] for row, n in zip(result, counts, strict=True)]
        return [row[:n] for row, n in zip(result, counts, strict=True)]

    def _weights(self, result: Tensor, row: int) -> Tensor:
        if self.specimen.kind == "loss":
            return torch.ones_like(result)
        generator = torch.Generator().manual_seed(row)
        return torch.randn(result.shape, generator=generator, dtype=torch.float64)


def _double(extra: Ragged | Tensor) -> Ragged | Tensor:
    if isinstance(extra, Tensor):
        return extra.double() if extra.is_floating_point() else extra
    return extra.double()


def _parameters(model: Any) -> list[nn.Parameter]:
    return list(model.parameters()) if isinstance(model, nn.Module) else []


def _without_dropout(module: nn.Module) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        return
    if isinstance(module, nn.Dropout):
        module.p = 0.0
    elif isinstance(getattr(module, "dropout", None), float):
        module.dropout = 0.0


@contextlib.contextmanager
def _surroundings(specimen: Specimen) -> Iterator[None]:
    """New tensors have the judge's precision; dropout and sampling, where there is any, rest."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(specimen.real_dtype)
    try:
        with contextlib.ExitStack() as stack:
            if specimen.noisy or specimen.mode == "train":
                stack.enter_context(mock.patch.object(F, "dropout", _kept))
                stack.enter_context(mock.patch.object(torch, "randn_like", _constant))
                stack.enter_context(mock.patch.object(torch, "rand_like", _constant))
                stack.enter_context(mock.patch.object(torch, "bernoulli", _likely))
            yield
    finally:
        torch.set_default_dtype(before)


def _kept(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x


def _constant(x: Tensor, **_: Any) -> Tensor:
    return torch.full_like(x, 0.3)


def _likely(x: Tensor, **_: Any) -> Tensor:
    return (x > 0.5).to(x)
