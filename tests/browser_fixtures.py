"""A real JupyterLab and a real browser for tests: a pytest plugin."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest
from executions import note
from lab_server import TOKEN, running_lab

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def _need(condition: object, what: str) -> None:
    if not condition and os.environ.get("COURSE_REQUIRE_TOOLS"):
        pytest.fail(f"the browser tests need {what}")
    if not condition:
        pytest.skip(f"the browser tests need {what}")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab over a copy of the notebooks; ``{}`` takes a file's name.

    ``reset`` forgets the tabs of earlier pages, which would come back and take the focus.
    """
    with running_lab(tmp_path_factory.mktemp("lab")) as address:
        yield f"{address}/lab/tree/{{}}?reset&token={TOKEN}"


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Debian's Chromium, driven by playwright."""
    _need(CHROMIUM, "Chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _need(False, "the package playwright (extra dev)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def opened(browser, lab: str) -> Callable[[str], AbstractContextManager[Notebook]]:
    """Context of a notebook that is open in a fresh page, with an idle kernel of its own."""

    @contextmanager
    def open_one(name: str) -> Iterator[Notebook]:
        page = browser.new_page(viewport={"width": 1100, "height": 1000})
        page.goto(lab.format(name))
        notebook = Notebook(page)
        notebook.wait_until_ready()
        yield notebook
        page.evaluate(f"() => {Notebook.CURRENT}.sessionContext.shutdown()")
        page.close()

    return open_one


@pytest.fixture
def open_notebook(opened) -> Iterator[Callable[[str], Notebook]]:
    """Function that opens a notebook in a fresh page and waits for its kernel."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(opened(name))


class Notebook:
    """A notebook that is open in JupyterLab."""

    CURRENT = "window.jupyterapp.shell.currentWidget"

    def __init__(self, page, lab: str = "JupyterLab") -> None:
        self.page, self.lab = page, lab

    def wait_until_ready(self) -> None:
        """Wait until the document is there and its kernel idle."""
        self.page.wait_for_function(
            f"""() => {{
                const widget = window.jupyterapp && {self.CURRENT};
                const kernel = widget?.sessionContext?.session?.kernel;
                return widget?.context?.isReady && kernel?.status === "idle"
                    && kernel?.connectionStatus === "connected";
            }}""",
            timeout=90_000,
        )

    def command(self, name: str) -> None:
        """Execute one of JupyterLab's commands."""
        self.page.evaluate(f"() => window.jupyterapp.commands.execute({name!r}).catch(() => 0)")

    def run_all(self, seconds: float = 120) -> None:
        """Run all cells and wait until every code cell has its number."""
        note(self.lab, self.page.evaluate(f"() => {self.CURRENT}.context.path"))
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(
            f"""() => {self.CURRENT}.sessionContext.session.kernel.status === "idle"
                && {self.CURRENT}.content.widgets.every(
                    cell => cell.model.type !== "code" || cell.model.executionCount)""",
            timeout=seconds * 1000,
        )

    def outputs(self) -> list[list[dict]]:
        """The outputs of every code cell."""
        return self.page.evaluate(
            f"""() => {self.CURRENT}.content.widgets.filter(cell => cell.model.type === "code")
                .map(cell => cell.model.outputs.toJSON())"""
        )

    def tags(self) -> list[list[str]]:
        """The tags of every code cell."""
        return self.page.evaluate(
            f"""() => {self.CURRENT}.content.widgets.filter(cell => cell.model.type === "code")
                .map(cell => cell.model.getMetadata("tags") || [])"""
        )

    def unexpected_errors(self) -> list[str]:
        """Errors in cells that are not tagged to have one."""
        return [
            f"{output['ename']}: {output['evalue']}"
            for outputs, tags in zip(self.outputs(), self.tags(), strict=True)
            for output in outputs
            if output["output_type"] == "error" and "raises-exception" not in tags
        ]

    def cell_with(self, text: str):
        """The code cell that holds a text, as a locator of its DOM node."""
        index = self.page.evaluate(
            f"""text => {self.CURRENT}.content.widgets.findIndex(cell =>
                cell.model.type === "code" && cell.model.sharedModel.getSource().includes(text))""",
            text,
        )
        assert index >= 0, f"no code cell with {text!r}"
        self.page.evaluate(
            f"index => {{ {self.CURRENT}.content.widgets[index].node.dataset.index = index }}",
            index,
        )
        return self.page.locator(f'.jp-Cell[data-index="{index}"]'), index

    def source_of(self, text: str) -> str:
        """The code of the cell that holds a text."""
        _, index = self.cell_with(text)
        return self.page.evaluate(
            f"index => {self.CURRENT}.content.widgets[index].model.sharedModel.getSource()", index
        )

    def keep_only(self, text: str) -> None:
        """Delete all cells but the one that holds a text."""
        _, index = self.cell_with(text)
        self.page.evaluate(
            f"""index => {{
                const cells = {self.CURRENT}.content.model.sharedModel;
                cells.deleteCellRange(index + 1, cells.cells.length);
                cells.deleteCellRange(0, index);
            }}""",
            index,
        )

    def edit_and_run(self, text: str, source: str):
        """Replace the code of the cell that holds a text, run it, and return its node."""
        node, index = self.cell_with(text)
        self.page.evaluate(
            f"""([index, source]) => {{
                const notebook = {self.CURRENT}.content;
                notebook.activeCellIndex = index;
                notebook.deselectAll();
                notebook.widgets[index].model.sharedModel.setSource(source);
                notebook.widgets[index].model.executionCount = null;
                return window.jupyterapp.commands.execute("notebook:run-cell");
            }}""",
            [index, source],
        )
        self.page.wait_for_function(
            f"""index => {self.CURRENT}.content.widgets[index].model.executionCount
                && {self.CURRENT}.sessionContext.session.kernel.status === "idle" """,
            arg=index,
            timeout=60_000,
        )
        return node

    def run(self, text: str):
        """Run the cell that holds a text as it is, and return its node."""
        return self.edit_and_run(text, self.source_of(text))

    def run_setup(self) -> None:
        """Run the setup cell, which is all that exercises, quizzes and explorers need."""
        self.run("device = set_up")

    def restart(self) -> None:
        """Restart the kernel, without asking."""
        self.page.evaluate(f"() => {self.CURRENT}.sessionContext.restartKernel()")
        self.wait_until_ready()

    def reload(self) -> None:
        """Reload the page; the kernel goes on, and what is not saved is lost."""
        self.page.once("dialog", lambda dialog: dialog.accept())
        self.page.reload()
        self.wait_until_ready()
