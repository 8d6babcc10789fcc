"""Run a copy of the model, forward and backward, and leave no trace with the caller."""

from __future__ import annotations

import contextlib
import copy
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode

from course_utils.padcheck.batches import Batch
from course_utils.sequences import unpad_batch

Kind = Literal["steps", "vector", "loss"]
Call = Callable[..., Any]


class Refused(Exception):
    """The model raised an error: the batch could not be asked about."""


@dataclass(frozen=True)
class Slopes:
    """Gradients of combinations of the real results."""

    cells: Tensor | None
    """Size of the gradient at every input cell ``(B, T)``; None where it cannot be had."""
    parameters: list[Tensor]
    """Gradient of the first combination for each parameter."""


@contextlib.contextmanager
def undisturbed(device: torch.device, seed: int) -> Iterator[None]:
    """Random state, gradient mode and warnings are the caller's again afterwards."""
    devices = [device] if device.type == "cuda" else []
    state = random.getstate()
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, state)
        stack.enter_context(torch.random.fork_rng(devices))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        # Rounding to TF32 would look like a fault at 1e-4.
        stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=False))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _copy(model: Any) -> Any:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise ValueError(
            f"the model cannot be copied ({type(error).__name__}: {_first_line(error)}), and "
            "padcheck works on a copy to leave yours as it is: pass a freshly built model"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


def flat_tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from flat_tensors(item)
    elif isinstance(value, Mapping):
        yield from flat_tensors(tuple(value.values()))


def hookable(model: Any) -> list[tuple[str, nn.Module]]:
    """All modules inside, with their paths, that take hooks: scripted ones do not."""
    named = model.named_modules() if isinstance(model, nn.Module) else ()
    return [(path, m) for path, m in named if not isinstance(m, torch.jit.ScriptModule)]


class Probe:
    """A copy of the model in one precision, ready to be asked.

    Args:
        model: a module, or any function.
        call: ``call(model, inputs, lengths, *extra)``.
        dtype: precision of its parameters and of the tensors it makes itself.
        train: run in train mode, without dropout and with fresh running statistics each time.
    """

    def __init__(self, model: Any, call: Call, dtype: torch.dtype, *, train: bool) -> None:
        self.model, self.call, self.dtype, self.train = _copy(model), call, dtype, train
        self.kind: Kind | None = None
        self.first_of_tuple = False
        self.is_module = isinstance(self.model, nn.Module)
        if self.is_module:
            self.model.to(dtype).train(train)
            for module in self.model.modules():
                _calm(module, train)
            for parameter in self.model.parameters():
                parameter.requires_grad_(parameter.is_floating_point())
        self._fresh = [(b, b.clone()) for b in self.model.buffers()] if self.is_module else []

    @property
    def parameters(self) -> list[Tensor]:
        """All parameters that can have a gradient, frozen ones included."""
        if not self.is_module:
            return []
        return [p for p in self.model.parameters() if p.requires_grad]

    def running(self) -> list[Tensor]:
        """The running statistics and other buffers after the last run, in train mode."""
        return [b.clone() for b, _ in self._fresh if b.is_floating_point()] if self.train else []

    def result(self, batch: Batch, *, grad: bool = True, inputs: Tensor | None = None) -> Tensor:
        """What the model answers: one tensor. Raises :class:`Refused` if the model raises."""
        if self.train:
            for buffer, fresh in self._fresh:
                buffer.detach_().copy_(fresh)
        given = batch.inputs.clone() if inputs is None else inputs
        extras = [extra.clone() for extra in batch.extras]
        try:
            with _default_dtype(self.dtype), torch.set_grad_enabled(grad):
                result = self.call(self.model, given, batch.lengths.clone(), *extras)
        except Exception as error:
            raise Refused(f"{type(error).__name__}: {_first_line(error)}") from error
        return self._one_tensor(result)

    def rows(self, result: Tensor, batch: Batch) -> list[Tensor]:
        """The real results: ``(L_i, ...)`` a row for steps, one tensor a row, or the loss."""
        rows, longest = len(batch.inputs), int(batch.lengths.max())
        expected = {
            "steps": result.dim() >= 2
            and len(result) == rows
            and result.shape[1] in (batch.steps, longest),
            "vector": result.dim() >= 1 and len(result) == rows,
            "loss": result.numel() == 1,
        }[self.kind]
        if not expected:
            raise ValueError(unexpected_shape(result, batch))
        if self.kind == "loss":
            return [result.reshape(())]
        if self.kind == "vector":
            return list(result.unbind(0))
        return unpad_batch(result, batch.lengths, padding_side=batch.side)

    def answers(self, batch: Batch, *, grad: bool = True) -> list[Tensor]:
        """The real results for a batch."""
        return [row.detach() for row in self.rows(self.result(batch, grad=grad), batch)]

    def differentiate(
        self, batch: Batch, combinations: Sequence[Sequence[Tensor]]
    ) -> tuple[list[Tensor], Slopes | None]:
        """Real results and the gradients of weighted sums of them, one a combination.

        The gradients are None where the results carry none.
        """
        leaf = batch.inputs.clone()
        with contextlib.ExitStack() as stack:
            if leaf.is_floating_point():
                sources = [leaf.requires_grad_()]
                result = self.result(batch, inputs=leaf.clone())
            else:
                sources = stack.enter_context(self._embeddings(leaf))
                result = self.result(batch)
        rows = self.rows(result, batch)
        clean = [row.detach() for row in rows]
        if not result.requires_grad:
            return clean, None
        cells, parameters = torch.zeros(batch.real.shape, device=leaf.device), []
        for number, weights in enumerate(combinations):
            wanted = sources + (self.parameters if number == 0 else [])
            try:
                found = torch.autograd.grad(
                    combine(rows, weights), wanted, retain_graph=True, allow_unused=True
                )
            except RuntimeError as error:
                raise Refused(f"in the backward pass, {_first_line(error)}") from error
            found = [
                torch.zeros_like(w) if g is None else g for w, g in zip(wanted, found, strict=True)
            ]
            parameters = parameters or found[len(sources) :]
            for gradient in found[: len(sources)]:
                cells = cells + _per_cell(gradient, batch)
        return clean, Slopes(cells if sources else None, parameters)

    @contextlib.contextmanager
    def nudged(self, amount: float) -> Iterator[None]:
        """Every parameter is a tiny bit larger inside: token ids themselves cannot be."""
        before = [p.detach().clone() for p in self.parameters]
        with torch.no_grad():
            for parameter in self.parameters:
                parameter.mul_(1 + amount)
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self.parameters, before, strict=True):
                    parameter.copy_(value)

    def lowers_precision(self, batch: Batch) -> bool:
        """Whether something inside computes in a lower precision than it is given."""
        watch = _PrecisionWatch(self.dtype)
        handles = [
            module.register_forward_hook(lambda *a: watch.look(a[2]))
            for _, module in hookable(self.model)
        ]
        try:
            with watch:
                inputs = batch.inputs.clone()
                if inputs.is_floating_point():
                    inputs = inputs.requires_grad_().clone()
                self.result(batch, inputs=inputs)
        finally:
            for handle in handles:
                handle.remove()
        return watch.lower

    @contextlib.contextmanager
    def _embeddings(self, ids: Tensor) -> Iterator[list[Tensor]]:
        """Collects what embedding layers make of exactly these ids."""
        found: list[Tensor] = []

        def keep(module: nn.Module, args: tuple, output: Tensor) -> None:
            if args and any(args[0].equal(own) for own in (ids, ids.transpose(0, 1))):
                found.append(output)

        layers = [m for _, m in hookable(self.model) if isinstance(m, nn.Embedding)]
        handles = [layer.register_forward_hook(keep) for layer in layers]
        try:
            yield found
        finally:
            for handle in handles:
                handle.remove()

    def _one_tensor(self, result: Any) -> Tensor:
        if isinstance(result, (tuple, list)) and not isinstance(result, PackedSequence) and result:
            self.first_of_tuple = True
            result = result[0]
        if isinstance(result, Tensor) and not result.is_nested:
            return result
        hint = "unpack it" if isinstance(result, PackedSequence) else "pick one"
        raise TypeError(
            f"the model returns a {type(result).__name__}, expected a tensor, or a tuple that "
            f"starts with one: {hint} with call=lambda model, inputs, lengths: ..."
        )


