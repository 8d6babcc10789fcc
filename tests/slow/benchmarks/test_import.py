"""How long ``import course_utils`` takes, and what it loads.

Print the table with ``pytest tests/slow/benchmarks/test_import.py -m slow -s``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

import pytest

PROGRAM = """
import sys, time
start = time.perf_counter()
import {module}
print(1000 * (time.perf_counter() - start), *{{name.partition(".")[0] for name in sys.modules}})
"""
MODULES = ("torch", "course_utils", "course_utils.pictures.plots", "course_utils.explorers")
HEAVY = {"sktime", "pandas", "sklearn", "matplotlib", "IPython", "ipywidgets"}
ROUNDS = 3


def measure(module: str) -> tuple[float, set[str]]:
    """Milliseconds to import a module in a fresh interpreter, and all top-level modules then."""
    program = PROGRAM.format(module=module)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    milliseconds, *loaded = result.stdout.split()
    return float(milliseconds), set(loaded)


@pytest.mark.slow
def test_import_times() -> None:
    print(f"\n{'import':<24} {'ms':>6}  heavy modules it loads (median of {ROUNDS})")
    for module in MODULES:
        found = [measure(module) for _ in range(ROUNDS)]
        heavy = sorted(found[0][1] & HEAVY)
        print(f"{module:<24} {statistics.median(t for t, _ in found):>6.0f}  {', '.join(heavy)}")
        if module in ("torch", "course_utils"):
            assert heavy == []
        assert not {"sktime", "pandas", "sklearn"} & set(heavy)
