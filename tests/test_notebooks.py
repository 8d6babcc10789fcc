"""The notebooks' form: skeleton, setup cell, stripped, short cells, links, numbering.

That they run is tested by nbval, which collects ``notebooks/``.
"""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbval_guard import ALLOWS_STDERR, complaints

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_LINES = 20
ALLOWED_TAGS = {"raises-exception", ALLOWS_STDERR}
ORDER = ["You will be able to", "You need", "## Check yourself", "## Summary",
         "## In your own code", "## References", "**Next:**"]  # fmt: skip


@pytest.fixture(params=PATHS, ids=[path.stem for path in PATHS])
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def notebook(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, 4)


def cells_of(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_there_are_notebooks_and_readme_lists_them_all():
    listed = re.findall(r"notebooks/(\w+)\.ipynb\)", (ROOT / "README.md").read_text("utf-8"))
    assert sorted(set(listed)) == [path.stem for path in PATHS]
    assert "00_start_here" in listed


def test_name_and_title_carry_the_same_number(path: Path, notebook: nbformat.NotebookNode):
    number, _ = re.fullmatch(r"(\d\d)_([a-z0-9_]+)", path.stem).groups()
    assert notebook.cells[0].source.startswith(f"# {int(number)} · ")


def test_sections_stand_in_the_same_order(path: Path, notebook: nbformat.NotebookNode):
    text = "\n".join(cells_of(notebook, "markdown"))
    order = ORDER if path != PATHS[-1] else ORDER[:-1]
    places = [text.find(part) for part in order]
    assert -1 not in places, [part for part, at in zip(order, places, strict=True) if at < 0]
    assert places == sorted(places)


def test_objectives_and_summary_have_the_same_number_of_points(notebook: nbformat.NotebookNode):
    text = "\n".join(cells_of(notebook, "markdown"))
    objectives = text.split("You will be able to")[1].split("You need")[0]
    summary = text.split("## Summary")[1].split("## In your own code")[0]
    points = re.findall(r"^- .*\*\*", objectives, re.MULTILINE)
    assert 3 <= len(points) <= 5
    assert len(points) == len(re.findall(r"^- .*\*\*", summary, re.MULTILINE))


def test_setup_cell_is_the_same_in_all(notebook: nbformat.NotebookNode):
    first = nbformat.read(PATHS[0], 4)
    assert cells_of(notebook, "code")[0] == cells_of(first, "code")[0]
    assert notebook.cells[1].cell_type == "code"


def test_stripped(notebook: nbformat.NotebookNode):
    assert notebook.metadata == {"language_info": {"name": "python"}}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "slideshow", "jupyter"}, cell.metadata
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_cells_are_short_and_plain(notebook: nbformat.NotebookNode):
    for cell in notebook.cells:
        assert set(cell.metadata.get("tags", [])) <= ALLOWED_TAGS
        slide_type = cell.metadata.get("slideshow", {}).get("slide_type")
        assert slide_type in ("slide", "subslide", "fragment", "-", "skip"), cell.source
        assert cell.source.strip()
    for source in cells_of(notebook, "code"):
        assert len(source.splitlines()) <= MOST_LINES, source
        assert not re.search(r"^\s*[!%]|\bexit\(|ipywidgets|sys\.path|chdir", source, re.M), source
        ast.parse(source)


def test_links_lead_somewhere(path: Path, notebook: nbformat.NotebookNode):
    text = "\n".join(cells_of(notebook, "markdown"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("https://", "#")):
            assert (path.parent / target.split("#")[0]).exists(), target


def test_every_notebook_but_the_last_links_to_the_next():
    for path, following in itertools.pairwise(PATHS):
        text = "\n".join(cells_of(nbformat.read(path, 4), "markdown"))
        assert f"]({following.name})" in text.split("**Next:**")[1]


def test_no_two_cells_share_an_id(notebook: nbformat.NotebookNode):
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


def stream(name: str, text: str) -> dict:
    return {"output_type": "stream", "name": name, "text": text}


@pytest.mark.parametrize(
    ("outputs", "tags", "said"),
    [
        ([stream("stderr", "UsageError: Line magic function `%x` not found.")], [], "magic"),
        ([stream("stderr", "UserWarning: look here")], [], "look here"),
        ([stream("stdout", "fine")], ["raises-exception"], "raised nothing"),
    ],
)
def test_guard_sees_what_nbval_lets_pass(outputs: list[dict], tags: list[str], said: str):
    (found,) = complaints(outputs, tags)
    assert said in found


def test_guard_lets_good_cells_pass():
    assert complaints([stream("stdout", "fine")], []) == []
    assert complaints([stream("stderr", "expected")], [ALLOWS_STDERR]) == []
    assert complaints([{"output_type": "error"}], ["raises-exception"]) == []


def test_guard_fails_a_notebook_with_a_silent_error(pytester: pytest.Pytester):
    """The guard as pytest runs it, on a notebook that nbval alone would pass."""
    pytester.makeconftest('pytest_plugins = ["nbval_guard"]')
    notebook = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    notebook.cells = [nbformat.v4.new_code_cell("%no_such_magic\nraise SystemError")]
    nbformat.write(notebook, pytester.path / "bad.ipynb")
    run = pytester.runpytest("--nbval-lax", "--nbval-current-env", "bad.ipynb")
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(["*unknown magic*"])


def test_pytest_alone_collects_tests_and_notebooks():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    assert options["ini_options"]["testpaths"] == ["tests", "notebooks"]
    assert "--nbval-lax" in options["ini_options"]["addopts"]
