"""Every notebook, solved and strict, under rough conditions: cells alone, twice, and all again.

One run of one kernel a notebook: starting kernels and training models is what takes time.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from executions import note
from nbval_guard import complaints
from rough_kernel import ELSEWHERE, PROBE, run_rough, what_is_missing
from solve import keys_in, solve_notebook

PATHS = sorted((Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))
EVERY = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
CARDS = {"exercise", "quiz", "guess", "glossary", "show_progress"}
# Cells that train models or start workers are not run again at the end: they take most of the time.
LONG = re.compile(r"\b(fit|train_reader|run_workers)\(")
# Of a whole notebook; what runs besides are some cells.
WHOLE = ("for the first time", "twice in a row", "all again", "from last to first")
REMEMBER = "_kept = set(globals()) | {'_kept'}"
FORGET = "for _name in set(globals()) - _kept:\n    del globals()[_name]"
NOT_SAVED = "It is kept until the kernel stops"


def is_card(node: ast.AST) -> bool:
    """Whether a node is a call that shows a card, and needs no results of the cells above."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    shows = node.func.id in CARDS or node.func.id.startswith("explore_")
    return shows and all(isinstance(value, ast.Constant) for value in given)


def stands_alone(source: str) -> bool:
    """Whether a learner may jump to this cell: it checks an exercise, or shows cards alone."""
    body = [n for n in ast.parse(source).body if not isinstance(n, ast.Import | ast.ImportFrom)]
    cards = [isinstance(node, ast.Expr) and is_card(node.value) for node in body]
    return bool(keys_in(source)) or (bool(cards) and all(cards))


Cells = list[nbformat.NotebookNode]


def played(when: str, cells: Cells) -> Cells:
    """Copies of cells that say when they run."""
    return [
        nbformat.v4.new_code_cell(
            cell.source, metadata={"when": when, "tags": cell.metadata.get("tags", [])}
        )
        for cell in cells
    ]


def short(cells: Cells) -> Cells:
    return [cell for cell in cells if not LONG.search(cell.source)]


def alone_twice_and_again(setup: nbformat.NotebookNode, cells: Cells) -> Cells:
    """What a learner may do with a notebook, top to bottom, after jumping to some of its cells."""
    probe, remember, forget = map(nbformat.v4.new_code_cell, (PROBE, REMEMBER, FORGET))
    chosen = played("before everything", [probe, setup, remember])
    for cell in cells:
        if stands_alone(cell.source):
            chosen += played("right after the setup cell", [cell, forget])
    for cell in (setup, *cells):
        chosen += [*played("for the first time", [cell]), *played("twice in a row", [cell])]
    return chosen + played("all again", [setup, *short(cells)])


def from_last_to_first(setup: nbformat.NotebookNode, cells: Cells) -> Cells:
    """A notebook once from top to bottom, and then its cells in the opposite order."""
    first = played("for the first time", [nbformat.v4.new_code_cell(PROBE), setup, *cells])
    return first + played("from last to first", short(cells)[::-1])


def rehearse(
    order: Callable[[nbformat.NotebookNode, Cells], Cells], path: Path, folder: Path, locales: Path
) -> list[str]:
    """What goes wrong when a notebook's cells run in some order."""
    setup, *cells = [cell for cell in solve_notebook(path).cells if cell.cell_type == "code"]
    notebook = nbformat.v4.new_notebook(cells=order(setup, cells))
    for when in dict.fromkeys(cell.metadata.when for cell in notebook.cells):
        if when in WHOLE:
            note(f"rough, {when}", path)
    hosts = run_rough(notebook, folder, locales)
    assert hosts == [ELSEWHERE], "the notebook asks the network"
    return [
        f"{cell.metadata.when}: {fault}\n{cell.source}\n"
        for cell in notebook.cells
        for fault in faults(cell)
    ]


def faults(cell: nbformat.NotebookNode) -> list[str]:
    """What is wrong with a cell that has run."""
    tags = cell.metadata.get("tags", [])
    found = complaints(cell.outputs, tags)
    found += [
        f"{output.ename}: {output.evalue}"
        for output in cell.outputs
        if output.output_type == "error" and "raises-exception" not in tags
    ]
    if keys_in(cell.source) and not re.search(f"Right.*{NOT_SAVED}", str(cell.outputs)):
        found.append("the reference is not found right, or progress is said to be saved")
    return found


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the locale that rough conditions take."""
    folder = tmp_path_factory.mktemp("locales")
    if missing := what_is_missing(folder):
        fail = pytest.fail if os.environ.get("COURSE_REQUIRE_TOOLS") else pytest.skip
        fail(f"rough conditions need {missing}")
    return folder


@pytest.mark.slow
@EVERY
def test_cells_work_alone_twice_and_again(path: Path, locales: Path, tmp_path: Path):
    wrong = rehearse(alone_twice_and_again, path, tmp_path, locales)
    assert not wrong, "\n".join(wrong)


# To become the end of the order above, once every notebook passes.
@pytest.mark.long
@EVERY
def test_cells_work_from_last_to_first(path: Path, locales: Path, tmp_path: Path):
    wrong = rehearse(from_last_to_first, path, tmp_path, locales)
    assert all(fault.startswith("from last to first") for fault in wrong), "\n".join(wrong)
    if wrong:
        pytest.xfail(f"{len(wrong)} cells need a cell above them\n" + "\n".join(wrong))


@pytest.mark.slow
def test_only_answers_and_what_shows_the_results_above_need_other_cells():
    for path in PATHS:
        cells = [cell.source for cell in solve_notebook(path).cells if cell.cell_type == "code"]
        alone = [source for source in cells if stands_alone(source)]
        assert any("quiz(" in source for source in alone)
        for source in set(cells) - set(alone):
            shows = re.search(rf"^({'|'.join(CARDS)}|explore_\w+)\(", source, re.M)
            assert not shows or "reveal=" in source or "explore_serving({" in source, source
