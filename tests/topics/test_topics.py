"""The texts of the topics: how they are read, what is refused, and that each is used."""

from __future__ import annotations

import ast
import dataclasses
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import nbformat
import pytest

from course_utils.course import NOTEBOOKS
from course_utils.lessons import topics
from course_utils.lessons.entries import (
    Exercise,
    Guess,
    Option,
    PatientText,
    Question,
    Quiz,
    Saying,
    Term,
)
from course_utils.lessons.markdown import read_topic
from course_utils.lessons.sections import TextError

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# No cell asks them.
UNUSED_GUESSES = {"padding.stack", "padding.waste", "capstone.normalise"}

TOPIC = """# Padding

- notebook: 3

## Exercise 3.1: Pad by hand

- key: padding.pad_batch
- difficulty: 2
- minutes: 8

Stack sequences into `(B, T, F)`,
and keep *their* order.

1. Find `T`.
2. Use `torch.cat`:
   it keeps the gradient.

## Quiz: How padding works

- key: padding

### Question

What is `T`?

- [x] The longest length :: Every row has it.
- [ ] B * F :: That counts
  something else.

### Question (notebook 5)

Is it packed?

- [ ] Yes :: No.
- [X] No :: Yes: not yet.

## Guess: padding.stack

What does it do?

- [ ] It pads :: It never does.
- [x] It raises :: Shapes differ.

Why: Shapes differ.

## Guess: padding.waste (notebook 4)

- unit: per cent

How much?

Why: 6 of 21.

## Term: real step (notebook 2)

A step from the data.

## Patient: last column (notebook 7)

- symptom: Wrong alone
- test: Run it alone.

## Test: Alone

Run it alone.

## Message: `lengths` must be: sorted (notebook 5)

Pass `enforce_sorted=False`.
"""


def test_every_kind_of_section_is_read():
    yes, no = Option("The longest length", "Every row has it.", True), Option("Yes", "No.")
    raises = Option("It raises", "Shapes differ.", True)
    questions = (
        Question("What is `T`?", (yes, Option("B * F", "That counts something else.")), 3),
        Question("Is it packed?", (no, Option("No", "Yes: not yet.", True)), 5),
    )
    assert [(entry.kind, entry.content) for entry in read_topic(TOPIC, "padding.md")] == [
        (
            "Exercise",
            Exercise(
                "padding.pad_batch",
                "3.1",
                "Pad by hand",
                2,
                8,
                "Stack sequences into `(B, T, F)`, and keep *their* order.",
                ("Find `T`.", "Use `torch.cat`: it keeps the gradient."),
                "padding",
            ),
        ),
        ("Quiz", Quiz("padding", 3, "How padding works", questions)),
        (
            "Guess",
            Guess(
                "padding.stack",
                3,
                "What does it do?",
                "Shapes differ.",
                (Option("It pads", "It never does."), raises),
            ),
        ),
        ("Guess", Guess("padding.waste", 4, "How much?", "6 of 21.", (), "per cent")),
        ("Term", Term("real step", "A step from the data.", 2)),
        ("Patient", PatientText("last column", "Wrong alone", "Run it alone.", 7)),
        ("Test", Saying("Alone", "Run it alone.", 3)),
        ("Message", Saying("`lengths` must be: sorted", "Pass `enforce_sorted=False`.", 5)),
    ]


def test_windows_line_ends_read_the_same():
    lines = read_topic(TOPIC.replace("\n", "\r\n"), "padding.md")
    assert lines == read_topic(TOPIC, "padding.md")


