"""A second device where there is no GPU: ``torch.device("pretend")``.

Its tensors hold a CPU tensor each and compute with it, but they refuse what tensors on a GPU
refuse: to be mixed with tensors on the CPU, to become NumPy arrays, to be lengths for packing.
So code that would fail on a GPU for such a reason fails here, with the right numbers otherwise.
Import this module once in a process to have the device; ``sitecustomize.py`` beside it does so in
every Python process that has this folder on its ``PYTHONPATH``, and so in a notebook's kernel.

What it does not show: other rounding, asynchronous kernels, cuDNN's own rules, memory limits, and
nested tensors.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
CPU = torch.device("cpu")
aten = torch.ops.aten


class PretendTensor(Tensor):
    """A tensor on the pretend device; ``inner`` is the CPU tensor that it computes with."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> PretendTensor:
        outer = Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, device=torch.device(NAME, 0),
        )  # fmt: skip
        outer.inner = inner
        return outer

    @classmethod
    def __torch_dispatch__(cls, op, types, args=(), kwargs=None):
        return compute(op, args, kwargs or {})

    @property
    def data(self) -> Tensor:
        return Tensor.data.__get__(self)

    @data.setter
    def data(self, other: PretendTensor) -> None:  # what module.double() does to its parameters
        self.inner = other.inner
        Tensor.data.__set__(self, other)

    def numpy(self, *, force: bool = False):
        if force:
            return self.inner.numpy(force=True)
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy "
            "the tensor to host memory first."
        )

    def __array__(self, dtype=None, copy=None):
        return self.numpy()

    def tolist(self):
        return self.inner.tolist()

    def __format__(self, spec: str) -> str:
        return format(self.item() if self.dim() == 0 else repr(self), spec)

    def __repr__(self) -> str:
        return f"{repr(self.inner)[:-1]}, device='{self.device}')"

    def __reduce_ex__(self, protocol: int):
        return self.inner.__reduce_ex__(protocol)  # saved as values; loading moves them


