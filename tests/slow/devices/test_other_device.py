"""Every notebook, its exercises solved, on another device than the CPU, in strict mode.

That is the GPU where there is one, and otherwise the pretend device of ``pretend.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
import torch
from executions import note
from nbclient.exceptions import CellExecutionError
from nbval_guard import complaints
from solve import keys_in, run_notebook, solve_notebook

from course_utils.lessons import progress

HERE = Path(__file__).parent
PATHS = sorted((HERE.parents[2] / "notebooks").glob("*.ipynb"))
# PyTorch's nested tensors do not work on a device that they have not heard of.
BEYOND_PRETENDING = "nested"
DEVICE = "cuda" if torch.cuda.is_available() else "pretend"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _other_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kernels, and the processes that they start, have the other device and choose it."""
    found = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(HERE), found])))
    monkeypatch.setenv("COURSE_DEVICE", DEVICE)
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))


def keys_of(cell: nbformat.NotebookNode) -> list[str]:
    return keys_in(cell.source) if cell.cell_type == "code" else []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_runs_solved_on_another_device(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COURSE_STRICT", "1")  # a right answer that is refused there is a failure
    notebook = solve_notebook(path)
    keys = [key for cell in notebook.cells for key in keys_of(cell)]
    if DEVICE == "pretend":
        notebook.cells = [
            cell for cell in notebook.cells
            if cell.cell_type != "code" or BEYOND_PRETENDING not in cell.source
        ]  # fmt: skip
    note("another device, solved", path)
    run_notebook(notebook, path.parent)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert f" on {DEVICE}," in cells[0].outputs[0].text
    for cell in cells:
        assert complaints(cell.outputs, cell.metadata.get("tags", [])) == [], cell.source
    found = {name: entry["status"] for name, entry in progress.load().items()}
    assert found == {f"exercise:{key}": "right" for key in keys}


@pytest.mark.parametrize("made", ["torch.ones(4, 7)", "lengths_to_mask(lengths)"])
def test_a_tensor_left_on_the_cpu_stops_a_notebook(made: str, tmp_path: Path):
    cell = (
        "import torch\nfrom course_utils import set_up\n"
        "from course_utils.data import small_batch\n"
        "from course_utils.sequences import lengths_to_mask, pad_batch\n"
        "device, lengths = set_up(), [5, 3, 7, 2]\n"
        f"pad_batch(small_batch(lengths, device=device))[..., 0] * {made}"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    with pytest.raises(CellExecutionError, match="on the same device"):
        run_notebook(notebook, tmp_path)
