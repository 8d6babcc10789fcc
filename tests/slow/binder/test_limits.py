"""The limits that the Binder tests rely on do limit."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import pytest

if sys.platform != "linux":
    pytest.skip("Binder runs on Linux", allow_module_level=True)
psutil = pytest.importorskip("psutil", reason="needs psutil (extra dev)")

from binder.limits import SECONDS_BETWEEN_LOOKS, Limited  # noqa: E402

# Each process stays until its input ends, so that all are there at the same time.
TAKES = "import sys; taken = bytearray(int(sys.argv[1]) * 2**20); sys.stdin.read()"
PARENT = f"""
import subprocess, sys
children = [subprocess.Popen([sys.executable, "-c", {TAKES!r}, sys.argv[1]]) for _ in range(2)]
sys.exit(max(child.wait() != 0 for child in children))
"""


def run(
    program: str, megabytes: int, *, cgroup: bool, until: float = math.inf
) -> tuple[int, int, float]:
    """Exit status of a program under a limit of 1024 MB, processes killed, and the peak.

    The program stays until one of its processes is killed, or it is seen to take so many MB.
    """
    with Limited(1024, cgroup=cgroup) as limited:
        if cgroup and limited.cgroup is None:
            pytest.skip("this machine lets us make no control group")
        command, peak = [sys.executable, "-c", program, str(megabytes)], 0.0
        started = limited.start(command, stdin=subprocess.PIPE)
        while started.poll() is None and not limited.killed() and peak < until:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            peak = max(peak, limited.take_peak())
        started.stdin.close()
        return started.wait(), limited.killed(), peak


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
        status, killed, peak = run(program, megabytes, cgroup=cgroup, until=800)
        assert (status, killed) == (0, 0)
        # What three interpreters take besides differs between machines.
        assert 800 <= peak < 1000


@pytest.mark.slow
def test_one_core(capfd: pytest.CaptureFixture):
    show = "import os; print(len(os.sched_getaffinity(0)))"
    with Limited(1024) as limited:
        # The first program is already running when it is bound to the core.
        shell = f'sleep 0.2; "{sys.executable}" -c "{show}"'
        assert limited.start(["sh", "-c", shell]).wait() == 0
    assert capfd.readouterr().out.strip() == "1"
