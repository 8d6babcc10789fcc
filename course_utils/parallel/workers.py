"""Start worker processes from a notebook, with a time limit and a clear message if one fails.

The workers run ``course_utils.parallel.experiments``. They meet through a file, or through the
port that ``torchrun --standalone`` finds free; no port is fixed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

_WORKER = ("-m", "course_utils.parallel.experiments")
_ERROR = re.compile(r"^(?:\[rank\d+\]: ?)?((?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b.*)$", re.M)
_CONSEQUENCES = "ChildFailedError|Connection closed by peer|Connection reset"
_PLACE = re.compile(r'File ".*?(\w+\.py)", line (\d+) in (\w+)')


class WorkerError(RuntimeError):
    """A worker failed, or was not done when its time was up."""


def run_workers(
    experiments: Sequence[tuple[str, dict[str, Any]]],
    *,
    processes: int = 2,
    time_limit: float = 60.0,
    torchrun: bool = False,
    device: torch.device | str = "cpu",
) -> list[list[Any]]:
    """What every process found in every experiment: ``results[experiment][rank]``.

    The processes start once and run all experiments one after the other. None of them is left
    running afterwards, whatever happens, an interrupt included.

    Args:
        experiments: names of functions in ``course_utils.parallel.experiments`` and their problems.
        processes: how many workers share the work.
        time_limit: most seconds for everything, start included.
        torchrun: let PyTorch's own launcher start the workers.
        device: where the tensors of the results go.

    Raises:
        ValueError: fewer than one process.
        WorkerError: a worker failed or was not done in time; the message says which and where.
    """
    if processes < 1:
        raise ValueError(f"processes is {processes}, expected at least 1")
    with tempfile.TemporaryDirectory(prefix="course-workers-") as name:
        folder = Path(name)
        torch.save([tuple(experiment) for experiment in experiments], folder / "job.pt")
        deadline = time.time() + time_limit
        # Workers give up a little earlier than we do, so that they can still say where they are.
        options = ["--job", f"{folder / 'job.pt'}", "--results", name]
        options += ["--deadline", f"{deadline - 0.5}"]
        if torchrun:
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
            _run([[*launcher, f"{processes}", *_WORKER, *options]], folder, deadline)
        else:
            worker = [*_WORKER, *options, "--store", f"{folder / 'store'}"]
            _run([worker] * processes, folder, deadline)
        load = {"weights_only": True, "map_location": device}
        found = [torch.load(folder / f"{rank}.pt", **load) for rank in range(processes)]
    return [list(parts) for parts in zip(*found, strict=True)]


def _run(commands: list[list[str]], folder: Path, deadline: float) -> None:
    """Run Python commands side by side; each is told its rank."""
    logs = [folder / f"{rank}.log" for rank in range(len(commands))]
    running = []
    try:
        for rank, (command, log) in enumerate(zip(commands, logs, strict=True)):
            running.append(_start(command, log, rank, len(commands)))
        _wait(running, deadline)
        states = [process.poll() for process in running]
    finally:
        for process in running:
            _stop(process)
    if any(state != 0 for state in states):
        texts = [log.read_text(errors="replace") for log in logs]
        told = [_tell(r, s, t) for r, (s, t) in enumerate(zip(states, texts, strict=True))]
        raise WorkerError("\n".join(["the workers did not finish:", *told]))


def _start(command: list[str], log: Path, rank: int, size: int) -> subprocess.Popen:
    environment = {**os.environ, "RANK": f"{rank}", "WORLD_SIZE": f"{size}", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def _wait(running: list[subprocess.Popen], deadline: float) -> None:
    """Until all are done, or the time is up; if one fails the others get a second to notice."""
    while time.time() < deadline and any(process.poll() is None for process in running):
        if any(process.poll() for process in running):
            deadline = min(deadline, time.time() + 1)
        time.sleep(0.02)


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(3)  # torchrun ends its own workers
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tell(rank: int, state: int | None, log: str) -> str:
    """What became of a worker, in a line."""
    names = re.findall(r"^experiment: (\w+)", log, re.M)
    where = f"in {names[-1]!r}" if names else "before its first experiment"
    errors = [error for error in _ERROR.findall(log) if not re.search(_CONSEQUENCES, error)]
    if "Timeout (" in log:
        places = _PLACE.findall(log.split("Timeout (")[1])
        waiting = next(
            (f" at {f}, line {n}, in {w}" for f, n, w in places if f == "experiments.py"), ""
        )
        return f"- worker {rank} {where}: not done when the time was up{waiting}"
    if state is None:
        return f"- worker {rank} {where}: stopped, still running or waiting for the others"
    if state == 0:
        return f"- worker {rank}: done"
    if not errors and re.search(_CONSEQUENCES, log):
        return f"- worker {rank} {where}: lost its connection to another worker"
    return f"- worker {rank} {where}: {errors[-1] if errors else f'ended with exit status {state}'}"
