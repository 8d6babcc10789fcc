"""Every operation of a run: hooks tell which module is at work, a function mode what it does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.padcheck.batches import Batch
from course_utils.padcheck.probe import Probe, combine, flat_tensors, hookable


@dataclass
class Value:
    """A tensor met in a run: the live one for gradients, and what it held at that time."""

    tensor: Tensor
    content: Tensor
    gradient: Tensor | None = None


@dataclass(frozen=True)
class Event:
    """One operation: its name, the module it ran in, its arguments and its values by number."""

    name: str
    module: nn.Module | None
    path: str
    args: tuple
    kwargs: Mapping[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Trace(TorchFunctionMode):
    """Records what happens while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.values: list[Value] = []
        self.result: list[Tensor] = []
        self.result_number: int | None = None
        self._numbers: dict[int, int] = {}
        self._modules: list[tuple[str, nn.Module]] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        inputs = self._number_all((args, kwargs))
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        outputs = list(flat_tensors(args[0] if name == "__setitem__" else result))
        if outputs:
            self._add(name, args, kwargs, inputs, outputs)
        return result

    def _add(self, name, args, kwargs, inputs: tuple[int, ...], outputs: list[Tensor]) -> None:
        path, module = self._modules[-1] if self._modules else ("", None)
        numbers = tuple(self._new(tensor) for tensor in outputs)
        self.events.append(Event(name, module, path, args, kwargs, inputs, numbers))

    def number(self, tensor: Tensor) -> int | None:
        """The number of a value, None if it was not met."""
        return self._numbers.get(id(tensor))

    def _number_all(self, value: Any) -> tuple[int, ...]:
        found = []
        for tensor in flat_tensors(value):
            number = self.number(tensor)
            found.append(self._new(tensor) if number is None else number)
        return tuple(found)

    def _new(self, tensor: Tensor) -> int:
        with torch._C.DisableTorchFunction():
            self.values.append(Value(tensor, tensor.detach().clone()))
        self._numbers[id(tensor)] = len(self.values) - 1
        return len(self.values) - 1

    def _enter(self, path: str, module: nn.Module) -> Callable[..., None]:
        return lambda *_: self._modules.append((path, module))

    @contextlib.contextmanager
    def hooked(self, model: Any) -> Iterator[None]:
        """Follow which module is at work."""
        handles = []

        def leave(module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
            # An operation that Python does not see (a scripted module, say) counts as one event.
            new = [t for t in flat_tensors(output) if id(t) not in self._numbers]
            if new:
                name = type(module).__name__
                self._add(name, args, kwargs, self._number_all((args, kwargs)), new)
            self._modules.pop()

        for path, module in hookable(model):
            handles.append(module.register_forward_pre_hook(self._enter(path, module)))
            handles.append(module.register_forward_hook(leave, with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def record(probe: Probe, batch: Batch) -> Trace:
    """Run the model on a batch and note every operation."""
    trace = Trace()
    leaf = batch.inputs.clone()
    with trace.hooked(probe.model):
        inputs = leaf.requires_grad_().clone() if leaf.is_floating_point() else leaf
        with trace:
            result = probe.result(batch, inputs=inputs)
    trace.result, trace.result_number = probe.rows(result, batch), trace.number(result)
    return trace


def add_gradients(trace: Trace, rows: Tensor, seed: int) -> None:
    """How much the results of these rows depend on every value that was met."""
    generator = torch.Generator("cpu").manual_seed(seed)
    chosen = trace.result
    if len(chosen) == len(rows):
        chosen = [row for row, wanted in zip(chosen, rows.tolist(), strict=True) if wanted]
    weights = [torch.randn(row.shape, generator=generator, device="cpu") for row in chosen]
    total = combine(chosen, weights)
    values = [v for v in trace.values if v.tensor.requires_grad]
    if not total.requires_grad:
        return
    found = torch.autograd.grad(total, [v.tensor for v in values], allow_unused=True)
    for value, gradient in zip(values, found, strict=True):
        value.gradient = torch.zeros_like(value.content) if gradient is None else gradient
