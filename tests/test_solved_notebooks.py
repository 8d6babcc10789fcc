"""Notebooks and exercises fit together.

Every notebook runs solved, and strict, in ``test_rough_notebooks`` and ``test_other_device``.
"""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from solve import checked_key, keys_in, run_notebook, solve_cell

from course_utils.lessons.exercises import EXERCISES

PATHS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def code_of(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_exercises_stand_in_their_notebook_in_order(path: Path):
    cells = code_of(path)
    keys = [key for source in cells for key in keys_in(source)]
    expected = [e for e in EXERCISES.values() if e.notebook == int(path.stem[:2])]
    expected.sort(key=lambda e: [int(part) for part in e.number.split(".")])
    assert keys == [exercise.key for exercise in expected]
    for key in keys:
        cards = [i for i, source in enumerate(cells) if f'exercise("{key}")' in source]
        stubs = [i for i, source in enumerate(cells) if key in keys_in(source)]
        assert len(cards) == len(stubs) == 1
        assert cards[0] < stubs[0]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_stubs_raise_their_number_and_take_the_arguments_of_the_reference(path: Path):
    for source in code_of(path):
        for node in ast.walk(ast.parse(source)):
            if key := checked_key(node):
                exercise = EXERCISES[key]
                first = node.body[1 if ast.get_docstring(node) else 0]
                assert ast.unparse(first) == f"raise NotImplementedError('{exercise.number}')"
                code = exercise.reference.__code__
                names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
                mine = [a.arg for a in node.args.args]
                assert mine == list(names[: len(mine)])


def test_solving_replaces_the_body_alone():
    cell = (
        '@check("padding.pad_batch")\ndef f(a, b=1, *, c=2):\n    raise NotImplementedError\nf(1)'
    )
    solved = solve_cell(cell)
    assert "EXERCISES['padding.pad_batch'].reference(a, b, c=c)" in solved
    assert solved.endswith("f(1)")
    assert "NotImplementedError" not in solved


@pytest.mark.slow
def test_a_wrong_answer_stops_a_notebook_in_strict_mode(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    cell = (
        "from course_utils.lessons import check\n"
        '@check("padding.padding_waste")\n'
        "def padding_waste(lengths, max_length=None):\n"
        "    return int(lengths.sum()) / (len(lengths) * int(max_length or lengths.max()))"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    with pytest.raises(CellExecutionError, match="You return the share of real cells"):
        run_notebook(notebook, tmp_path)
