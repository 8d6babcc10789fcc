"""What happens inside a model while it runs: operations, modules, precision, random numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.padcheck.feeding import Feed


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


# One standard normal number; its size and sign are of no importance.
DEVIATE = 0.7


class SameNoise(TorchDispatchMode):
    """While entered, draws do not depend on how many rows and steps there are.

    A sampler that draws ``(B, T, H)`` numbers gets other ones for the same step as soon as ``B``
    or ``T`` changes, whatever the seed. With one number everywhere, what is left of a difference
    is the model's own. Dropout keeps everything, permutations are the identity.
    """

    def __init__(self) -> None:
        super().__init__()
        self.draws = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch's compiler is imported, which takes seconds

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        # A seed for each draw, so that its first number does not depend on those before it.
        self.draws += 1
        torch.manual_seed(self.draws)
        return _same(func, func._schema.name.split("::")[-1].rstrip("_"), args, kwargs)


def _same(func: Any, name: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    if name == "native_dropout":
        return args[0].clone(), torch.ones_like(args[0], dtype=torch.bool)
    if name == "multinomial":
        return args[0].topk(args[1]).indices
    if name == "poisson":
        return args[0].round()
    result = func(*args, **kwargs)
    if not isinstance(result, Tensor) or name.startswith("_") or result.numel() == 0:
        return result
    if name == "randperm":
        return torch.sort(result).values
    if name == "bernoulli":
        return result.fill_(1)
    if name in ("randn", "randn_like"):
        return result.fill_(DEVIATE)
    if name in ("normal", "normal_functional"):
        return _normal(func, result, args, kwargs)
    return result.fill_(result.flatten()[0].item())


def _normal(func: Any, result: Tensor, args: tuple, kwargs: dict[str, Any]) -> Tensor:
    """A mean and a deviation may be tensors, or numbers that follow the tensor to be filled."""
    given = list(args)
    names = [argument.name for argument in func._schema.arguments]
    values = dict(zip(names, given, strict=False)) | kwargs
    mean, std = values.get("mean", 0.0), values.get("std", 1.0)
    return result.copy_(torch.as_tensor(mean + DEVIATE * std).to(result))


class PrecisionWatch(TorchFunctionMode):
    """Notices results of a lower precision that still carry a gradient: not mere constants."""

    def __init__(self, dtype: torch.dtype, device: str) -> None:
        super().__init__()
        self.lowest, self.device, self.autocast = dtype, device, None

    def look(self, result: Any) -> None:
        """Note the precision of what an operation or a module returned."""
        for tensor in flat_tensors(result):
            if tensor.is_floating_point() and tensor.requires_grad:
                self.lowest = min(self.lowest, tensor.dtype, key=lambda dtype: -_epsilon(dtype))

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if self.autocast is None and torch.is_autocast_enabled(self.device):
            self.autocast = torch.get_autocast_dtype(self.device)
        result = func(*args, **(kwargs or {}))
        self.look(result)
        return result


def _epsilon(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps


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


@dataclass(frozen=True)
class View:
    """Which numbers of a run to look at: what was fed, which sequences it holds, which rows."""

    feed: Feed
    sequences: Tensor
    """Number of the sequence in every row, ``(B,)``."""
    rows: Tensor
    """Boolean ``(B,)``."""

    def take(self, order: Tensor | None) -> View:
        """The same with the rows in another order; a single row has none."""
        if order is None or len(order) != len(self.rows):
            return self
        return View(self.feed.take(order.tolist()), self.sequences[order], self.rows[order])

    def real(self, axis: int, steps: int | None = None) -> Tensor:
        """Boolean ``(B, T)``: the real steps of the rows; of so many steps, if pads were cut."""
        real = self.feed.real(axis) & self.rows[:, None]
        steps = real.shape[1] if steps is None else steps
        return real[:, :steps] if self.feed.side == "right" else real[:, real.shape[1] - steps :]


@dataclass(frozen=True)
class Axes:
    """Which axes of a tensor count rows and steps."""

    batch: int | None
    time: dict[int, int]
    """From an axis to the lengths that go with it."""
    flat: int | None = None
    """The lengths whose steps, times the rows, are the first axis; None if it is not flat."""

    @property
    def rows_first(self) -> bool:
        """Whether rows are counted before steps."""
        return self.flat is None and self.batch == 0

    @property
    def has_time(self) -> bool:
        """Whether steps are counted anywhere."""
        return bool(self.time) or self.flat is not None

    @classmethod
    def of(cls, shape: Sequence[int], feed: Feed) -> Axes:
        """Axes told by their sizes, in a batch of so many rows and steps."""
        rows, steps = feed.rows, list(feed.steps)
        for number, size in enumerate(steps):
            if shape and shape[0] == rows * size:
                return cls(0, {}, flat=number)
        time = {axis: steps.index(n) for axis, n in enumerate(shape) if n in steps}
        if not time and len(shape) > 2:  # unpacked: as many steps as the longest row has
            longest = [int(own.max()) for own in feed.lengths]
            time = {a: longest.index(n) for a, n in enumerate(shape[:2]) if n in longest}
        batch = next((axis for axis, n in enumerate(shape) if n == rows), None)
        if batch is None and time:
            # Attention heads: B x heads on one axis.
            batch = next(
                (a for a, n in enumerate(shape) if a not in time and n and n % rows == 0), None
            )
        return cls(batch, time)

    def mask(self, shape: Sequence[int], view: View) -> Tensor:
        """True at the numbers that belong to real steps of the rows, in the tensor's shape."""
        if self.flat is not None:
            return _spread(view.real(self.flat).flatten(), (0,), shape)
        mask = torch.ones(tuple(shape), dtype=torch.bool, device=view.rows.device)
        if self.batch is None:
            for axis, number in self.time.items():
                mask = mask & _spread(view.real(number, shape[axis]).any(0), (axis,), shape)
            return mask
        heads = shape[self.batch] // len(view.rows)
        mask = mask & _spread(view.rows.repeat_interleave(heads), (self.batch,), shape)
        for axis, number in self.time.items():
            both = view.real(number, shape[axis]).repeat_interleave(heads, 0)
            mask = mask & _spread(
                both if self.batch < axis else both.T, tuple(sorted((self.batch, axis))), shape
            )
        return mask


def _spread(mask: Tensor, axes: tuple[int, ...], shape: Sequence[int]) -> Tensor:
    sizes = [n if axis in axes else 1 for axis, n in enumerate(shape)]
    return mask.reshape(sizes).expand(tuple(shape))
