"""Every notebook, run once from top to bottom in JupyterLab: it ends well, and axe approves.

`axe <https://github.com/dequelabs/axe-core>`_ judges what the course makes, in both themes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
NAMES = sorted(path.name for path in (Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))

# What the course makes; the rest of the page is JupyterLab's.
INCLUDED = [".jp-RenderedMarkdown", ".jp-OutputArea-output"]
# JupyterLab chooses the colours of tracebacks and warnings; some have too little contrast.
EXCLUDED = ['pre:has([class*="ansi-"])', '[data-mime-type="application/vnd.jupyter.stderr"]']

# axe takes all that lies outside of the window, and all of a body without height, for hidden:
# the window becomes as high as the notebook, and the body as high as the window.
SHOW_ALL = """() => {
    document.body.style.cssText = "position: absolute; inset: 0";
    const outer = [...document.querySelectorAll(".jp-WindowedPanel-outer")]
        .find(node => node.offsetHeight);
    outer.scrollTop = 0;
    return outer.querySelector(".jp-WindowedPanel-viewport").scrollHeight;
}"""
AUDIT = """async ([included, excluded]) => {
    const context = { include: included.map(s => [s]), exclude: excluded.map(s => [s]) };
    const found = await axe.run(context, { elementRef: true });
    // JupyterLab, not the course, leaves links in markdown and plain text without a line below.
    const lab = (rule, node) => rule.id === "link-in-text-block"
        && node.element.closest(".jp-RenderedMarkdown, .jp-RenderedText");
    const nodes = rules => rules.flatMap(rule =>
        rule.nodes.filter(node => !lab(rule, node)).map(node => ({
        rule: rule.id, impact: node.impact, html: node.html.slice(0, 300),
        why: [...node.any, ...node.all, ...node.none].map(check => check.message).join("; "),
    })));
    return Object.fromEntries(
        ["violations", "incomplete", "passes"].map(kind => [kind, nodes(found[kind])]));
}"""


def grave_faults(notebook) -> list[str]:
    """What axe calls serious or critical in a notebook's texts and outputs."""
    from axe_playwright_python.base import AXE_SCRIPT

    page = notebook.page
    width = page.viewport_size["width"]
    page.set_viewport_size({"width": width, "height": page.evaluate(SHOW_ALL) + 400})
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(AUDIT, [INCLUDED, EXCLUDED])
    # That it looked: a rule that could not be asked is reported as incomplete.
    assert not [node for node in found["incomplete"] if "encountered an error" in node["why"]]
    assert sum(node["rule"] == "color-contrast" for node in found["passes"]) > 50
    return [
        f"{node['rule']}: {node['html']}: {node['why']}"
        for node in found["violations"]
        if node["impact"] in ("serious", "critical")
    ]


def choose_theme(page, theme: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
        f"JupyterLab {theme}",
    )
    light = str(theme == "Light").lower()
    page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=light)
    page.wait_for_timeout(500)  # colours fade


@pytest.fixture(scope="module", params=NAMES)
def finished(request: pytest.FixtureRequest, opened) -> Iterator:
    """A notebook whose cells have all run."""
    with opened(request.param) as notebook:
        notebook.run_all()
        yield notebook


def test_runs_to_the_end(finished):
    assert finished.unexpected_errors() == []
    shown = [output for outputs in finished.outputs() for output in outputs]
    assert len(shown) > 5


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_no_grave_fault(finished, theme: str):
    choose_theme(finished.page, theme)
    assert grave_faults(finished) == []


def test_axe_sees_what_is_wrong_at_the_very_end_of_a_notebook(open_notebook):
    """The audit above looks at all of the page: it finds three faults that are put there."""
    notebook = open_notebook("01_fixed_graph_backprop.ipynb")
    choose_theme(notebook.page, "Dark")
    notebook.page.locator(".jp-RenderedMarkdown").last.evaluate(
        """node => node.insertAdjacentHTML("beforeend",
            '<button></button><svg role="img"></svg><p style="color:#555">too dark to read</p>')"""
    )
    rules = [fault.split(":")[0] for fault in grave_faults(notebook)]
    assert sorted(rules) == ["button-name", "color-contrast", "svg-img-alt"]
