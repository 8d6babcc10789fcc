"""README.md: its picture, its table and its commands are what the project really has."""

from __future__ import annotations

import re
from pathlib import Path

from course_utils.course import NOTEBOOKS
from course_utils.data import SMALL_LENGTHS
from course_utils.lessons.topics import exercises
from course_utils.pictures import draw_readers

EXERCISES = exercises()
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PICTURE = ROOT / "notebooks" / "images" / "readers.svg"


def test_picture_is_what_the_code_draws(tmp_path: Path):
    draw_readers(SMALL_LENGTHS).save(tmp_path / "readers.svg")
    drawn = (tmp_path / "readers.svg").read_text("utf-8")
    assert drawn == PICTURE.read_text("utf-8"), (
        "redraw it: python -c 'from course_utils.pictures import draw_readers as d; "
        'd((5, 3, 7, 2)).save("notebooks/images/readers.svg")\''
    )
    assert "notebooks/images/readers.svg" in README


def work_on(number: int) -> int:
    """Minutes for the exercises of a notebook."""
    return sum(e.minutes for e in EXERCISES.values() if e.notebook == number)


def test_table_of_notebooks_is_the_course():
    pattern = r"\| (\d+) \| \[(.+)\]\(notebooks/(.+)\.ipynb\) \| (.+) \| (\d+) \| (\d+|–) \|"
    rows = re.findall(pattern, README)
    found = [(file, title, idea, int(minutes)) for _, title, file, idea, minutes, _ in rows]
    assert found == [notebook[:4] for notebook in NOTEBOOKS]
    assert [row[5] for row in rows] == [str(work_on(n.number) or "–") for n in NOTEBOOKS]
    assert [int(row[0]) for row in rows] == [notebook.number for notebook in NOTEBOOKS]


def test_course_lists_the_files_that_exist_in_an_order_that_can_be_read():
    files = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [notebook.file for notebook in NOTEBOOKS] == files
    for place, notebook in enumerate(NOTEBOOKS):
        assert set(notebook.needs) <= {earlier.file for earlier in NOTEBOOKS[:place]}


def test_links_to_files_lead_somewhere():
    targets = re.findall(r"\]\(([^)\s#]+)", README)
    assert "LICENSE" in targets
    for target in targets:
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_owner_and_repository_stand_in_one_place():
    assert len(re.findall(r"mybinder\.org/v2/gh/", README)) == 1


def test_top_level_holds_only_what_belongs_there():
    files = {"README.md", "TEACHING.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml"}
    files |= {"requirements.txt", "conftest.py"}
    folders = {"notebooks", "course_utils", "tests", "binder", "docs"}
    made_by_tools = {"course_utils.egg-info", "__pycache__"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - made_by_tools <= files | folders
