"""The whole course under Binder's conditions: one core, 1 GB, and the JupyterLab of its image.

Server and kernel share the memory, as they do there. The table that is printed is also the
course's list of costs: seconds until a kernel answers, seconds to run the notebook, and the
most memory that server, kernel and worker processes took together.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket
from lab_server import NOTEBOOKS, TOKEN, running_lab

pytestmark = pytest.mark.slow
if sys.platform != "linux":
    pytest.skip("Binder runs on Linux", allow_module_level=True)
pytest.importorskip("psutil", reason="needs psutil (extra dev)")


from binder.kernels import running_kernel, unexpected_errors  # noqa: E402
from binder.limits import Limited  # noqa: E402
from binder.old_lab import PINS, make_old_lab  # noqa: E402

MEGABYTES = 1024
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
# The first, the one that starts workers, and the one that trains longest; the others once a week.
OFTEN = ("00_start_here", "08_many_devices", "09_capstone_real_data")
ROW = "{:<28} {:>8} {:>8} {:>8}"


@pytest.fixture(scope="module")
def limited() -> Iterator[Limited]:
    with Limited(MEGABYTES) as limited:
        yield limited


@pytest.fixture(scope="module")
def server(limited: Limited, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the old JupyterLab inside the limit."""
    folder = tmp_path_factory.mktemp("binder")
    python = make_old_lab(folder / "environment")
    (folder / "home").mkdir()
    with running_lab(folder / "home", python, limited.start) as address:
        means = "a control group" if limited.cgroup else "a watchdog"
        print(f"\n\nJupyterLab {PINS['jupyterlab']}, one core, {MEGABYTES} MB held by {means}")
        print(ROW.format("notebook", "start s", "run s", "peak MB"), end=" ")
        yield address


def test_three_run_often():
    assert set(OFTEN) <= {path.stem for path in PATHS}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem in OFTEN else pytest.mark.long)
        for path in PATHS
    ],
)
def test_runs_to_its_end(path: Path, server: str, limited: Limited):
    limited.take_peak()
    begin = time.perf_counter()
    with running_kernel(server, TOKEN, path.name) as kernel:
        ready = time.perf_counter()
        errors = unexpected_errors(kernel, path)
        end = time.perf_counter()
    row = (path.stem, f"{ready - begin:.1f}", f"{end - ready:.1f}", f"{limited.take_peak():.0f}")
    print(f"\n{ROW.format(*row)}", end=" ")
    assert errors == []
    assert limited.killed() == 0


def test_a_kernel_that_takes_more_than_there_is_dies(server: str, limited: Limited):
    """Comes last: where a watchdog holds the limit, the server ends as well."""
    dies = (AssertionError, OSError, websocket.WebSocketException)
    with pytest.raises(dies), running_kernel(server, TOKEN, PATHS[0].name) as kernel:
        kernel.run(f"import time; taken = bytearray({MEGABYTES} * 2**20); time.sleep(2)")
    assert limited.killed()
    limited.kill()  # a server that is about to restart a kernel does not end when it is asked to
