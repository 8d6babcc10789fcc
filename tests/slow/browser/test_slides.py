"""The slides that TEACHING.md makes of the notebooks, in a browser without a connection."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from executions import note

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTED = "06_masked_loss"
WIDTH, HEIGHT = 1280, 720
TALLEST = 1.6 * HEIGHT
# Heights of all slides of each section, and what their first cells begin with.
SECTIONS = """() => [...document.querySelectorAll(".slides > section")].map(section => {
    section.style.display = "block";
    return [...section.querySelectorAll(":scope > section")].map(slide => {
        slide.style.display = "block";
        const first = slide.querySelector(".jp-Cell h1, .jp-Cell h2, .jp-Cell p, .jp-Cell pre");
        return {height: slide.scrollHeight, first: first?.tagName};
    });
})"""


def slide_types(path: Path) -> list[str]:
    return [cell.metadata.slideshow.slide_type for cell in nbformat.read(path, 4).cells]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All notebooks as slides, made with the lines of TEACHING.md; one of them is executed."""
    home = tmp_path_factory.mktemp("slides")
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    text = (ROOT / "TEACHING.md").read_text("utf-8").split("## Slides")[1].split("\n## ")[0]
    online, offline = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    install, convert = offline.splitlines()
    one = f" notebooks/{EXECUTED}.ipynb"
    assert convert.endswith(one)
    assert convert.startswith(online.strip().removesuffix(one))
    rest = " ".join(f"notebooks/{path.name}" for path in PATHS if path.stem != EXECUTED)
    note("slides", EXECUTED)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in (install, convert, convert.replace(" --execute", "").replace(one, f" {rest}")):
        done = subprocess.run(
            line, shell=True, cwd=home, env={**os.environ, "PATH": path},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"
    return home / "slides"


@pytest.fixture
def show(browser, folder: Path):
    """Function that opens the slides of a notebook; whatever is not in the folder is refused."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})

    def answer(route) -> None:
        path = folder / route.request.url.split("://slides.test/")[-1].split("?")[0]
        route.fulfill(path=path) if path.is_file() else route.abort()

    page.route("**/*", answer)

    def open_slides(name: str):
        page.goto(f"http://slides.test/{name}.slides.html")
        page.wait_for_selector(".reveal.ready", timeout=60_000)
        return page

    yield open_slides
    page.close()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_slides_are_those_of_the_metadata_begin_with_a_title_and_fit(path: Path, show):
    sections = show(path.stem).evaluate(SECTIONS)
    types = [kind for kind in slide_types(path) if kind in ("slide", "subslide")]
    starts = [i for i, kind in enumerate(types) if kind == "slide"]
    ends = [*starts[1:], len(types)]
    assert [len(slides) for slides in sections] == [
        end - start for start, end in zip(starts, ends, strict=True)
    ]
    assert {slides[0]["first"] for slides in sections} <= {"H1", "H2"}
    too_tall = [
        (i, j, slide["height"])
        for i, slides in enumerate(sections)
        for j, slide in enumerate(slides)
        if slide["height"] > TALLEST
    ]
    assert too_tall == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_what_belongs_to_the_learner_is_left_out(path: Path):
    for cell, kind in zip(nbformat.read(path, 4).cells, slide_types(path), strict=True):
        own = re.search(r"^(@check|exercise|quiz|device = set_up)\(", cell.source, re.MULTILINE)
        if cell.cell_type == "code" and own:
            assert kind == "skip", cell.source


def test_pictures_and_formulas_are_there_and_space_goes_on(show):
    page = show(EXECUTED)
    page.locator(".MathJax").first.wait_for(state="attached")
    pictures = page.evaluate(f"""() => {{
        ({SECTIONS})();
        return [...document.querySelectorAll(".jp-OutputArea-output :is(img, svg)")]
            .filter(picture => picture.getBoundingClientRect().width > 100).length;
    }}""")
    assert pictures >= 3
    page.reload()
    page.wait_for_selector(".reveal.ready")
    assert page.locator("section.present section.present h1").is_visible()
    page.keyboard.press("ArrowRight")
    page.locator("section.present section.present h2").wait_for()
    page.keyboard.press("Space")
    page.locator("section.present .fragment.visible").first.wait_for()
