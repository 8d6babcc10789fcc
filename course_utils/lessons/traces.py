"""Set back what a learner's code changes for everything that runs after it.

A default dtype or a switch for gradients that an answer leaves changed would have the cells below
compute something else than they say. Torch's random state is kept by the guard.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch

_AUTOCAST_DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class _Setting:
    """Something that code can change for all that follows; without ``words``, it is not told."""

    words: str
    read: Callable[[], Any]
    write: Callable[[Any], None]


@contextmanager
def without_traces() -> Iterator[list[str]]:
    """Set back what the code inside changes, also if it raises.

    The list that it gives has, afterwards, words for what was changed, such as
    ``"the default dtype"``.
    """
    traces: list[str] = []
    before = [setting.read() for setting in _SETTINGS]
    gradients = torch.is_grad_enabled()
    # Nothing but the end of an outer mode ends an inference mode that was left open inside.
    with torch.inference_mode(torch.is_inference_mode_enabled()):
        torch.set_grad_enabled(gradients)
        try:
            yield traces
        finally:
            for setting, value in zip(_SETTINGS, before, strict=True):
                if setting.read() != value:
                    setting.write(value)
                    traces += [setting.words] if setting.words else []


def leaving_no_traces(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with what each call changes set back when it returns."""

    @wraps(function)
    def clean(*args: Any, **kwargs: Any) -> Any:
        with without_traces():
            return function(*args, **kwargs)

    return clean


def _gradient_modes() -> tuple[bool, bool]:
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled()


def _set_gradient_modes(modes: tuple[bool, bool]) -> None:
    """The inference mode is set back where the outer one ends."""
    torch.set_grad_enabled(modes[0])


def _set_default_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)


def _autocast() -> list[tuple[bool, torch.dtype]]:
    return [
        (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
        for device in _AUTOCAST_DEVICES
    ]


def _set_autocast(states: list[tuple[bool, torch.dtype]]) -> None:
    for device, (enabled, dtype) in zip(_AUTOCAST_DEVICES, states, strict=True):
        torch.set_autocast_enabled(device, enabled)
        torch.set_autocast_dtype(device, dtype)


def _folder() -> str | None:
    """The working folder, or None if it was deleted."""
    with suppress(OSError):
        return os.getcwd()
    return None


def _set_folder(folder: str | None) -> None:
    if folder is not None:
        with suppress(OSError):  # the notebook's own folder was deleted: nothing leads back
            os.chdir(folder)


def _set_environment(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


def _set_import_path(folders: list[str]) -> None:
    sys.path[:] = folders


def _set_warning_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters
    with warnings.catch_warnings():
        pass  # has Python forget what it worked out from the filters before


_SETTINGS = (
    _Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype),
    _Setting("the default device", torch.get_default_device, _set_default_device),
    _Setting("whether gradients are recorded", _gradient_modes, _set_gradient_modes),
    _Setting("automatic mixed precision", _autocast, _set_autocast),
    _Setting("the number of threads", torch.get_num_threads, torch.set_num_threads),
    _Setting(
        "deterministic mode", torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
    ),
    _Setting(
        "anomaly detection",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda state: torch.set_anomaly_enabled(*state),
    ),
    _Setting("the working folder", _folder, _set_folder),
    _Setting("where Python looks for modules", lambda: list(sys.path), _set_import_path),
    # An import inside of an answer may change these on its own: not the learner's doing.
    _Setting("", lambda: dict(os.environ), _set_environment),
    _Setting("", lambda: list(warnings.filters), _set_warning_filters),
)
