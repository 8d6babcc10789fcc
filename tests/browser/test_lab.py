"""The course as a learner meets it: JupyterLab in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
NAMES = sorted(path.name for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

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


def test_links_lead_from_the_first_notebook_to_all(open_notebook):
    """From each notebook a click opens the first linked one that was not open yet."""
    notebook = open_notebook(NAMES[0])
    page, seen = notebook.page, [NAMES[0]]
    while len(seen) < len(NAMES):
        page.locator(LINK).first.wait_for()  # JupyterLab replaces the addresses of links
        links = page.locator(LINK).evaluate_all("all => all.map(a => a.pathname.slice(7))")
        name = next(name for name in links if name not in seen)
        page.locator(f"{FRONT} .jp-RenderedMarkdown a[href*='/files/{name}']").first.click()
        page.wait_for_function(f"name => {notebook.CURRENT}.context?.path === name", arg=name)
        notebook.wait_until_ready()
        assert page.locator(f"{FRONT} h1").first.inner_text().startswith(f"{int(name[:2])} · ")
        page.evaluate(f"() => {notebook.CURRENT}.sessionContext.shutdown()")
        seen.append(name)
    assert sorted(seen) == NAMES


def test_slider_answers_to_the_keyboard(open_notebook):
    notebook = open_notebook("00_start_here.ipynb")
    notebook.run_all()
    page = notebook.page
    slider = page.get_by_role("slider", name="Third length")
    slider.scroll_into_view_if_needed()
    page.get_by_role("img", name=re.compile("Lengths 5, 3, 7;")).wait_for()
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("img", name=re.compile("Lengths 5, 3, 8;")).wait_for()


def test_explorer_answers_to_mouse_and_keyboard_and_says_what_is_wrong(open_notebook):
    notebook = open_notebook("03_padding.ipynb")
    notebook.run_all()
    page = notebook.page
    node, _ = notebook.cell_with("explore_padding()")
    node.scroll_into_view_if_needed()
    before = node.get_by_role("img").get_attribute("aria-label")
    width = node.get_by_role("slider", name="Bucket width")
    box = width.bounding_box()
    page.mouse.click(box["x"] + 3, box["y"] + box["height"] / 2)
    node.get_by_role("img", name=re.compile(f"^(?!{re.escape(before)})")).wait_for()
    node.get_by_label("Pads on the").select_option("left")
    node.get_by_role("img", name=re.compile("padded on the left")).wait_for()
    node.get_by_label("Lengths").fill("5, three")
    page.keyboard.press("Enter")
    node.get_by_text("not a list of whole numbers").wait_for()


def test_wrong_and_right_answers_and_progress_after_a_reload_and_a_restart(open_notebook):
    notebook = open_notebook("03_padding.ipynb")
    notebook.run_all()
    for _ in range(2):  # the same answer, run again, is told the same
        node = notebook.edit_and_run("def pad_batch", PADS_LEFT)
        node.get_by_text("padded on the left").first.wait_for()
    node = notebook.edit_and_run("def pad_batch", PADS_RIGHT)
    node.get_by_text(re.compile(r"\bRight\b")).first.wait_for()
    for begin_anew in (notebook.reload, notebook.restart):
        begin_anew()
        start = notebook.edit_and_run("import", ASK)
        start.get_by_text(re.compile(r"3\.1 Pad a batch by hand: right")).first.wait_for()


def test_quiz_gives_a_reason_for_a_wrong_and_for_a_right_answer(open_notebook):
    notebook = open_notebook("03_padding.ipynb")
    notebook.run_all()
    node, _ = notebook.cell_with('quiz("padding")')
    node.scroll_into_view_if_needed()
    node.get_by_role("button", name="(7, 3, 10)").click()
    node.get_by_text("time first").first.wait_for()
    node.get_by_role("button", name="(3, 7, 10)").focus()
    notebook.page.keyboard.press("Enter")
    node.get_by_text("padded to the longest one").first.wait_for()
