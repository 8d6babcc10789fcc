"""Run a copy of the model, forward and backward, and leave no trace with the caller."""

from __future__ import annotations

import contextlib
import copy
import inspect
import random
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from course_utils.padcheck.arguments import Call, Reading, Refused
from course_utils.padcheck.feeding import Feed, see
from course_utils.padcheck.watching import PrecisionWatch, SameNoise, hookable


@dataclass(frozen=True)
class Gradients:
    """Gradients of a weighted sum of the real results."""

    cells: tuple[Tensor | None, ...]
    """Size of the gradient at every cell ``(B, T)`` of each input; None where it has none."""
    parameters: list[Tensor]


@contextlib.contextmanager
def undisturbed(device: torch.device) -> Iterator[None]:
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
        if "torch._dynamo" in sys.modules:  # something may be compiled
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _random_state(device: torch.device) -> tuple[Any, ...]:
    """What changes as soon as anything is drawn."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return (random.getstate(), *(bytes(state.tolist()) for state in states))


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).strip().splitlines() or ["no message"])[0]


def _copy(model: Any) -> Any:
    try:
        if inspect.ismethod(model) and isinstance(model.__self__, nn.Module):
            return _Method(copy.deepcopy(model.__self__), model.__name__)
        return copy.deepcopy(model)
    except Exception as error:
        raise ValueError(
            f"the model cannot be copied ({type(error).__name__}: {first_line(error)}), and "
            "padcheck works on a copy to leave yours as it is: pass a freshly built model"
        ) from error


class _Method(nn.Module):
    """A module of which another method than ``forward`` is called."""

    def __init__(self, owner: nn.Module, name: str) -> None:
        super().__init__()
        self.owner, self.name = owner, name

    def forward(self, *args: Any) -> Any:
        return getattr(self.owner, self.name)(*args)


class Runner:
    """A copy of the model in one precision, ready to be asked.

    Args:
        model: a module, or any function.
        call: ``call(model, inputs, lengths, *extra)``.
        dtype: precision of its parameters and of the tensors it makes itself.
        train: run in train mode, without dropout and with fresh running statistics each time.
        seed: set before each call.
        same_noise: whether draws inside the model are the same for all rows and steps.
    """

    def __init__(
        self, model: Any, call: Call, dtype: torch.dtype, *, train: bool, seed: int,
        same_noise: bool,
    ) -> None:  # fmt: skip
        self.model, self.call, self.dtype, self.train = _copy(model), call, dtype, train
        self.seed, self.same_noise = seed, same_noise
        self.draws = self.first_of_several = False
        self.reading: Reading | None = None
        self.is_module = isinstance(self.model, nn.Module)
        if self.is_module:
            self.model.to(dtype).train(train)
            for module in self.model.modules():
                _without_dropout(module, train)
            for parameter in self.model.parameters():
                parameter.requires_grad_(parameter.is_floating_point())
                parameter.grad = None
        for _, module in hookable(self.model):
            if isinstance(module, nn.Embedding):
                module.register_forward_pre_hook(_check_range)
        buffers = self.model.buffers() if self.is_module else ()
        self._buffers = [(b, b.clone(), b._version) for b in buffers]

    @property
    def parameters(self) -> list[Tensor]:
        """All parameters that can have a gradient, frozen ones included."""
        if not self.is_module:
            return []
        return [p for p in self.model.parameters() if p.requires_grad]

    def running(self) -> list[Tensor]:
        """The running statistics and other buffers after the last run, in train mode."""
        return [b.clone() for b, *_ in self._buffers if b.is_floating_point()] if self.train else []

    def result(
        self, feed: Feed, *, grad: bool = True, tensors: Sequence[Tensor] | None = None
    ) -> Tensor:
        """What the model gives back: one tensor. Raises :class:`Refused` if the model raises."""
        self._restore_buffers()
        given = [t.clone() for t in feed.tensors] if tensors is None else tensors
        torch.manual_seed(self.seed)
        random.seed(self.seed)
        before = _random_state(feed.tensors[0].device)
        noise = SameNoise() if self.draws and self.same_noise else contextlib.nullcontext()
        try:
            with _default_dtype(self.dtype), torch.set_grad_enabled(grad), noise:
                result = self.call(self.model, *feed.arguments(given))
        except Exception as error:
            raise Refused(f"{type(error).__name__}: {first_line(error)}") from error
        if not self.draws and before != _random_state(feed.tensors[0].device):
            self.draws = True
            return self.result(feed, grad=grad, tensors=tensors)
        return self._one_tensor(result)

    def quiet(self, feed: Feed) -> Tensor:
        """The result without gradients."""
        return self.result(feed, grad=False)

    def _restore_buffers(self) -> None:
        for number, (buffer, fresh, version) in enumerate(self._buffers):
            if self.train or buffer._version != version:  # batch norm leaves the version as it is
                with torch.no_grad():
                    buffer.detach_().copy_(fresh)
                self._buffers[number] = (buffer, fresh, buffer._version)

    def results(self, feed: Feed, *, grad: bool = True) -> list[Tensor]:
        """The real results of a batch."""
        return [row.detach() for row in self.reading.rows(self.result(feed, grad=grad), feed)]

    def differentiate(
        self, feed: Feed, rows: Sequence[int]
    ) -> tuple[list[Tensor], Gradients | None]:
        """Real results and the gradients of their weighted sum; None where they carry none.

        Args:
            feed: the batch.
            rows: the numbers of its sequences: each has its own random weights in every batch.
        """
        leaves = [t.clone().requires_grad_(t.is_floating_point()) for t in feed.tensors]
        with self._embedded(feed) as seen:
            result = self.result(feed, tensors=[t.clone() for t in leaves])
        found = self.reading.rows(result, feed)
        clean = [row.detach() for row in found]
        if not result.requires_grad:
            return clean, None
        sources = [
            [leaf] if leaf.is_floating_point() else own
            for leaf, own in zip(leaves, seen, strict=True)
        ]
        wanted = [t for own in sources for t in own] + self.parameters
        try:
            slopes = torch.autograd.grad(self._weighted(found, rows), wanted, allow_unused=True)
        except RuntimeError as error:
            raise Refused(f"in the backward pass, {first_line(error)}") from error
        slopes = [
            torch.zeros_like(w) if g is None else g for w, g in zip(wanted, slopes, strict=True)
        ]
        return clean, _gradients(slopes, sources, feed)

    def _weighted(self, results: Sequence[Tensor], rows: Sequence[int]) -> Tensor:
        """A loss as it is; of other results a weighted sum, random but for their sequence."""
        if self.reading.kind == "loss":
            return weighted_sum(results, [torch.ones_like(results[0])])
        weights = []
        for row, result in zip(rows, results, strict=True):
            generator = torch.Generator("cpu").manual_seed(1009 * self.seed + row)
            weights.append(
                torch.randn(result.shape, generator=generator, dtype=torch.float64, device="cpu")
            )
        return weighted_sum(results, weights)

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

    def watched(self, feed: Feed) -> PrecisionWatch:
        """Run once and notice in which precision the model computes inside."""
        watch = PrecisionWatch(self.dtype, feed.tensors[0].device.type)
        handles = [
            module.register_forward_hook(lambda *a: watch.look(a[2]))
            for _, module in hookable(self.model)
        ]
        try:
            with watch:
                tensors = [
                    t.clone().requires_grad_().clone() if t.is_floating_point() else t.clone()
                    for t in feed.tensors
                ]
                watch.look(self.result(feed, tensors=tensors))
        finally:
            for handle in handles:
                handle.remove()
        return watch

    @contextlib.contextmanager
    def _embedded(self, feed: Feed) -> Iterator[list[list[Tensor]]]:
        """Collects what embedding layers make of exactly the token ids of each input."""
        found: list[list[Tensor]] = [[] for _ in feed.tensors]

        def keep(module: nn.Module, args: tuple, output: Any) -> None:
            ids = args[0] if args else None
            if not isinstance(ids, Tensor) or not isinstance(output, Tensor) or ids.dim() != 2:
                return
            for own, tensor in zip(found, feed.tensors, strict=True):
                same = tensor.dim() == 2 and not tensor.is_floating_point()
                if same and output.requires_grad and (ids.equal(tensor) or ids.equal(tensor.mT)):
                    own.append(output)

        layers = [m for _, m in hookable(self.model) if isinstance(m, nn.Embedding)]
        handles = [layer.register_forward_hook(keep) for layer in layers]
        try:
            yield found
        finally:
            for handle in handles:
                handle.remove()

    def _one_tensor(self, result: Any) -> Tensor:
        if isinstance(result, (tuple, list)) and not isinstance(result, PackedSequence) and result:
            self.first_of_several = True
            result = result[0]
        if isinstance(result, Tensor) and not result.is_nested and not result.is_complex():
            return result
        hint = "unpack it" if isinstance(result, PackedSequence) else "pick one"
        raise TypeError(
            f"the model returns a {type(result).__name__}, expected a tensor of real numbers, or "
            f"a tuple that starts with one: {hint} with call=lambda model, inputs, lengths: ... "
            + see("PackedSequence" if hint == "unpack it" else "dictionary")
        )


def _check_range(module: nn.Embedding, args: tuple) -> None:
    """Refuse what a GPU would not refuse but die of."""
    ids, rows = args[0] if args else None, module.num_embeddings
    with torch._C.DisableTorchFunction():  # this is no operation of the model's
        largest = int(ids.max()) if isinstance(ids, Tensor) and ids.numel() else 0
    if largest >= rows:
        raise IndexError(f"index {largest} in a table of {rows} rows")


def _without_dropout(module: nn.Module, train: bool) -> None:
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


def weighted_sum(rows: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The weighted sum of all finite results, a scalar."""
    parts = [
        (row * weight.to(row))[row.detach().isfinite()].sum()
        for row, weight in zip(rows, weights, strict=True)
    ]
    return torch.stack(parts).sum()


def _gradients(
    slopes: Sequence[Tensor], sources: Sequence[Sequence[Tensor]], feed: Feed
) -> Gradients:
    """Sizes by cell for those of the inputs that have padding, then the parameters' gradients."""
    cells, start = [], 0
    for own, axis in zip(sources, feed.axes, strict=True):
        mine, start = slopes[start : start + len(own)], start + len(own)
        sizes = [] if axis is None else [_per_cell(gradient, feed, axis) for gradient in mine]
        cells.append(sum(sizes) if sizes else None)
    return Gradients(tuple(cells), list(slopes[start:]))


def _per_cell(gradient: Tensor, feed: Feed, axis: int) -> Tensor:
    """Size of a gradient at every cell, ``(B, T)``."""
    if gradient.shape[:2] != (feed.rows, feed.steps[axis]):
        gradient = gradient.transpose(0, 1)
    size = gradient.abs()
    return size.flatten(2).sum(2) if size.dim() > 2 else size
