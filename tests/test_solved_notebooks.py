"""Notebooks and exercises fit together.

Every notebook runs solved, and strict, in ``test_rough_notebooks`` and ``test_other_device``.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import itertools
from pathlib import Path
from types import CodeType

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from solve import checked_key, keys_in, run_notebook, solve_cell

from course_utils.lessons import progress
from course_utils.lessons.topics import exercises

EXERCISES = exercises()
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


def stub_of(key: str) -> tuple[Path, str, ast.FunctionDef]:
    """The notebook, the cell and the definition under ``@check(key)``."""
    return next(
        (path, source, node)
        for path in PATHS
        for source in code_of(path)
        for node in ast.walk(ast.parse(source))
        if checked_key(node) == key
    )


@pytest.mark.parametrize("key", EXERCISES)
def test_stub_raises_its_number_and_has_the_signature_of_the_solution(key: str):
    _, _, stub = stub_of(key)
    first = stub.body[1 if ast.get_docstring(stub) else 0]
    assert ast.unparse(first) == f"raise NotImplementedError('{EXERCISES[key].number}')"
    (solution,) = ast.parse(inspect.getsource(EXERCISES[key].reference)).body
    head, wanted = (
        (node.name, ast.unparse(node.args), ast.unparse(node.returns), ast.get_docstring(node))
        for node in (solution, stub)
    )
    assert head == wanted


def names_above(path: Path, cell: str) -> dict[str, object]:
    """What the imports in the cells above a cell define."""
    names: dict[str, object] = {}
    for source in itertools.takewhile(lambda source: source != cell, code_of(path)):
        found = ast.parse(source).body
        imports = [node for node in found if isinstance(node, (ast.Import, ast.ImportFrom))]
        exec(compile(ast.Module(imports, []), path.name, "exec"), names)
    return names


def globals_of(code: CodeType) -> set[str]:
    """All global names that a function and those inside of it read."""
    own = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return own.union(*(globals_of(part) for part in code.co_consts if isinstance(part, CodeType)))


@pytest.mark.parametrize("whole", [False, True], ids=["in place of the stub", "as the whole cell"])
@pytest.mark.parametrize("key", EXERCISES)
def test_solution_is_right_where_it_is_pasted(key: str, whole: bool, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    path, cell, stub = stub_of(key)
    shown = EXERCISES[key].solution.source
    assert "course_utils" not in shown
    names = names_above(path, cell)
    exec(f'@check("{key}")\n{shown}' if whole else solve_cell(cell), names)
    assert progress.load()[f"exercise:{key}"]["status"] == "right"
    assert globals_of(names[stub.name].__code__) <= {*names, *dir(builtins)}


def test_solving_replaces_the_stub_alone():
    cell = (
        '@check("padding.pad_batch")\ndef f(a, b=1, *, c=2):\n    raise NotImplementedError\nf(1)'
    )
    shown = EXERCISES["padding.pad_batch"].solution.source
    assert solve_cell(cell) == f'@check("padding.pad_batch")\n{shown}\nf(1)'


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
