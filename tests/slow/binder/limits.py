"""What Binder gives a learner: so much memory for all processes together, and one core."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

CGROUPS = Path("/sys/fs/cgroup")
# Names of the files with the limit, the limit with swap, and the count of killed processes.
FILES = {
    1: ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control"),
    2: ("memory.max", "memory.swap.max", "memory.events"),
}
SECONDS_BETWEEN_LOOKS = 0.25


class Limited:
    """Runs programs that are killed when all of them together take too much memory.

    The kernel's own limit (a control group) is used where the machine lets us make one. In any
    case a thread adds up what the processes take, each with its share of shared pages (PSS), and
    kills above the limit: the kernel does not count libraries that another program has loaded.

    Args:
        megabytes: the limit.
        cgroup: whether to try the kernel's limit.
    """

    def __init__(self, megabytes: int, *, cgroup: bool = True) -> None:
        self.limit = megabytes * 2**20
        self.cgroup = _make_cgroup(self.limit) if cgroup else None
        self.kills = 0
        self._started: list[psutil.Process] = []
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Limited:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self.kill()
        if self.cgroup is not None:
            self.kills += self._kills_of_cgroup()
            _remove(self.cgroup)

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen:
        """Start a program on one core, inside the limit; what it starts stays inside, too."""
        program = subprocess.Popen(command, **options)
        os.sched_setaffinity(program.pid, {min(os.sched_getaffinity(0))})
        if self.cgroup is not None:
            (self.cgroup / "cgroup.procs").write_text(str(program.pid))
        self._started.append(psutil.Process(program.pid))
        return program

    def processes(self) -> list[psutil.Process]:
        """All processes that are inside now."""
        found = list(self._started)
        for process in self._started:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += process.children(recursive=True)
        return found

    def take_peak(self) -> float:
        """Most megabytes taken since the last call."""
        peak, self._peak = self._peak, 0
        return peak / 2**20

    def killed(self) -> int:
        """How many processes the limit has ended so far."""
        return self.kills + (self._kills_of_cgroup() if self.cgroup else 0)

    def kill(self) -> None:
        """End all processes."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _look(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_LOOKS):
            taken = sum(_pss(process) for process in self.processes())
            self._peak = max(self._peak, taken)
            if taken > self.limit:
                self.kills += 1
                self.kill()

    def _kills_of_cgroup(self) -> int:
        events = next(f for _, _, f in FILES.values() if (self.cgroup / f).exists())
        found = re.search(r"^oom_kill (\d+)", (self.cgroup / events).read_text(), re.MULTILINE)
        return int(found.group(1)) if found else 0


def _pss(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except (psutil.Error, OSError):  # it has just ended
        return 0


def _make_cgroup(limit: int) -> Path | None:
    """A new control group with this limit, or None where we may not make one."""
    for version, parent in ((1, CGROUPS / "memory"), (2, CGROUPS)):
        folder = parent / f"course-{uuid.uuid4().hex[:8]}"
        memory, swap, _ = FILES[version]
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / memory).write_text(str(limit))
            with contextlib.suppress(OSError):  # not all kernels count swap
                (folder / swap).write_text(str(limit if version == 1 else 0))
            if int((folder / memory).read_text()) == limit:
                return folder
        except (OSError, ValueError):
            pass
        folder.rmdir()
    return None


def _remove(folder: Path) -> None:
    """Remove a control group; the kernel needs a moment to see that its processes have ended."""
    for _ in range(50):
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.1)
