"""What a learner has done, as a log beside the notebooks: one line of JSON for each attempt.

Attempts are added at the end, under a lock, so that several notebooks may write at once. A line::

    {"name": "quiz:padding/1", "status": "right", "tries": 2, "when": "2030-01-31T12:00:00.000Z"}

``name`` is a kind (``exercise``, ``quiz``, ``guess``) and a key. ``status`` is ``right``, ``done``
or ``not yet``. ``tries`` counts the attempts up to this one, and ``when`` is its time in UTC. More
may follow, such as ``"answer": "b"``. Lines may come in any order and more than once, so
files are merged by putting one after the other. A line that cannot be read is passed over.

The file may also hold, or begin with, one object ``{"items": {name: {"status": ..., ...}}}``, as it
was once written. ``COURSE_PROGRESS`` names another file.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

FILE_NAME = "course_progress.json"
_RANKS = ("not yet", "done", "right")  # a better status is never lost to a worse one
_START = Path.cwd()  # a learner's os.chdir must not move the file
_LOCK_SECONDS = 5.0
_MOST_BYTES = 200_000  # every exercise, question and guess of the course, some ten times each
_decode = json.JSONDecoder().raw_decode
_BLANK = re.compile(r"\s*")

Entry = dict[str, Any]  # an attempt, or what is known after several
Items = dict[str, Entry]  # by name, which the entry does not repeat

# What could not be written yet, by file: kept until the kernel stops.
_unsaved: dict[Path, list[Entry]] = {}


def progress_path() -> Path:
    """Where progress is kept."""
    named = os.environ.get("COURSE_PROGRESS")
    return (_START / (named or FILE_NAME)).resolve()


def load() -> Items:
    """All entries by ``kind:key``, such as ``"exercise:padding.pad_batch"``; never raises."""
    path = progress_path()
    try:
        attempts, _ = _parse(_read(path))
    except OSError:
        attempts = []
    return merge([*attempts, *_unsaved.get(path, [])])


def record(kind: str, key: str, status: str, **details: Any) -> str:
    """Note one attempt; returns one sentence that says what became of it.

    Args:
        kind: ``"exercise"``, ``"quiz"`` or ``"guess"``.
        key: the exercise, question or guess.
        status: ``"right"``, ``"not yet"`` or ``"done"``.
        details: more to keep, such as ``answer="b"``.
    """
    name = f"{kind}:{key}"
    now = datetime.now(UTC).isoformat(timespec="milliseconds")

    def attempt(items: Items) -> list[Entry]:
        tries = items.get(name, {}).get("tries", 0) + 1
        return [{"name": name, "status": status, "tries": tries, "when": now, **details}]

    return _add(attempt)


def restore(text: str | bytes) -> str:
    """Add a downloaded progress file to this one; returns one sentence on what happened."""
    attempts, damaged = _parse(text if isinstance(text, bytes) else text.encode())
    if damaged and not attempts:
        return "This is not a progress file of this course: nothing was changed."
    return f"Restored {len(merge(attempts))} entries. {_add(lambda items: attempts)}"


def dump(items: Items) -> str:
    """The content of a progress file, one line an entry."""
    return "".join(_line({"name": name, **items[name]}) for name in sorted(items))


def merge(attempts: Iterable[Entry]) -> Items:
    """What is known after attempts: the best status, most tries, and the newest details."""
    merged: Items = {}
    for attempt in attempts:
        entry = {field: value for field, value in attempt.items() if field != "name"}
        mine = merged.get(attempt["name"], entry)
        older, newer = (mine, entry) if mine["when"] <= entry["when"] else (entry, mine)
        merged[attempt["name"]] = {
            **older,
            **newer,
            "status": max(mine["status"], entry["status"], key=_RANKS.index),
            "tries": max(mine["tries"], entry["tries"]),
        }
    return merged


def collect_progress(paths: Iterable[str | Path]) -> list[Entry]:
    """One row for each learner and entry of many progress files, for a teacher.

    The learner is the file's name without ending, or its folder's name where the file has its
    usual name. A file that cannot be read gives one row that says so.
    """
    rows = []
    for path in map(Path, paths):
        learner = path.resolve().parent.name if path.name == FILE_NAME else path.stem
        try:
            attempts, damaged = _parse(path.read_bytes())
        except OSError:
            attempts, damaged = [], 1
        if damaged and not attempts:
            rows.append(_row(learner, "", "", {"status": "file cannot be read"}))
        for name, entry in sorted(merge(attempts).items()):
            rows.append(_row(learner, *name.split(":", 1), entry))
    return rows


def _row(learner: str, kind: str, key: str, entry: Entry) -> Entry:
    columns = {name: entry.get(name, "") for name in ("status", "tries", "when")}
    return {"learner": learner, "kind": kind, "key": key, **columns}


def _line(attempt: Entry) -> str:
    return json.dumps(attempt) + "\n"


def _read(path: Path) -> bytes:
    """What is in the file; nothing where there is none.

    Raises:
        OSError: there is a file, and it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _parse(content: bytes) -> tuple[list[Entry], int]:
    """The attempts in a file, and how many lines or entries make no sense."""
    text = content.decode("utf-8-sig", errors="replace").strip()
    attempts, damaged, start = [], 0, 0
    while start < len(text):
        try:
            value, end = _decode(text, start)
        except (ValueError, RecursionError):
            value, end = None, text.find("\n", start)
            end = end if end > 0 else len(text)
        for attempt in _attempts(value):
            if _is_attempt(attempt):
                attempts.append(attempt)
            else:
                damaged += 1
        start = _BLANK.match(text, end).end()
    return attempts, damaged


