"""A notebook as it looks when every exercise is solved."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat


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
    """The cell's code with each exercise's body replaced by a call of its reference."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if key := checked_key(node):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            names += [f"{argument.arg}={argument.arg}" for argument in node.args.kwonlyargs]
            node.body = ast.parse(
                "from course_utils.lessons.exercises import EXERCISES\n"
                f"return EXERCISES[{key!r}].reference({', '.join(names)})"
            ).body
    return ast.unparse(ast.fix_missing_locations(tree))


def solve_notebook(path: Path) -> nbformat.NotebookNode:
    """The notebook with every exercise solved by its reference."""
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and keys_in(cell.source):
            cell.source = solve_cell(cell.source)
    return notebook
