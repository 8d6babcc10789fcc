"""Finds the topics by their files, and what they hold by its key.

A topic is ``course_utils/topics/NAME.md``, and ``NAME.py`` beside it for what runs. Reading is
done once; a module is imported when one of its exercises is asked for.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from course_utils.lessons.entries import (
    Exercise,
    ExerciseText,
    Guess,
    PatientText,
    Quiz,
    Saying,
    Term,
)
from course_utils.lessons.exercises import EXERCISES
from course_utils.lessons.reading import Entry, read_topic

TOPICS = files("course_utils.topics")


@functools.cache
def read_all() -> dict[str, dict[str, tuple[str, Entry]]]:
    """Kind and key -> name of the topic, and what stands there."""
    names = sorted(path.name for path in TOPICS.iterdir() if path.name.endswith(".md"))
    found: dict[str, dict[str, tuple[str, Entry]]] = {}
    for name in names:
        for entry in read_topic((TOPICS / name).read_text("utf-8"), f"topics/{name}"):
            same_kind = found.setdefault(entry.kind, {})
            if entry.key in same_kind:
                earlier = same_kind[entry.key][1].place
                entry.place.fail(f"{entry.kind} {entry.key!r} again, as in {earlier}", "it once")
            same_kind[entry.key] = (name.removesuffix(".md"), entry)
    return found


def _contents(kind: str) -> dict[str, Any]:
    return {key: entry.content for key, (_, entry) in read_all().get(kind, {}).items()}


def find(entries: Mapping[str, Any], key: str, what: str) -> Any:
    """The entry of this key.

    Raises:
        KeyError: there is none; the message has the nearest key, or all of them.
    """
    if key in entries:
        return entries[key]
    close = difflib.get_close_matches(key, entries, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"there are {sorted(entries)}"
    raise KeyError(f"there is no {what} {key!r}: {advice}")


def exercise_texts() -> dict[str, ExerciseText]:
    """What is read of all exercises, by key, in the order of their numbers."""
    texts = _contents("Exercise")
    order = sorted(texts, key=lambda key: [int(part) for part in texts[key].number.split(".")])
    return {key: texts[key] for key in order}


def exercises() -> dict[str, Exercise]:
    """All exercises by key, in the order of their numbers."""
    return {key: find_exercise(key) for key in exercise_texts()}


def find_exercise(key: str) -> Exercise:
    """The exercise of this key: what is read of it, and what runs.

    Raises:
        KeyError: there is none.
    """
    texts = find(exercise_texts(), key, "exercise")
    return dataclasses.replace(EXERCISES[key], **vars(texts))


def topic_of(key: str) -> str:
    """The name of the topic in whose file the exercise of this key stands."""
    return find(read_all()["Exercise"], key, "exercise")[0]


def quizzes() -> dict[str, Quiz]:
    """All quizzes by key, in the order of their notebooks."""
    return _by_notebook(_contents("Quiz"))


def guesses() -> dict[str, Guess]:
    """All guesses by key, in the order of their notebooks."""
    return _by_notebook(_contents("Guess"))


def terms() -> dict[str, Term]:
    """The glossary, by name, in alphabetical order."""
    found = _contents("Term")
    return {name: found[name] for name in sorted(found)}


def patient_texts() -> dict[str, PatientText]:
    """What is read of the clinic's patients, by name, in the order of the file."""
    return _contents("Patient")


def sayings(kind: str) -> list[Saying]:
    """Rows of the field guide: of kind ``"Test"``, or ``"Message"`` for PyTorch's own words."""
    return list(_contents(kind).values())


def _by_notebook(entries: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(entries.items(), key=lambda item: item[1].notebook))
