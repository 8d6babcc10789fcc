"""What a teacher uses: the answer key, and plans whose minutes are those of the notebooks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from course_utils.course import NOTEBOOKS
from course_utils.lessons.answers import answer_key, main
from course_utils.lessons.exercises import EXERCISES

TEACHING = (Path(__file__).parents[1] / "TEACHING.md").read_text("utf-8")
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


def rows_of(heading: str) -> list[tuple[list[int], int]]:
    """Notebook numbers and minutes of each row of the table under a heading."""
    table = TEACHING.split(f"## {heading}")[1].split("\n## ")[0]
    rows = re.findall(r"^\| .*? \| ([\d, ]+) \| (\d+) \|", table, re.MULTILINE)
    return [([int(n) for n in numbers.split(",")], int(minutes)) for numbers, minutes in rows]


@pytest.mark.parametrize("heading", ["Two days", "Twelve weeks"])
def test_full_plans_cover_every_notebook_in_order_with_its_minutes(heading: str):
    rows = rows_of(heading)
    assert [number for numbers, _ in rows for number in numbers] == list(MINUTES)
    for numbers, minutes in rows:
        assert minutes == sum(MINUTES[number] for number in numbers)


def test_one_day_fits_into_a_day():
    rows = rows_of("One day")
    numbers = [number for row, _ in rows for number in row]
    assert numbers == sorted(set(numbers))
    assert 240 <= sum(minutes for _, minutes in rows) <= 360
    for row, minutes in rows:
        assert minutes <= sum(MINUTES[number] for number in row)


def test_what_it_names_exists():
    for module in re.findall(r"python -m (course_utils\.[\w.]+)", TEACHING):
        assert (Path(__file__).parents[1] / f"{module.replace('.', '/')}.py").exists(), module
