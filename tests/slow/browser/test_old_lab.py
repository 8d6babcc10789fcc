"""Widgets answer in the JupyterLab and ipywidgets of Binder's image, within its memory."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from lab_server import TOKEN, running_lab

pytestmark = pytest.mark.slow
if sys.platform != "linux":
    pytest.skip("Binder runs on Linux", allow_module_level=True)
pytest.importorskip("psutil", reason="needs psutil (extra dev)")

from binder.limits import Limited  # noqa: E402
from binder.old_lab import PINS, make_old_lab  # noqa: E402
from browser_fixtures import Notebook  # noqa: E402

RIGHT = """@check("padding.padding_waste")
def padding_waste(lengths, max_length=None):
    return 1 - int(lengths.sum()) / (len(lengths) * int(max_length or lengths.max()))
"""
WRONG = RIGHT.replace("1 - ", "")


@pytest.fixture(scope="module")
def notebook(browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """Notebook 03, run to its end."""
    folder = tmp_path_factory.mktemp("old-lab")
    python = make_old_lab(folder / "environment")
    (folder / "home").mkdir()
    with Limited(1024) as limited, running_lab(folder / "home", python, limited.start) as address:
        page = browser.new_page(viewport={"width": 1100, "height": 1000})
        page.goto(f"{address}/lab/tree/03_padding.ipynb?token={TOKEN}")
        notebook = Notebook(page, "Binder's Lab and memory")
        notebook.wait_until_ready()
        notebook.run_all()
        yield notebook
        page.close()


def test_it_is_the_old_one_and_no_cell_fails(notebook: Notebook):
    assert notebook.page.evaluate("() => window.jupyterapp.version") == PINS["jupyterlab"]
    assert notebook.unexpected_errors() == []


def test_slider(notebook: Notebook):
    node, _ = notebook.cell_with("explore_padding()")
    node.scroll_into_view_if_needed()
    before = node.get_by_role("img").get_attribute("aria-label")
    node.get_by_role("slider", name="Bucket width").focus()
    notebook.page.keyboard.press("Home")
    node.get_by_role("img", name=re.compile(f"^(?!{re.escape(before)})")).wait_for()


def test_exercise(notebook: Notebook):
    node = notebook.edit_and_run("def padding_waste", WRONG)
    node.get_by_text("the share of real cells").first.wait_for()
    node = notebook.edit_and_run("def padding_waste", RIGHT)
    node.get_by_text(re.compile(r"\bRight\b")).first.wait_for()
    card, _ = notebook.cell_with('exercise("padding.padding_waste")')
    card.get_by_role("button", name="Hint 1 of").click()
    card.get_by_role("button", name="Hint 2 of").wait_for()


def test_quiz(notebook: Notebook):
    node, _ = notebook.cell_with('quiz("padding")')
    node.scroll_into_view_if_needed()
    node.get_by_role("button", name="(7, 3, 10)").click()
    node.get_by_text("time first").first.wait_for()