# old text, new text, line of the message, what it says
FAULTS = [
    ("# Padding\n", "", 2, "found a line `- name: value` '3'; expected a title `# ...` first"),
    ("- minutes: 8", "# Again", 9, "found a heading 'Again'; expected one title"),
    (TOPIC[TOPIC.index("## Exercise") :], "", 1, "found no section"),
    ("- notebook: 3", "Some text", 3, "found a paragraph 'Some text'; expected only a line"),
    ("- notebook: 3", "- chapter: 3", 3, "found an unknown line `- chapter:`; expected one of"),
    ("- notebook: 3", "- notebook: III", 3, "'III'; expected a whole number from 0 to 99"),
    ("- notebook: 3", "", 18, "found no notebook; expected `- notebook: 3` below the title"),
    (
        "## Quiz: How",
        "## Quizz: How",
        18,
        "a section 'Quizz'; expected one of Exercise, Quiz",
    ),
    ("## Quiz: How padding works", "## Quiz", 18, "expected `## Kind: name`"),
    ("## Quiz: How", "#### Quiz: How", 18, "expected `## Kind: name`"),
    ("## Quiz: How padding works", "## ", 18, "found a heading without text"),
    ("### Question (notebook 5)", "### Task", 30, "'Task'; expected `### Question`"),
    ("## Term: real step", "### Question\n\n## Term: real step", 54, "below 'Guess'; expected it"),
    ("Exercise 3.1:", "Exercise 3:", 5, "expected `## Exercise 3.1: title`"),
    ("Pad by hand", "Pad by hand (notebook 4)", 5, "whose number names the notebook"),
    ("- difficulty: 2", "", 5, "found no line `- difficulty: ...` below the heading"),
    ("- difficulty: 2", "- dificulty: 2", 8, "unknown line `- dificulty:`; expected one of these"),
    ("- difficulty: 2", "- difficulty: 2\n- difficulty: 3", 9, "again, as in line 8; expected it"),
    ("- difficulty: 2", "- difficulty: 4", 8, "'4'; expected a whole number from 1 to 3"),
    ("- minutes: 8", "- minutes: eight", 9, "'eight'; expected a whole number from 1 to 60"),
    ("- minutes: 8", "- minutes:", 9, "found a line `- name: value` without text"),
    ("- key: padding.pad_batch", "- key: Pad it", 7, "'Pad it'; expected a key of small letters"),
    ("Stack sequences into `(B, T, F)`,\nand keep *their* order.", "", 5, "found no task below"),
    ("1. Find", "Then more.\n\n1. Find", 14, "'Then more.'; expected one paragraph, the task"),
    ("1. Find", "- [ ] Find :: it\n1. Find", 14, "found an option"),
    ("`(B, T, F)`", "`(B, T, F)", 11, "an odd number of backticks"),
    (
        "2. Use `torch.cat`:\n   it keeps the gradient.",
        "",
        5,
        "found too few hints, 1; expected two or more",
    ),
    ("2. Use", "3. Use", 15, "found hint 3; expected `2. ...`"),
    ("1. Find `T`.", "```python\n1. Find", 14, "found a block of code; expected text"),
    ("- key: padding\n", "- key: padding\n- placement:\n", 21, "without text"),
    ("- key: padding\n", "- key: padding\n\nSome text\n", 22, "found a paragraph 'Some text'"),
    (TOPIC[TOPIC.index("### Q") : TOPIC.index("## Guess")], "", 18, "a quiz without a question"),
    ("What is `T`?", "", 22, "found no question below the heading"),
    ("What is `T`?", "1. What?", 24, "found a numbered hint 'What?'; expected only a paragraph"),
    ("- [x] The", "- [ ] The", 22, "found no option marked as right; expected one `- [x]"),
    ("- [ ] B * F", "- [x] B * F", 27, "found a second right option 'B * F :: That counts"),
    ("- [ ] Yes :: No.\n", "", 30, "found too few options, 1; expected two or more"),
    ("- [ ] Yes ::", "- [ ] No ::", 35, "found the option 'No' again"),
    ("B * F :: That counts\n  something else.", "B * F", 27, "expected `text :: reason`"),
    ("B * F :: That counts\n  something else.", "B * F ::", 27, "expected `text :: reason`"),
    ("- [ ] B * F", "- [ ] :: B * F", 27, "expected `text :: reason`"),
    ("- [ ] B * F", "[ ] B * F", 26, "expected `text :: reason`, both of them, in one line"),
    ("- [ ] B * F", "- [] B * F", 27, "'- [] B * F :: That counts'; expected `- [ ] text"),
    ("- [ ] B * F", "* [ ] B * F", 27, "'* [ ] B * F :: That counts'; expected `- [ ] text"),
    ("- [ ] B * F", "- B * F", 27, "'- B * F :: That counts'; expected `- [ ] text"),
    ("B * F :: That counts", "`B * F :: That` counts", 27, "backticks in pairs on both sides"),
    ("- unit: per cent\n", "", 46, "found too few options, 0; expected two or more"),
    ("Why: 6 of 21.", "- [x] 6 :: Of 21.\n\nWhy: 6.", 48, "expected either options or a unit"),
    ("Why: 6 of 21.", "It is 6.", 46, "found 0 paragraphs `Why: ...`; expected one"),
    ("How much?\n", "How much?\n\nOf 21?\n", 46, "found 3 paragraphs; expected the question, then"),
    ("How much?\n\nWhy: 6 of 21.", "Why: 6 of 21.\n\nHow much?", 46, "expected the question, then"),
    ("A step from the data.", "", 54, "found no meaning below the heading"),
    ("- symptom: Wrong alone\n", "", 58, "found no line `- symptom: ...` below the heading"),
    ("Pass `enforce_sorted=False`.", "", 67, "found no advice below the heading"),
]


