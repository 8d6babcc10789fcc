"""Finds the topics by their files, and what they hold by its key.

A topic is ``course_utils/topics/NAME.md``, and ``NAME.py`` beside it for what runs. Reading is
done once; a module is imported when one of its exercises is asked for.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from course_utils.lessons.entries import (
    Exercise,
    Guess,
    PatientText,
    Quiz,
    Saying,
    Term,
)
from course_utils.lessons.markdown import Entry, read_topic

TOPICS = files("course_utils.topics")


@functools.cache
def read_all() -> dict[str, dict[str, Entry]]:
    """What all topics hold, by kind of section and key."""
    names = sorted(path.name for path in TOPICS.iterdir() if path.name.endswith(".md"))
    found: dict[str, dict[str, Entry]] = {}
    for name in names:
        for entry in read_topic((TOPICS / name).read_text("utf-8"), f"topics/{name}"):
            same_kind = found.setdefault(entry.kind, {})
            if entry.key in same_kind:
                earlier = same_kind[entry.key].place
                entry.place.fail(f"{entry.kind} {entry.key!r} again, as in {earlier}", "it once")
            same_kind[entry.key] = entry
    return found


def _contents(kind: str) -> dict[str, Any]:
    return {key: entry.content for key, entry in read_all().get(kind, {}).items()}


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


def exercises() -> dict[str, Exercise]:
    """All exercises by key, in the order of their numbers."""
    found = _contents("Exercise")
    order = sorted(found, key=lambda key: [int(part) for part in found[key].number.split(".")])
    return {key: found[key] for key in order}


def find_exercise(key: str) -> Exercise:
    """The exercise of this key.

    Raises:
        KeyError: there is none.
    """
    return find(_contents("Exercise"), key, "exercise")


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
