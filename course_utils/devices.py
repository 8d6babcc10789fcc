"""Device, threads, seed, and a report of the environment."""

from __future__ import annotations

import importlib.metadata
import os
import platform

import torch

from course_utils.checks import check_count


def get_device() -> torch.device:
    """The device that the course runs on: a CUDA GPU where there is one, else the CPU.

    ``COURSE_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``) overrides the choice. Apple's GPU is not
    chosen by itself, because it has no float64, in which the course proves its equalities.

    Raises:
        ValueError: ``COURSE_DEVICE`` names no device, or one that is not there.
    """
    chosen = os.environ.get("COURSE_DEVICE")
    if not chosen:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"COURSE_DEVICE is {chosen!r}, but no tensor can be put there "
            f"({str(error).splitlines()[0]}): choose another one, for example cpu, or unset it"
        ) from error
    return torch.device(chosen)


def set_up(seed: int = 0, threads: int = 1) -> torch.device:
    """Set the seed and the number of CPU threads, and return the device to use.

    Tiny recurrent networks run fastest on one thread: splitting a product of 64 numbers costs
    more than it saves. Give big models more.

    Raises:
        TypeError, ValueError: a seed or a number of threads that is no whole number.
    """
    torch.manual_seed(check_count(seed, "seed"))
    torch.set_num_threads(check_count(threads, "threads", 1))
    device = get_device()
    plural = "" if threads == 1 else "s"
    print(f"torch {torch.__version__} on {device}, {threads} CPU thread{plural}, seed {seed}")
    return device


def environment_report() -> str:
    """Versions, device and processor, one a line: paste it into a bug report."""
    packages = ("torch", "jupyterlab", "ipywidgets", "matplotlib", "numpy", "drawsvg")
    rows = [("python", platform.python_version()), ("system", platform.platform(terse=True))]
    for package in packages:
        try:
            rows.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            rows.append((package, "not installed"))
    try:
        device = get_device()
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
        rows.append(("device", f"{device} ({name})"))
    except ValueError as error:  # a report must not fail for the reason that it is to report
        rows.append(("device", str(error)))
    rows.append(("CPU threads", f"{torch.get_num_threads()} of {os.cpu_count()}"))
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {value}" for label, value in rows)
