"""Put a specimen to padcheck, as its owner would."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils.padcheck import Padded, Report, Unpadded, padcheck
from zoo.entries import Extra, Problem, Specimen


def ask(specimen: Specimen, seed: int) -> Report:
    """padcheck's report on the specimen's model with this seed's weights and sequences."""
    return ask_about(specimen, *specimen.draw(seed), seed)


def ask_about(specimen: Specimen, model: Any, problem: Problem, seed: int = 0) -> Report:
    """padcheck's report on a model and sequences that were drawn before."""
    generator = torch.Generator().manual_seed(seed)
    steps = max(map(len, problem.main.rows)) + problem.spare
    inputs = problem.main.padded(steps, generator, side=specimen.side)
    lengths = problem.main.lengths

    def declared(extra: Extra) -> Padded | Unpadded:
        if isinstance(extra, Tensor):
            return Unpadded(extra)
        if extra.shared:
            values = extra.padded(steps, generator, side=specimen.side)
            return Padded(values, lengths, pad=extra.pad)
        own = extra.lengths
        return Padded(extra.padded(int(own.max()), generator), own, pad=extra.pad)

    return padcheck(
        model, inputs, lengths, *map(declared, problem.extras), call=specimen.call,
        out_lengths=specimen.out_lengths, padding_side=specimen.side,
        pad_marker=problem.main.pad, mode=specimen.mode, seed=seed, **specimen.options,
    )  # fmt: skip


def cause_of(report: Report) -> str | None:
    """The name of the likely cause, None where there is none."""
    return report.cause and report.cause.name