@pytest.mark.parametrize(("old", "new", "line", "said"), FAULTS, ids=[f[3] for f in FAULTS])
def test_a_fault_is_told_with_file_and_line(old: str, new: str, line: int, said: str):
    assert old in TOPIC
    with pytest.raises(TextError) as error:
        read_topic(TOPIC.replace(old, new, 1), "padding.md")
    assert str(error.value).startswith(f"padding.md, line {line}: found ")
    assert said in str(error.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of topics in place of the course's."""
    monkeypatch.setattr(topics, "TOPICS", tmp_path)
    topics.read_all.cache_clear()
    yield tmp_path
    topics.read_all.cache_clear()


def test_a_topic_is_found_by_its_file_whatever_its_keys(folder: Path):
    (folder / "ragged.md").write_text(TOPIC, "utf-8")
    (folder / "notes.txt").write_text("no topic", "utf-8")
    assert list(topics.exercises()) == ["padding.pad_batch"]
    assert topics.find_exercise("padding.pad_batch").topic == "ragged"
    with pytest.raises(KeyError, match=r"did you mean 'padding\.pad_batch'"):
        topics.find_exercise("padding.pad_batches")


def test_the_same_key_in_two_files_is_refused(folder: Path):
    (folder / "a.md").write_text(TOPIC, "utf-8")
    (folder / "b.md").write_text(TOPIC, "utf-8")
    with pytest.raises(TextError, match=r"b\.md, line 5: .*again, as in .*a\.md, line 5; expected"):
        topics.exercises()


def test_files_are_read_once(folder: Path):
    (folder / "a.md").write_text(TOPIC, "utf-8")
    assert len(topics.guesses()) == 2
    (folder / "a.md").unlink()
    assert len(topics.guesses()) == 2


def test_an_exercise_imports_its_own_topic_alone():
    code = (
        "import sys\n"
        "from course_utils.lessons.topics import find_exercise\n"
        "exercise = find_exercise('devices.scaled_loss')\n"
        "loaded = lambda: {m for m in sys.modules if m.startswith('course_utils.topics.')}\n"
        "assert not loaded()\n"
        "assert exercise.solution.key == 'devices.scaled_loss'\n"
        "assert loaded() == {'course_utils.topics.several_devices'}, loaded()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_text_without_a_solution_is_told():
    exercise = dataclasses.replace(topics.find_exercise("padding.pad_batch"), key="padding.none")
    with pytest.raises(KeyError, match=r"topics/padding\.py has no solution 'padding\.none'"):
        _ = exercise.solution


# What the course has.


def test_every_file_holds_something_and_every_topic_that_runs_has_a_text():
    entries = [entry for by_key in topics.read_all().values() for entry in by_key.values()]
    read = {Path(entry.place.file).stem for entry in entries}
    folder = ROOT / "course_utils" / "topics"
    assert read == {path.stem for path in folder.glob("*.md")}
    assert {path.stem for path in folder.glob("[!_]*.py")} <= read


def test_exercises_are_numbered_in_the_order_of_their_file():
    numbers = [text.number for text in topics.exercises().values()]
    assert len(set(numbers)) == len(numbers)
    in_files = [entry.content for entry in topics.read_all()["Exercise"].values()]
    for number in {text.notebook for text in in_files}:
        mine = [text.number for text in in_files if text.notebook == number]
        assert mine == [f"{number}.{place}" for place in range(1, len(mine) + 1)]


def test_notebooks_that_texts_name_exist():
    found = {notebook.number for notebook in NOTEBOOKS}
    for by_key in topics.read_all().values():
        for key, entry in by_key.items():
            assert entry.content.notebook in found, key
    for quiz in topics.quizzes().values():
        assert {question.notebook for question in quiz.questions} <= found


def calls_in(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """The lessons' functions that a notebook calls, with the texts that they are given."""
    names = {"exercise", "check", "quiz", "guess", "glossary"}
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    return [
        (node.func.id, tuple(argument.value for argument in node.args))
        for source in cells
        for node in ast.walk(ast.parse(re.sub(r"^[%!].*", "", source, flags=re.M)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names
    ]


CALLS = {int(path.stem[:2]): calls_in(path) for path in PATHS}


@pytest.mark.parametrize(
    ("function", "entries", "unused"),
    [
        ("exercise", topics.exercises(), set()),
        ("check", topics.exercises(), set()),
        ("quiz", topics.quizzes(), set()),
        ("guess", topics.guesses(), UNUSED_GUESSES),
    ],
    ids=["exercise", "check", "quiz", "guess"],
)
def test_each_text_is_used_by_its_notebook_and_by_no_other(function, entries, unused):
    used = {
        (number, key)
        for number, calls in CALLS.items()
        for name, keys in calls
        for key in keys
        if name == function
    }
    own = {(entry.notebook, key) for key, entry in entries.items() if key not in unused}
    assert used == own
    assert unused <= set(entries)


def test_the_glossary_is_shown_as_a_whole_and_asked_for_known_terms():
    asked = [keys for calls in CALLS.values() for name, keys in calls if name == "glossary"]
    assert () in asked
    assert {term for keys in asked for term in keys} <= set(topics.terms())


def test_a_wheel_has_the_texts():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "*.md" in settings["tool"]["setuptools"]["package-data"]["course_utils.topics"]
    for path in (ROOT / "course_utils" / "topics").glob("*.md"):
        packed = files("course_utils.topics") / path.name
        assert packed.read_text("utf-8") == path.read_text("utf-8")


@pytest.mark.slow
def test_a_wheel_that_is_built_has_the_texts(tmp_path: Path):
    shutil.copytree(ROOT / "course_utils", tmp_path / "course_utils")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "wheels", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("wheels/*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".md")}
    texts = (ROOT / "course_utils" / "topics").glob("*.md")
    assert {f"course_utils/topics/{path.name}" for path in texts} <= packed
