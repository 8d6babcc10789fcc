"""What a learner has done, in one small JSON file beside the notebooks.

``COURSE_PROGRESS`` names another file. Writing is atomic, and two notebooks may write at once.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

VERSION = 1
FILE_NAME = "course_progress.json"
_RANKS = ("not yet", "done", "right")  # a better status is never lost to a worse one
_START = Path.cwd()  # a learner's os.chdir must not move the file
_LOCK_SECONDS = 5.0

Entry = dict[str, Any]
Items = dict[str, Entry]

# What could not be written yet, by file: kept until the kernel stops.
_unsaved: dict[Path, Items] = {}


def progress_path() -> Path:
    """Where progress is kept."""
    named = os.environ.get("COURSE_PROGRESS")
    return (_START / (named or FILE_NAME)).resolve()


def load() -> Items:
    """All entries by ``kind:key``, such as ``"exercise:padding.pad_batch"``; never raises."""
    path = progress_path()
    try:
        items, _ = _read(path)
    except OSError:
        items = {}
    return merge(items, _unsaved.get(path, {}))


def record(kind: str, key: str, status: str, **details: Any) -> str:
    """Note one attempt; returns one sentence that says what became of it.

    Args:
        kind: ``"exercise"``, ``"quiz"`` or ``"guess"``.
        key: the exercise, question or guess.
        status: ``"right"``, ``"not yet"`` or ``"done"``.
        details: more to keep, such as ``answer="b"``.
    """

    def change(items: Items) -> Items:
        name = f"{kind}:{key}"
        tries = items.get(name, {}).get("tries", 0) + 1
        entry = {"status": status, "tries": tries, "when": _now(), **details}
        return merge(items, {name: entry})

    return _update(change)


def restore(text: str | bytes) -> str:
    """Merge a downloaded progress file into this one; returns one sentence on what happened."""
    try:
        found, clean = _parse(text)
    except ValueError:
        found, clean = {}, False
    if not found and not clean:
        return "This is not a progress file of this course: nothing was changed."
    return f"Restored {len(found)} entries. {_update(lambda items: merge(items, found))}"


def dump(items: Items) -> str:
    """The content of a progress file."""
    return json.dumps({"version": VERSION, "items": items}, indent=1, sort_keys=True) + "\n"


def merge(one: Items, other: Items) -> Items:
    """Both together: of each entry the best status, most tries, and the newest details."""
    merged = dict(one)
    for name, entry in other.items():
        mine = merged.get(name, entry)
        older, newer = sorted((mine, entry), key=lambda e: e["when"])
        merged[name] = {
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
            items, _ = _parse(path.read_bytes())
        except (OSError, ValueError):
            rows.append(_row(learner, "", "", {"status": "file cannot be read"}))
            continue
        for name, entry in sorted(items.items()):
            rows.append(_row(learner, *name.split(":", 1), entry))
    return rows


def _row(learner: str, kind: str, key: str, entry: Entry) -> Entry:
    columns = {name: entry.get(name, "") for name in ("status", "tries", "when")}
    return {"learner": learner, "kind": kind, "key": key, **columns}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _parse(text: str | bytes) -> tuple[Items, bool]:
    """The entries of a progress file that make sense, and whether all of them do.

    Raises:
        ValueError: not JSON, or nothing like a progress file.
    """
    data = json.loads(text)
    items = data.get("items") if isinstance(data, dict) else None
    if not isinstance(items, dict):
        raise ValueError("not a progress file")
    good = {name: entry for name, entry in items.items() if ":" in name and _is_entry(entry)}
    return good, len(good) == len(items)


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("status") in _RANKS
        and isinstance(entry.get("tries"), int)
        and isinstance(entry.get("when"), str)
    )


def _read(path: Path) -> tuple[Items, bool]:
    """The entries of a file, and whether it is sound; no file is an empty sound one.

    Raises:
        OSError: there is a file, and it cannot be read.
    """
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return {}, True
    except (ValueError, RecursionError):
        return {}, False


def _update(change: Callable[[Items], Items]) -> str:
    """Read, change and write the file under a lock; what cannot be written is kept in memory."""
    path = progress_path()
    kept = ""
    items = change(load())
    try:
        with _locked(path):
            items, sound = _read(path)
            if not sound:
                kept = f" The damaged progress file was kept as {_set_aside(path)}."
            items = change(merge(items, _unsaved.get(path, {})))
            _write(path, dump(items))
    except OSError as error:
        _unsaved[path] = items
        return (
            f"Your progress could not be saved ({error.strerror or error}). It is kept until the "
            "kernel stops; show_progress() lets you download it."
        )
    _unsaved.pop(path, None)
    return f"Your progress is saved.{kept}"


def _set_aside(path: Path) -> str:
    """Rename a damaged file, never over another one; returns its new name."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    os.replace(path, aside)
    return aside.name


def _write(path: Path, text: str) -> None:
    """Replace the file in one step: a reader sees the old content or the new."""
    if path.exists() and not path.stat().st_mode & 0o222:
        raise PermissionError(13, "the file is read-only")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.new-")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except OSError:  # a full disk, say: leave nothing behind
        os.unlink(name)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a progress file.

    Raises:
        TimeoutError: another notebook holds it all the time.
    """
    with open(path.with_name(f".{path.name}.lock"), "a+b") as file:
        end = time.monotonic() + _LOCK_SECONDS
        while not _try_lock(file):
            if time.monotonic() > end:
                raise TimeoutError("another notebook keeps the file locked")
            time.sleep(0.02)
        yield  # closing the file gives the lock back


def _try_lock(file: BinaryIO) -> bool:
    """Whether the lock was free; a file system without locks counts as free."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True
