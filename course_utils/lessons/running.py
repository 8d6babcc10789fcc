"""Run a function on one case: its value, its gradients, and what became of the inputs."""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn

from course_utils.lessons.compare import difference, same
from course_utils.lessons.guard import Run, run_guarded
from course_utils.lessons.solutions import Case


@dataclass(frozen=True)
class Outcome:
    """What a function made of one case: a value and gradients, or the exception that it raised.

    ``gradients`` has one entry for each tensor that wants one, in the order of
    :func:`leaf_names`, zeros where nothing arrives; it is None where no result has a history.
    ``reached`` says for which of them there is a way at all from a result.
    ``changed`` holds the positions and names of the arguments that the function changed.
    """

    value: Any
    gradients: list[Tensor] | None
    reached: tuple[bool, ...]
    changed: tuple[int | str, ...]
    run: Run


def run_case(function: Callable[..., Any], case: Case, seconds: float = 3600) -> Outcome:
    """Call a function with its own copy of a case's inputs, and take gradients where asked."""
    args, kwargs = _copied(case.args), _copied(case.kwargs)
    start = time.monotonic()
    run = run_guarded(lambda: function(*args, **kwargs), seconds)
    if _holds_itself(run.value):
        run = replace(run, value="something that holds itself")
    leaves = [leaf for _, leaf in _leaves((args, kwargs))] if case.gradients else []
    found = None
    if run.error is None and leaves:
        left = seconds - (time.monotonic() - start)
        backward = run_guarded(lambda: _gradients(run.value, leaves), left)
        found = backward.value
        printed, traces = run.printed + backward.printed, run.traces + backward.traces
        run = Run(run.value, backward.error, printed, traces)
    pairs = [*enumerate(args), *kwargs.items()]
    originals = [*case.args, *case.kwargs.values()]
    changed = (key for (key, now), was in zip(pairs, originals, strict=True) if _is_new(now, was))
    gradients, reached = _filled(found, leaves)
    if case.gradients == "reached" and gradients is not None:
        gradients = [torch.zeros_like(leaf) for leaf in leaves]
    return Outcome(_snapshot(run.value), gradients, reached, tuple(changed), run)


def same_outcome(one: Outcome, other: Outcome, exact: Collection[str] = ()) -> bool:
    """Whether two functions made the same of a case, in value, gradients and side effects."""
    if one.run.error is not None or other.run.error is not None:
        return type(one.run.error) is type(other.run.error)
    return (
        one.changed == other.changed
        and ("history" not in exact or one.reached == other.reached)
        and same(one.value, other.value, exact)
        and same(arrived(one.gradients), arrived(other.gradients))
    )


def arrived(gradients: list[Tensor] | None) -> list[Tensor] | None:
    """Gradients, or None where they are nothing but zeros: no history is needed for that."""
    return gradients if any(gradient.any() for gradient in gradients or ()) else None


def named_arguments(function: Callable[..., Any], case: Case) -> dict[str, Any]:
    """A case's arguments under the names that a function gives them."""
    names = list(inspect.signature(function).parameters)
    names += [f"argument {i + 1}" for i in range(len(names), len(case.args))]
    return dict(zip(names, case.args, strict=False)) | case.kwargs


def leaf_names(arguments: dict[str, Any]) -> list[str]:
    """Names of the tensors that want a gradient: ``x``, ``sequences[1]``, ``cell.weight_ih``."""
    return [name for top, value in arguments.items() for name, _ in _leaves(value, top)]


def _copied(value: Any) -> Any:
    """A copy in which tensors and modules are new ones; gradients are wanted as before."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) in (list, tuple):
        return type(value)(_copied(entry) for entry in value)
    if type(value) is dict:
        return {key: _copied(entry) for key, entry in value.items()}
    return _copied_module(value) if isinstance(value, nn.Module) else copy.deepcopy(value)


def _copied_module(module: nn.Module) -> nn.Module:
    """A copy whose parameters hold the same gradients: ``deepcopy`` leaves them behind."""
    copied = copy.deepcopy(module)
    for mine, theirs in zip(copied.parameters(), module.parameters(), strict=True):
        mine.grad = None if theirs.grad is None else theirs.grad.clone()
    return copied


def _holds_itself(value: Any, above: tuple[Any, ...] = ()) -> bool:
    """Whether a list, a tuple or a dictionary stands somewhere inside of itself."""
    if not isinstance(value, (list, tuple, dict)):
        return False
    if any(value is other for other in above):
        return True
    entries = value.values() if isinstance(value, dict) else value
    return any(_holds_itself(entry, (*above, value)) for entry in entries)


def _snapshot(value: Any) -> Any:
    """The value as it is now, safe from what later calls do to it."""
    try:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(_snapshot(entry) for entry in value))
        if type(value) in (list, tuple):
            return type(value)(_snapshot(entry) for entry in value)
        if type(value) is dict:
            return {key: _snapshot(entry) for key, entry in value.items()}
        return value.detach().clone() if isinstance(value, Tensor) else value
    except Exception:
        return value


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Tensors that want a gradient in nested lists, tuples, dictionaries and modules."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            yield name, value
    elif isinstance(value, nn.Module):
        for parameter, tensor in value.named_parameters():
            yield from _leaves(tensor, f"{name}.{parameter}")
    elif isinstance(value, (list, tuple)):
        for i, entry in enumerate(value):
            yield from _leaves(entry, f"{name}[{i}]")
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _leaves(entry, f"{name}[{key!r}]")


def _tensors(value: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested lists, tuples and dictionaries, with where each one stands."""
    if isinstance(value, Tensor):
        yield place, value
    elif isinstance(value, (list, tuple)):
        for i, entry in enumerate(value):
            yield from _tensors(entry, f"{place}[{i}]")
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _tensors(entry, f"{place}[{key!r}]")


def _gradients(value: Any, leaves: list[Tensor]) -> tuple[Tensor | None, ...] | None:
    """Gradients of a random combination of the results, or None where no result has a history."""
    parts = []
    for place, result in _tensors(value):
        # Each place has its own factors: they depend on no other result, nor on the keys' order.
        generator = torch.Generator("cpu").manual_seed(crc32(place.encode()))
        factors = torch.randn(result.shape, generator=generator, device="cpu").to(result)
        if result.requires_grad:
            parts.append((result * factors).sum())
    if not parts:
        return None
    return torch.autograd.grad(sum(parts), leaves, allow_unused=True)


def _filled(
    found: tuple[Tensor | None, ...] | None, leaves: list[Tensor]
) -> tuple[list[Tensor] | None, tuple[bool, ...]]:
    """Gradients with zeros where nothing arrives, and where something does."""
    if found is None:
        return None, ()
    pairs = zip(leaves, found, strict=True)
    gradients = [torch.zeros_like(leaf) if g is None else g for leaf, g in pairs]
    return gradients, tuple(g is not None for g in found)


def _is_new(now: Any, was: Any) -> bool:
    """Whether an input differs from what it was."""
    try:
        return _holds_itself(now) or difference(_plain(now), _plain(was)) is not None
    except Exception:
        return True


def _plain(value: Any) -> Any:
    """What can be compared of an input: modules as their parameters, other objects not at all."""
    if isinstance(value, nn.Module):
        return dict(value.state_dict())
    if type(value) in (list, tuple):
        return [_plain(entry) for entry in value]
    if type(value) is dict:
        return {key: _plain(entry) for key, entry in value.items()}
    return value if isinstance(value, (Tensor, int, float, str)) else None