def _attempts(value: Any) -> Iterable[Any]:
    """The attempts in one value of a file: itself, or the items of the object of old."""
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, dict):
        return [value]
    return [
        {**entry, "name": name} if isinstance(entry, dict) else None
        for name, entry in items.items()
    ]


def _is_attempt(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and ":" in value["name"]
        and value.get("status") in _RANKS
        and isinstance(value.get("tries"), int)
        and isinstance(value.get("when"), str)
    )


def _add(attempts: Callable[[Items], list[Entry]]) -> str:
    """Add the attempts that follow from what is known; what cannot be written stays in memory."""
    path = progress_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS):
            kept = _write(path, attempts)
    except OSError as error:
        _unsaved.setdefault(path, []).extend(attempts(load()))
        held = "another notebook keeps the file locked" if isinstance(error, Timeout) else None
        return (
            f"Your progress could not be saved ({held or error.strerror or error}). It is kept "
            "until the kernel stops; show_progress() lets you download it."
        )
    _unsaved.pop(path, None)
    return f"Your progress is saved.{kept}"


def _write(path: Path, attempts: Callable[[Items], list[Entry]]) -> str:
    """Add attempts and all unsaved ones to a file; returns what else is to be said."""
    content = _read(path)
    there, damaged = _parse(content)
    there += _unsaved.get(path, [])
    new = [*_unsaved.get(path, []), *attempts(merge(there))]
    if not damaged and len(content) < _MOST_BYTES:
        _append(path, content, "".join(map(_line, new)).encode())
        return ""
    aside = _copied_aside(path) if damaged else ""
    _replace(path, dump(merge([*there, *new])))
    return f" What was damaged in it was passed over; a copy is kept as {aside}." if aside else ""


def _append(path: Path, content: bytes, lines: bytes) -> None:
    """Write lines behind the content of a file, all or none of them."""
    if content and not content.endswith(b"\n"):
        lines = b"\n" + lines
    with open(path, "ab", buffering=0) as file:
        try:
            if file.write(lines) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:  # a full disk, say
            file.truncate(len(content))
            raise


def _replace(path: Path, text: str) -> None:
    """Write a file anew in one step: a reader sees the old content or the new."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, "utf-8")
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _copied_aside(path: Path) -> str:
    """Copy a damaged file, never over another one; returns the copy's name."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    return shutil.copyfile(path, path.with_name(f"{path.name}.damaged-{stamp}")).name
