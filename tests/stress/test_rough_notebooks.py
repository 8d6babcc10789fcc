"""Every notebook under rough conditions, its cells alone, twice in a row, and all again.

One run of one kernel a notebook: starting kernels and training models is what takes time.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbval_guard import complaints
from rough_kernel import ELSEWHERE, PROBE, run_rough, what_is_missing
from solve import keys_in, solve_notebook

pytestmark = pytest.mark.slow
PATHS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
CARDS = {"exercise", "quiz", "guess", "glossary", "show_progress"}
# Cells that train models or start workers are not run a third time: they take most of the time.
LONG = re.compile(r"\b(fit|train_reader|run_workers)\(")
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


def rehearsal(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """All that a learner may do with a notebook, as one long notebook; cells say when they run."""
    setup, *cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    played = []

    def play(when: str, *chosen: nbformat.NotebookNode) -> None:
        for cell in chosen:
            metadata = {"when": when, "tags": cell.metadata.get("tags", [])}
            played.append(nbformat.v4.new_code_cell(cell.source, metadata=metadata))

    probe, remember, forget = map(nbformat.v4.new_code_cell, (PROBE, REMEMBER, FORGET))
    play("before everything", probe, setup, remember)
    for cell in cells:
        if stands_alone(cell.source):
            play("right after the setup cell", cell, forget)
    for cell in (setup, *cells):
        play("for the first time", cell)
        play("twice in a row", cell)
    play("all again", setup, *(cell for cell in cells if not LONG.search(cell.source)))
    return nbformat.v4.new_notebook(cells=played)


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


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_cells_work_alone_twice_and_again_under_rough_conditions(
    path: Path, locales: Path, tmp_path: Path
):
    notebook = rehearsal(solve_notebook(path))
    hosts = run_rough(notebook, tmp_path, locales)
    wrong = [
        f"{cell.metadata.when}: {fault}\n{cell.source}\n"
        for cell in notebook.cells
        for fault in faults(cell)
    ]
    assert not wrong, "\n".join(wrong)
    assert hosts == [ELSEWHERE], "the notebook asks the network"


def test_only_answers_and_what_shows_the_results_above_need_other_cells():
    for path in PATHS:
        cells = [cell.source for cell in solve_notebook(path).cells if cell.cell_type == "code"]
        alone = [source for source in cells if stands_alone(source)]
        assert any("quiz(" in source for source in alone)
        for source in set(cells) - set(alone):
            shows = re.search(rf"^({'|'.join(CARDS)}|explore_\w+)\(", source, re.M)
            assert not shows or "reveal=" in source or "explore_serving({" in source, source
