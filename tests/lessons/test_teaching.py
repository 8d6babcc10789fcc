"""What a teacher uses: plans, the answer key, the settings for a class, and slides."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from solve import keys_in

from course_utils.course import NOTEBOOKS
from course_utils.lessons.answers import answer_key, main
from course_utils.lessons.topics import exercises

EXERCISES = exercises()
ROOT = Path(__file__).parents[2]
SHORT = ROOT / "notebooks" / "06_masked_loss.ipynb"
TEACHING = (ROOT / "TEACHING.md").read_text("utf-8")
MINUTES = {notebook.number: notebook.minutes for notebook in NOTEBOOKS}


def test_answer_key_has_every_exercise_with_solution_and_wrong_answers():
    key = answer_key(EXERCISES.values())
    for exercise in EXERCISES.values():
        section = key.split(f"## {exercise.number} {exercise.title}")[1].split("\n## ")[0]
        assert f"def {exercise.reference.__name__}(" in section
        shortest = min(exercise.wrong, key=lambda version: len(version.explanation))
        assert shortest.explanation in section


def test_answer_key_of_one_topic_and_of_an_unknown_one(capsys: pytest.CaptureFixture):
    assert main(["padding"]) == 0
    printed = capsys.readouterr().out
    assert "## 3.1" in printed
    assert "## 4.1" not in printed
    assert main(["nonsense"]) == 2
    assert "no exercise or topic 'nonsense'" in capsys.readouterr().err


def table_of(heading: str) -> str:
    """The part of the file under a heading."""
    return TEACHING.split(f"## {heading}\n")[1].split("\n## ")[0]


def minutes_of(numbers: list[str], exercises: list[str]) -> int:
    """Minutes for notebooks and exercises, by their numbers."""
    work = sum(exercise.minutes for exercise in EXERCISES.values() if exercise.number in exercises)
    return sum(MINUTES[int(number)] for number in numbers) + work


@pytest.mark.parametrize(("heading", "longest"), [("One day", 360), ("Two days", 720)])
def test_plans_add_up_and_fit_into_their_days(heading: str, longest: int):
    rows = re.findall(r"^\| .*? \| ([\d, ]+) \| ([\d., –]+) \| (\d+) \|", table_of(heading), re.M)
    covered = [int(number) for row in rows for number in row[0].split(", ")]
    assert covered == sorted(set(covered))
    if heading == "Two days":
        assert covered == list(MINUTES)
    for numbers, homework, minutes in rows:
        chosen = homework.replace("–", "").split(", ") if homework != "–" else []
        assert {exercise.partition(".")[0] for exercise in chosen} <= set(numbers.split(", "))
        assert int(minutes) == minutes_of(numbers.split(", "), chosen)
    assert longest / 2 < sum(int(row[2]) for row in rows) <= longest


def test_twelve_weeks_are_the_notebooks_with_all_exercises_to_hand_in():
    rows = re.findall(r"^\| \d+ \| (\d+) \| (\d+) \| (.*) \|", table_of("Twelve weeks"), re.M)
    assert [int(number) for number, _, _ in rows] == list(MINUTES)
    for number, minutes, to_hand_in in rows:
        assert int(minutes) == MINUTES[int(number)]
        work = any(e.notebook == int(number) for e in EXERCISES.values())
        assert ("exercises" in to_hand_in) == (work and number != "0")


def test_what_it_names_exists():
    for module in re.findall(r"python -m (course_utils\.[\w.]+)", TEACHING):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module


# The settings for a class, as a kernel meets them.


def first_exercise() -> nbformat.NotebookNode:
    """A notebook's setup cell, and the card and the cell of its first exercise."""
    notebook = nbformat.read(SHORT, 4)
    setup, *cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    card = next(cell for cell in cells if cell.source.startswith("exercise("))
    stub = next(cell for cell in cells if keys_in(cell.source))
    notebook.cells = [setup, card, stub]
    return notebook


@pytest.fixture
def convert(tmp_path: Path):
    """Function that runs a notebook with ``jupyter nbconvert`` under some settings."""

    def run(notebook: nbformat.NotebookNode, **settings: str) -> subprocess.CompletedProcess:
        nbformat.write(notebook, tmp_path / "answer.ipynb")
        command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute"]
        progress = str(tmp_path / "progress.json")
        return subprocess.run(
            [*command, "--output", "executed.ipynb", str(tmp_path / "answer.ipynb")],
            env={**os.environ, "COURSE_PROGRESS": progress, **settings},
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.slow
def test_a_wrong_answer_stops_a_notebook_if_the_mode_is_strict_and_no_answer_does_not(convert):
    wrong = first_exercise()
    wrong.cells[-1].source = re.sub(
        r"raise NotImplementedError\(.*\)", "return None", wrong.cells[-1].source
    )
    assert convert(wrong).returncode == 0
    strict = convert(wrong, COURSE_STRICT="1")
    assert strict.returncode != 0
    assert "WrongAnswer" in strict.stderr
    assert convert(first_exercise(), COURSE_STRICT="1").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["shown", "hidden"])
def test_hidden_solutions_are_nowhere_among_the_widgets(setting, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_SOLUTIONS", setting)
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    notebook = first_exercise()
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (state,) = notebook.metadata.widgets.values()
    values = str([widget["state"] for widget in state["state"].values()])
    assert "Hint 1 of" in values
    assert ("Show solution" in values) == (setting == "shown")