class _PrecisionWatch(TorchFunctionMode):
    """Notices results of a lower precision that still carry a gradient: not mere constants."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.size, self.lower = dtype.itemsize, False

    def look(self, result: Any) -> None:
        for tensor in flat_tensors(result):
            if tensor.is_floating_point() and tensor.requires_grad:
                self.lower |= tensor.dtype.itemsize < self.size

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.look(result)
        return result


def _calm(module: nn.Module, train: bool) -> None:
    """Set dropout to zero; cuDNN's recurrent layers have no backward pass in eval mode."""
    if isinstance(module, nn.RNNBase):
        module.train()
    elif not train:
        return
    if isinstance(module, nn.modules.dropout._DropoutNd):
        module.p = 0.0
    for name, value in vars(module).items():
        if "drop" in name.lower() and isinstance(value, float):
            setattr(module, name, 0.0)


def combine(rows: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The weighted sum of all finite results, a scalar."""
    parts = [
        (row * weight.to(row))[row.detach().isfinite()].sum()
        for row, weight in zip(rows, weights, strict=True)
    ]
    return torch.stack(parts).sum()


def _per_cell(gradient: Tensor, batch: Batch) -> Tensor:
    """Size of a gradient at every cell, ``(B, T)``."""
    if gradient.shape[:2] != batch.real.shape:
        gradient = gradient.transpose(0, 1)
    size = gradient.abs()
    return size.flatten(2).sum(2) if size.dim() > 2 else size


def unexpected_shape(result: Tensor, batch: Batch) -> str:
    """The sentence about a result that is neither steps, nor vectors, nor a loss."""
    rows, steps = batch.real.shape
    return (
        f"the result has shape {tuple(result.shape)} for {rows} sequences of {steps} steps, "
        f"expected (B, T, ...) = ({rows}, {steps}, ...), (B, ...) = ({rows}, ...) or a scalar "
        "loss: bring it into one of these shapes with call=lambda model, inputs, lengths: ..."
    )
