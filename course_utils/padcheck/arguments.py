"""What the caller asks for: checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from course_utils.checks import check_count, check_number
from course_utils.padcheck.batches import Batch
from course_utils.padcheck.losses import REDUCTIONS
from course_utils.padcheck.probe import Kind
from course_utils.sequences import Lengths, Side, check_lengths


@dataclass(frozen=True)
class Options:
    """How to ask: see :func:`padcheck`."""

    call: Callable[..., Any]
    output: Kind | None
    reduction: str | None
    padding_side: Side
    pad_marker: float | None
    mode: Literal["eval", "train"]
    dtype: torch.dtype
    seed: int


def check_arguments(
    model: Any, inputs: Any, lengths: Lengths, extra: tuple, options: Options
) -> Batch:
    """The batch as given, or one sentence about what is wrong with the call.

    Raises:
        TypeError, ValueError: a model that cannot be called, inputs, lengths or extras that do
            not fit together, equal lengths, another device, or an unknown option.
    """
    if not callable(model):
        raise TypeError(f"model is a {type(model).__name__}, expected a module or a function")
    if not isinstance(inputs, Tensor) or inputs.dim() < 2 or inputs.is_complex():
        got = tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
        raise ValueError(
            f"inputs are {got}, expected a tensor: floats (B, T, F) or token ids (B, T)"
        )
    lengths = check_lengths(lengths, inputs.shape[1], batch_size=len(inputs), min_length=1)
    if len(lengths.unique()) < 2:
        raise ValueError(
            "all lengths are equal, so this batch shows no effect of padding: pass sequences of "
            "at least two different lengths"
        )
    for i, tensor in enumerate(extra):
        if not isinstance(tensor, Tensor) or tensor.dim() == 0 or len(tensor) != len(inputs):
            got = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise ValueError(
                f"extra[{i}] is {got}, expected a tensor with {len(inputs)} rows like the inputs: "
                "put anything else into call="
            )
    _check_choices(options)
    _check_device(model, inputs)
    side = options.padding_side
    given = Batch(inputs, lengths, extra, side)
    if not inputs.is_floating_point() and len(inputs[given.real].unique()) < 2:
        raise ValueError(
            "all real token ids are the same, so padding cannot be told from them: pass at least "
            "two different ids"
        )
    return given


def _check_choices(options: Options) -> None:
    for name, value, choices in (
        ("output", options.output, (None, "steps", "vector", "loss")),
        ("reduction", options.reduction, (None, *REDUCTIONS)),
        ("padding_side", options.padding_side, ("right", "left")),
        ("mode", options.mode, ("eval", "train")),
    ):
        if not isinstance(value, (str, type(None))) or value not in choices:
            named = ", ".join(repr(choice) for choice in choices if choice is not None)
            raise ValueError(f"{name} is {value!r:.40}, expected one of {named}")
    if not isinstance(options.dtype, torch.dtype) or not options.dtype.is_floating_point:
        raise ValueError(f"dtype is {options.dtype!r:.40}, expected a floating-point type")
    check_count(options.seed, "seed")
    if options.pad_marker is not None:
        check_number(options.pad_marker, "pad_marker", above=-math.inf)


def _check_device(model: Any, inputs: Tensor) -> None:
    devices = {p.device for p in model.parameters()} if isinstance(model, nn.Module) else set()
    if devices and inputs.device not in devices:
        homes = sorted(map(str, devices))
        raise ValueError(
            f"the model is on {', '.join(homes)} and the inputs are on {inputs.device}: move one "
            f"of them, for example inputs.to({homes[0]!r})"
        )