def tensors_in(values) -> Iterator[Tensor]:
    """The tensors among values and in their lists."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (item for item in value if isinstance(item, Tensor))


def unwrap(value):
    """The CPU tensor behind a pretend tensor, also in lists; other values as they are."""
    if isinstance(value, PretendTensor):
        return value.inner
    if isinstance(value, list | tuple):
        return type(value)(map(unwrap, value))
    return value


def wrap(value):
    """Put a CPU tensor on the pretend device, also in lists; other values as they are."""
    if isinstance(value, Tensor):
        return PretendTensor(value)
    if isinstance(value, list | tuple):
        return type(value)(map(wrap, value))
    return value


COPIES = {aten.copy_.default, aten._to_copy.default}
INDEXING = {
    aten.index.Tensor, aten.index_put.default, aten.index_put_.default,
    aten._index_put_impl_.default,
}  # fmt: skip
PACK = aten._pack_padded_sequence.default


def refuse(op, args: tuple, tensors: list[Tensor]) -> None:
    """Raise what PyTorch raises for tensors on a GPU in the same place."""
    if op in COPIES:
        return
    if op is PACK:
        if isinstance(args[1], PretendTensor):
            raise RuntimeError(
                "'lengths' argument should be a 1D CPU int64 tensor, but got 1D "
                f"{args[1].device} Long tensor"
            )
    elif op in INDEXING:
        if not isinstance(args[0], PretendTensor):
            raise RuntimeError(
                "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
            )
    else:
        for tensor in tensors:
            if not isinstance(tensor, PretendTensor) and tensor.dim():
                raise RuntimeError(
                    "Expected all tensors to be on the same device, but found at least two "
                    f"devices, {NAME}:0 and {tensor.device}! ({op})"
                )


def compute(op, args: tuple, kwargs: dict):
    """The result of an operation that has to do with the pretend device."""
    tensors = [*tensors_in(args), *tensors_in(kwargs.values())]
    here = any(isinstance(tensor, PretendTensor) for tensor in tensors)
    if here:
        refuse(op, args, tensors)
    to = kwargs.get("device")
    stays = here if to is None else torch.device(to).type == NAME
    if to is not None and stays:
        kwargs = {**kwargs, "device": CPU}
    kernel = CELLS.get(op, op)
    result = kernel(*map(unwrap, args), **{name: unwrap(value) for name, value in kwargs.items()})
    if op is PACK:
        return PretendTensor(result[0]), result[1]  # the batch sizes live on the CPU
    if not stays:
        return result
    if torch.Tag.inplace_view in op.tags:  # transpose_ and its like: the outer shape changes, too
        with torch._C._DisableTorchDispatch():
            op(*args, **kwargs)
    if args and isinstance(args[0], PretendTensor) and result is args[0].inner:
        return args[0]
    if (out := kwargs.get("out")) is not None and out.shape != out.inner.shape:
        raise NotImplementedError(f"{op} resizes its out=: name it in DIRECT")
    return wrap(result) if out is None else out


# A GPU runs a step of a GRU or LSTM as one operation, which the CPU lacks. Their mathematics:


def gru_cell(from_input, from_state, state, input_bias=None, state_bias=None):
    """One step of a GRU, and what its backward pass needs."""
    i_r, i_z, i_n = (from_input if input_bias is None else from_input + input_bias).chunk(3, 1)
    h_r, h_z, h_n = (from_state if state_bias is None else from_state + state_bias).chunk(3, 1)
    r, z = (i_r + h_r).sigmoid(), (i_z + h_z).sigmoid()
    n = (i_n + r * h_n).tanh()
    return (state - n) * z + n, torch.cat([r, z, n, state, h_n], 1)


def gru_cell_backward(grad, workspace, has_bias):
    r, z, n, state, h_n = workspace.chunk(5, 1)
    g_n = grad * (1 - z) * (1 - n * n)
    g_z = grad * (state - n) * (1 - z) * z
    g_r = g_n * h_n * (1 - r) * r
    g_input, g_state = torch.cat([g_r, g_z, g_n], 1), torch.cat([g_r, g_z, g_n * r], 1)
    biases = (g_input.sum(0), g_state.sum(0)) if has_bias else (None, None)
    return g_input, g_state, grad * z, *biases


def lstm_cell(from_input, from_state, cell, input_bias=None, state_bias=None):
    """One step of an LSTM, and what its backward pass needs."""
    gates = from_input + from_state
    if input_bias is not None:
        gates = gates + input_bias + state_bias
    i, f, g, o = gates.chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    after = f * cell + i * g
    return o * after.tanh(), after, torch.cat([i, f, g, o], 1)


def lstm_cell_backward(grad_state, grad_cell, cell, after, workspace, has_bias):
    i, f, g, o = workspace.chunk(4, 1)
    out = after.tanh()
    grad_state = torch.zeros_like(after) if grad_state is None else grad_state
    grad_cell = torch.zeros_like(after) if grad_cell is None else grad_cell
    g_cell = grad_state * o * (1 - out * out) + grad_cell
    parts = [g_cell * g * i * (1 - i), g_cell * cell * f * (1 - f), g_cell * i * (1 - g * g)]
    gates = torch.cat([*parts, grad_state * out * o * (1 - o)], 1)
    return gates, g_cell * f, gates.sum(0) if has_bias else None


CELLS: dict[object, Callable] = {
    aten._thnn_fused_gru_cell.default: gru_cell,
    aten._thnn_fused_gru_cell_backward.default: gru_cell_backward,
    aten._thnn_fused_lstm_cell.default: lstm_cell,
    aten._thnn_fused_lstm_cell_backward_impl.default: lstm_cell_backward,
}


_load = torch.load


def load(*args, map_location=None, **kwargs):
    """``torch.load``; with ``map_location="pretend"`` the tensors come to this device."""
    if str(map_location).partition(":")[0] != NAME:
        return _load(*args, map_location=map_location, **kwargs)
    loaded = _load(*args, map_location=CPU, **kwargs)
    return tree_map_only(Tensor, PretendTensor, loaded)


class PretendModule:
    """What PyTorch asks a device's own module for, as ``torch.cuda`` is the module of CUDA."""

    is_available = is_initialized = staticmethod(lambda: True)
    _is_in_bad_fork = staticmethod(lambda: False)
    device_count = staticmethod(lambda: 1)
    current_device = staticmethod(lambda: 0)
    manual_seed_all = staticmethod(lambda seed: None)  # it draws from the CPU's generator
    get_rng_state = staticmethod(lambda device=None: torch.get_rng_state())
    set_rng_state = staticmethod(lambda state, device=None: torch.set_rng_state(state))
    get_amp_supported_dtype = staticmethod(lambda: [torch.float16, torch.bfloat16])


# The fallback for all operations misses the copies inside torch.tensor and indexing, and does not
# see when an operation resizes the empty result that it was handed.
DIRECT = ("copy_", "arange", "arange.start", "arange.start_step", "eye", "eye.m", "linspace")


def _call(op, *args, **kwargs):
    return compute(op, args, kwargs)


def install() -> list[torch.library.Library]:
    """Register the device with PyTorch, once; the registration lasts as long as the result."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=PretendModule())
    torch.accelerator.synchronize = lambda *_: None  # nothing runs on behind Python's back
    torch.load = load
    torch._logging.set_logs(dynamo=logging.ERROR)  # torch.compile minds the many uses of compute
    torch.backends.mha.set_fastpath_enabled(False)  # it works on a kind of tensor unknown here
    everything, some = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    everything.fallback(_call, "PrivateUse1")
    for name in DIRECT:
        packet, _, overload = name.partition(".")
        op = getattr(getattr(aten, packet), overload or "default")
        some.impl(name, partial(_call, op), "PrivateUse1")
    return [everything, some]


_registration = install()
