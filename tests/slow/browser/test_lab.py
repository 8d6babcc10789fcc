"""The course as a learner meets it: JupyterLab in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_fixtures import Notebook

NAMES = sorted(path.name for path in (Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))

PADS_LEFT = """@check("padding.pad_batch")
def pad_batch(sequences, padding_value=0.0):
    longest = max(len(s) for s in sequences)
    rows = []
    for s in sequences:
        pads = s.new_full((longest - len(s), *s.shape[1:]), padding_value)
        rows.append(torch.cat([pads, s]))
    return torch.stack(rows)
"""
ASK = "from course_utils.lessons import show_progress\n\nshow_progress()"
PADS_RIGHT = PADS_LEFT.replace("[pads, s]", "[s, pads]")


FRONT = ".jp-NotebookPanel:not(.lm-mod-hidden)"
LINK = f"{FRONT} .jp-RenderedMarkdown a[href*='/files/']"


@pytest.mark.parametrize(
    "count",
    [pytest.param(3, marks=pytest.mark.slow), pytest.param(len(NAMES), marks=pytest.mark.long)],
)
def test_links_lead_from_the_first_notebook_to_others(open_notebook, count: int):
    """From each notebook a click opens the first linked one that was not open yet."""
    notebook = open_notebook(NAMES[0])
    page, seen = notebook.page, [NAMES[0]]
    while len(seen) < count:
        page.locator(LINK).first.wait_for()  # JupyterLab replaces the addresses of links
        links = page.locator(LINK).evaluate_all("all => all.map(a => a.pathname.slice(7))")
        name = next(name for name in links if name not in seen)
        page.locator(f"{FRONT} .jp-RenderedMarkdown a[href*='/files/{name}']").first.click()
        page.wait_for_function(f"name => {notebook.CURRENT}.context?.path === name", arg=name)
        notebook.wait_until_ready()
        assert page.locator(f"{FRONT} h1").first.inner_text().startswith(f"{int(name[:2])} · ")
        page.evaluate(f"() => {notebook.CURRENT}.sessionContext.shutdown()")
        seen.append(name)
    assert set(seen) <= set(NAMES)


@pytest.fixture(scope="module")
def padding(opened) -> Iterator[Notebook]:
    """Notebook 03 after its setup cell: exercises and quizzes need no more."""
    with opened("03_padding.ipynb") as notebook:
        notebook.run_setup()
        yield notebook


@pytest.mark.slow
def test_quiz_gives_a_reason_for_a_wrong_and_for_a_right_answer(padding: Notebook):
    node = padding.run('quiz("padding")')
    node.scroll_into_view_if_needed()
    node.get_by_role("button", name="(7, 3, 10)").click()
    node.get_by_text("time first").first.wait_for()
    node.get_by_role("button", name="(3, 7, 10)").focus()
    padding.page.keyboard.press("Enter")
    node.get_by_text("padded to the longest one").first.wait_for()


@pytest.mark.slow
def test_wrong_and_right_answers_and_progress_after_a_reload_and_a_restart(padding: Notebook):
    for _ in range(2):  # the same answer, run again, is told the same
        node = padding.edit_and_run("def pad_batch", PADS_LEFT)
        node.get_by_text("padded on the left").first.wait_for()
    node = padding.edit_and_run("def pad_batch", PADS_RIGHT)
    node.get_by_text(re.compile(r"\bRight\b")).first.wait_for()
    for begin_anew in (padding.reload, padding.restart):
        begin_anew()
        start = padding.edit_and_run("import", ASK)
        start.get_by_text(re.compile(r"3\.1 Pad a batch by hand: right")).first.wait_for()
