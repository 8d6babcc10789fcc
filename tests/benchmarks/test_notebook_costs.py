"""Run time and peak memory of every notebook's kernel; run with ``pytest -m slow -s``."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow
PATHS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MOST_MEGABYTES = 1024


class Watched(NotebookClient):
    """A client that asks after every cell how much memory the kernel's processes have taken."""

    peak = 0

    async def async_execute_cell(self, *args, **kwargs):
        cell = await super().async_execute_cell(*args, **kwargs)
        kernel = psutil.Process(self.km.provisioner.pid)
        processes = [kernel, *kernel.children(recursive=True)]
        self.peak = max(self.peak, sum(process.memory_info().rss for process in processes))
        return cell


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_cost(path: Path, capsys: pytest.CaptureFixture):
    client = Watched(
        nbformat.read(path, 4), timeout=120, kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    start = time.perf_counter()
    client.execute()
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{path.stem:<28} {seconds:6.1f} s  {client.peak / 2**20:6.0f} MB", end="")
    assert client.peak / 2**20 < MOST_MEGABYTES
