"""The progress file: kept, merged, survived, collected."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.lessons import collect, collect_progress, progress
from course_utils.lessons.progress_view import progress_panel

ENTRY = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["not yet", "done", "right"]),
        "tries": st.integers(0, 9),
        "when": st.sampled_from([f"2030-01-0{day}T00:00:00.000+00:00" for day in range(1, 6)]),
    }
)
ITEMS = st.dictionaries(st.sampled_from(["exercise:a.b", "quiz:c/1", "guess:d.e"]), ENTRY)


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "_unsaved", {})
    return tmp_path / "progress.json"


def status(name: str) -> str | None:
    return progress.load().get(name, {}).get("status")


def uploaded(content: bytes) -> tuple[dict]:
    """What the browser sends for one chosen file."""
    now = datetime.now(UTC)
    return (
        {
            "name": "p.json",
            "type": "application/json",
            "size": len(content),
            "content": memoryview(content),
            "last_modified": now,
        },
    )


def test_recorded_and_read_again(path: Path):
    assert progress.record("exercise", "a.b", "not yet") == "Your progress is saved."
    progress.record("exercise", "a.b", "right")
    progress.record("exercise", "a.b", "not yet")
    progress.record("guess", "d.e", "done", answer="yes")
    assert status("exercise:a.b") == "right"
    assert progress.load()["exercise:a.b"]["tries"] == 3
    assert progress.load()["guess:d.e"]["answer"] == "yes"
    assert json.loads(path.read_text("utf-8"))["version"] == progress.VERSION
    assert not list(path.parent.glob("*.new-*"))


def test_default_place_is_beside_the_notebook_whatever_chdir_does(tmp_path):
    code = (
        "import os; from course_utils.lessons import progress; os.chdir('/');"
        "progress.record('exercise', 'a.b', 'right')"
    )
    env = {k: v for k, v in os.environ.items() if k != "COURSE_PROGRESS"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, check=True)
    assert (tmp_path / "course_progress.json").exists()


@given(ITEMS, ITEMS, ITEMS)
def test_merging_loses_nothing_in_any_order(one, two, three):
    def known(items):
        return {name: (e["status"], e["tries"], e["when"]) for name, e in items.items()}

    merge = progress.merge
    assert known(merge(one, two)) == known(merge(two, one))
    assert known(merge(merge(one, two), three)) == known(merge(one, merge(two, three)))
    assert merge(one, one) == one
    ranks = ["not yet", "done", "right"]
    for name, entry in one.items():
        merged = merge(two, one)[name]
        assert ranks.index(merged["status"]) >= ranks.index(entry["status"])
        assert merged["tries"] >= entry["tries"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"[]", b'{"items": 3}', b"null", b"[" * 100_000, b'{"items'],
)
def test_damaged_file_is_kept_aside(path: Path, content: bytes):
    path.write_bytes(content)
    assert progress.load() == {}
    said = progress.record("exercise", "a.b", "right")
    (aside,) = path.parent.glob("progress.json.damaged-*")
    assert aside.read_bytes() == content
    assert f"kept as {aside.name}" in said
    assert status("exercise:a.b") == "right"
    assert progress.record("exercise", "a.b", "right") == "Your progress is saved."


def test_sound_entries_of_a_damaged_file_are_saved(path: Path):
    progress.record("exercise", "a.b", "right")
    data = json.loads(path.read_text("utf-8"))
    data["items"] |= {"exercise:c.d": {"status": "perfect"}, "odd": 3, "quiz:e/1": []}
    path.write_text(json.dumps(data), "utf-8")
    assert "damaged" in progress.record("exercise", "c.e", "not yet")
    assert status("exercise:a.b") == "right"
    assert set(progress.load()) == {"exercise:a.b", "exercise:c.e"}


def test_read_only_file_is_left_alone_and_nothing_is_lost(path: Path):
    progress.record("exercise", "a.b", "right")
    before = path.read_bytes()
    path.chmod(0o444)
    for tries in (1, 2):
        said = progress.record("exercise", "c.d", "right")
        assert "could not be saved (the file is read-only)" in said
        assert path.read_bytes() == before
        assert progress.load()["exercise:c.d"]["tries"] == tries
    path.chmod(0o644)
    assert progress.record("exercise", "e.f", "right") == "Your progress is saved."
    kept = json.loads(path.read_text("utf-8"))["items"]
    assert set(kept) == {"exercise:a.b", "exercise:c.d", "exercise:e.f"}


def test_missing_folder_full_disk_and_folder_in_place_of_the_file(path: Path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(path.parent / "no" / "folder" / "p.json"))
    assert "could not be saved" in progress.record("exercise", "a.b", "right")
    monkeypatch.setenv("COURSE_PROGRESS", str(path.parent))
    assert "could not be saved" in progress.record("exercise", "a.b", "right")
    assert status("exercise:a.b") == "right"
    monkeypatch.setenv("COURSE_PROGRESS", str(path))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert "No space left" in progress.record("exercise", "a.b", "right")
    assert not list(path.parent.glob(".progress.json.new-*"))


def test_a_lock_that_is_never_given_back_is_survived(path: Path, monkeypatch):
    monkeypatch.setattr(progress, "_LOCK_SECONDS", 0.1)
    with progress._locked(path):
        assert "keeps the file locked" in progress.record("exercise", "a.b", "right")
    assert status("exercise:a.b") == "right"
    assert progress.record("exercise", "a.b", "right") == "Your progress is saved."


def test_two_notebooks_write_at_once(path: Path):
    code = (
        "import sys; from course_utils.lessons import progress\n"
        "for i in range(25): progress.record('exercise', f'{sys.argv[1]}.n{i}', 'right')"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("one", "two")]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert len(progress.load()) == 50


def test_download_and_restore(path: Path, monkeypatch):
    progress.record("exercise", "padding.pad_batch", "right")
    table = progress_panel().children[1].value
    assert "3.1 Pad a batch by hand: right" in table
    link = re.search(r'download="course_progress.json".*base64,([^"]+)"', table).group(1)
    content = base64.b64decode(link)
    path.unlink()
    panel = progress_panel()
    assert "3.1 Pad a batch by hand: open" in panel.children[1].value
    progress.record("exercise", "padding.padding_waste", "not yet")
    upload = panel.children[2]
    upload.value = uploaded(content)
    assert "Restored 1 entries" in panel.children[3].value
    assert "3.1 Pad a batch by hand: right" in panel.children[1].value
    assert "3.2 Measure the padding: begun" in panel.children[1].value
    assert upload.value == ()
    upload.value = uploaded(b"holiday.jpg")
    assert "not a progress file" in panel.children[3].value
    assert status("exercise:padding.pad_batch") == "right"


def test_many_learners_in_one_table(path: Path, tmp_path, capsys):
    progress.record("exercise", "a.b", "right")
    text = path.read_bytes()
    names = ["anna.json", "course_progress.json", "broken.json"]
    for folder, name, content in zip("xyz", names, [text, text, b"?"], strict=True):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(content)
    files = [tmp_path / folder / name for folder, name in zip("xyz", names, strict=True)]
    rows = collect_progress([*files, tmp_path / "absent.json"])
    assert [row["learner"] for row in rows] == ["anna", "y", "broken", "absent"]
    assert [row["status"] for row in rows] == ["right"] * 2 + ["file cannot be read"] * 2
    assert collect.main([str(file) for file in files]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert table[0]["kind"] == "exercise"
    assert table[0]["key"] == "a.b"
    assert len(table) == 3
    assert collect.main([]) == 2
