"""A notebook as it looks when every exercise is solved, and its execution."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from course_utils.lessons.topics import find_exercise


def checked_key(node: ast.AST) -> str | None:
    """The key in ``@check("key")`` above a function, if there is one."""
    if isinstance(node, ast.FunctionDef):
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "check":
                return decorator.args[0].value
    return None


def keys_in(source: str) -> list[str]:
    """The keys of all exercises in a cell."""
    return [key for node in ast.walk(ast.parse(source)) if (key := checked_key(node))]


def solve_cell(source: str) -> str:
    """The cell with each exercise's stub replaced by the solution exactly as it is shown."""
    lines = source.splitlines()
    for node in reversed(list(ast.walk(ast.parse(source)))):
        if key := checked_key(node):
            shown = find_exercise(key).solution.source
            lines[node.lineno - 1 : node.end_lineno] = shown.splitlines()
    return "\n".join(lines)


def solve_notebook(path: Path) -> nbformat.NotebookNode:
    """The notebook with every exercise solved by the solution that is shown."""
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and keys_in(cell.source):
            cell.source = solve_cell(cell.source)
    return notebook


def run_notebook(notebook: nbformat.NotebookNode, folder: Path, seconds: int = 180) -> None:
    """Execute a notebook in a folder, at most so many seconds a cell; outputs stay in it."""
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=seconds, kernel_name="python3", resources=resources).execute()
