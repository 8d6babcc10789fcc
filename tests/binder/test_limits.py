"""The limits that the Binder tests rely on do limit."""

from __future__ import annotations

import sys

import pytest

if sys.platform != "linux":
    pytest.skip("Binder runs on Linux", allow_module_level=True)
psutil = pytest.importorskip("psutil", reason="needs psutil (extra dev)")

from binder.limits import Limited  # noqa: E402

# Each process waits a while, so that several are there at the same time.
TAKES = "import time, sys; taken = bytearray(int(sys.argv[1]) * 2**20); time.sleep(3)"
PARENT = f"""
import subprocess, sys
children = [subprocess.Popen([sys.executable, "-c", {TAKES!r}, sys.argv[1]]) for _ in range(2)]
sys.exit(max(child.wait() != 0 for child in children))
"""


def run(program: str, megabytes: int, *, cgroup: bool) -> tuple[int, int, float]:
    """Exit status of a program under a limit of 1024 MB, processes killed, and the peak."""
    with Limited(1024, cgroup=cgroup) as limited:
        if cgroup and limited.cgroup is None:
            pytest.skip("this machine lets us make no control group")
        status = limited.start([sys.executable, "-c", program, str(megabytes)]).wait()
        return status, limited.killed(), limited.take_peak()


@pytest.mark.slow
@pytest.mark.parametrize("cgroup", [True, False], ids=["cgroup", "watchdog"])
class TestLimit:
    @pytest.mark.parametrize(("program", "megabytes"), [(TAKES, 1229), (PARENT, 614)])
    def test_ends_what_takes_more(self, program: str, megabytes: int, cgroup: bool):
        status, killed, _ = run(program, megabytes, cgroup=cgroup)
        assert status != 0
        assert killed

    @pytest.mark.parametrize(("program", "megabytes"), [(TAKES, 800), (PARENT, 400)])
    def test_lets_less_pass_and_knows_how_much(self, program: str, megabytes: int, cgroup: bool):
        status, killed, peak = run(program, megabytes, cgroup=cgroup)
        assert (status, killed) == (0, 0)
        assert peak == pytest.approx(800, abs=60)


@pytest.mark.slow
def test_one_core(capfd: pytest.CaptureFixture):
    show = "import os; print(len(os.sched_getaffinity(0)))"
    with Limited(1024) as limited:
        # The first program is already running when it is bound to the core.
        shell = f'sleep 0.2; "{sys.executable}" -c "{show}"'
        assert limited.start(["sh", "-c", shell]).wait() == 0
    assert capfd.readouterr().out.strip() == "1"
