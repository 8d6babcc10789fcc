"""The progress file: kept, merged, survived, collected."""

from __future__ import annotations

import base64
import csv
import errno
import io
import itertools
import json
import os
import re
import subprocess
import sys
import warnings
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
    attempts = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [attempt["status"] for attempt in attempts] == ["not yet", "right", "not yet", "done"]
    assert [attempt["tries"] for attempt in attempts] == [1, 2, 3, 1]
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f".{path.name}.lock"}


def test_default_place_is_beside_the_notebook_whatever_chdir_does(tmp_path):
    code = (
        "import os; from course_utils.lessons import progress; os.chdir('/');"
        "progress.record('exercise', 'a.b', 'right')"
    )
    env = {k: v for k, v in os.environ.items() if k != "COURSE_PROGRESS"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, check=True)
    assert (tmp_path / "course_progress.json").exists()


def lines(items: dict[str, dict]) -> list[dict]:
    return [{"name": name, **entry} for name, entry in items.items()]


@given(ITEMS, ITEMS, st.randoms())
def test_merging_loses_nothing_in_any_order(one, two, random):
    def known(attempts):
        items = progress.merge(attempts)
        return {name: (e["status"], e["tries"], e["when"]) for name, e in items.items()}

    together = lines(one) + lines(two)
    mixed = together + random.choices(together, k=5) if together else []
    random.shuffle(mixed)
    assert known(mixed) == known(together)
    assert progress.merge(lines(one)) == one
    ranks = ["not yet", "done", "right"]
    for name, entry in one.items():
        merged = progress.merge(together)[name]
        assert ranks.index(merged["status"]) >= ranks.index(entry["status"])
        assert merged["tries"] >= entry["tries"]


@given(ITEMS, ITEMS, ITEMS)
def test_files_one_behind_the_other_are_one_file(one, two, old):
    before = json.dumps({"version": 1, "items": old}, indent=1, sort_keys=True)
    content = progress.dump(one) + before + "\n" + progress.dump(two)
    attempts, damaged = progress._parse(content.encode())
    assert progress.merge(attempts) == progress.merge(lines(one) + lines(old) + lines(two))
    assert damaged == 0


OLD = """{
 "items": {
  "exercise:a.b": {
   "status": "right",
   "tries": 3,
   "when": "2026-01-05T00:00:00.000+00:00"
  },
  "guess:d.e": {
   "answer": "yes",
   "status": "done",
   "tries": 1,
   "when": "2026-01-06T00:00:00.000+00:00"
  }
 },
 "version": 1
}
"""


@pytest.mark.parametrize("old", [OLD, OLD.strip(), json.dumps(json.loads(OLD)), "\ufeff" + OLD])
def test_a_file_of_old_is_read_and_goes_on(path: Path, old: str):
    path.write_text(old, "utf-8")
    assert progress.load()["exercise:a.b"]["tries"] == 3
    assert progress.record("exercise", "a.b", "not yet") == "Your progress is saved."
    assert path.read_text("utf-8").startswith(old)
    entry = progress.load()["exercise:a.b"]
    assert (entry["status"], entry["tries"]) == ("right", 4)
    assert progress.load()["guess:d.e"]["answer"] == "yes"
    path.unlink()
    assert "Restored 2 entries" in progress.restore(old)
    assert progress.load()["exercise:a.b"]["when"] == "2026-01-05T00:00:00.000+00:00"


def test_a_log_that_grew_beyond_need_is_written_anew_and_knows_the_same(path: Path, monkeypatch):
    monkeypatch.setattr(progress, "_MOST_BYTES", 2000)
    sizes = []
    for number in range(60):
        status = "right" if number == 7 else "not yet"
        assert progress.record("exercise", f"a.n{number % 3}", status) == "Your progress is saved."
        sizes.append(path.stat().st_size)
    assert max(sizes) < 2400
    assert any(later < earlier for earlier, later in itertools.pairwise(sizes))
    assert [progress.load()[f"exercise:a.n{n}"]["tries"] for n in range(3)] == [20] * 3
    assert status_of_all() == {
        "exercise:a.n0": "not yet",
        "exercise:a.n1": "right",
        "exercise:a.n2": "not yet",
    }
    assert not list(path.parent.glob("*.damaged-*"))


def status_of_all() -> dict[str, str]:
    return {name: entry["status"] for name, entry in progress.load().items()}


@pytest.mark.parametrize(
    "content", [b"{", b"\xff\xfe\x00", b"[]", b'{"items": 3}', b"null", b"[" * 100_000, b'{"items']
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


def test_sound_entries_of_a_damaged_file_of_old_are_saved(path: Path):
    data = json.loads(OLD)
    data["items"] |= {"exercise:c.d": {"status": "perfect"}, "odd": 3, "quiz:e/1": []}
    path.write_text(json.dumps(data), "utf-8")
    assert "damaged" in progress.record("exercise", "c.e", "not yet")
    assert set(progress.load()) == {"exercise:a.b", "guess:d.e", "exercise:c.e"}


@given(st.integers(0, 9), st.data())
def test_damage_costs_the_lines_that_it_meets_and_no_other(number: int, data):
    entry = {"status": "right", "tries": 1, "when": "2030-01-01T00:00:00.000+00:00"}
    whole = progress.dump({f"exercise:a.n{n}": entry for n in range(10)}).encode()
    line = whole.splitlines(keepends=True)
    keep = data.draw(st.integers(0, len(line[number]) - 2))
    junk = data.draw(st.binary(max_size=9)).replace(b"\n", b"")
    line[number] = line[number][:keep] + junk + b"\n"
    found, _ = progress._parse(b"".join(line))
    others = {f"exercise:a.n{n}" for n in range(10) if n != number}
    assert {attempt["name"] for attempt in found} >= others


def test_a_line_torn_off_at_the_end_is_not_glued_to_the_next_one(path: Path):
    progress.record("exercise", "a.b", "right")
    with path.open("ab") as file:
        file.write(b'{"name": "exercise:c.d", "sta')
    assert set(progress.load()) == {"exercise:a.b"}
    assert "damaged" in progress.record("exercise", "e.f", "right")
    assert set(progress.load()) == {"exercise:a.b", "exercise:e.f"}
    path.write_bytes(path.read_bytes().rstrip())  # as some editors leave a file
    assert progress.record("exercise", "g.h", "right") == "Your progress is saved."
    assert len(path.read_bytes().splitlines()) == 3


def test_a_missing_folder_is_made_and_a_folder_in_place_of_the_file_is_survived(
    path: Path, monkeypatch
):
    monkeypatch.setenv("COURSE_PROGRESS", str(path.parent / "no" / "folder" / "p.json"))
    assert progress.load() == {}
    assert progress.record("exercise", "c.d", "right") == "Your progress is saved."
    assert (path.parent / "no" / "folder" / "p.json").exists()
    monkeypatch.setenv("COURSE_PROGRESS", str(path.parent))
    assert "could not be saved" in progress.record("exercise", "a.b", "right")
    assert set(progress.load()) == {"exercise:a.b"}


def test_what_a_full_disk_took_half_of_is_taken_back_and_kept_until_there_is_room(
    path: Path, monkeypatch
):
    progress.record("exercise", "a.b", "right")
    before = path.read_bytes()

    class HalfWritten(io.FileIO):
        def write(self, data):
            return super().write(data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(
            progress, "open", lambda path, *_, **__: HalfWritten(path, "a"), raising=False
        )
        for tries in (1, 2):
            assert "No space left" in progress.record("exercise", "c.d", "right")
            assert path.read_bytes() == before
            assert progress.load()["exercise:c.d"]["tries"] == tries
    assert progress.record("exercise", "e.f", "right") == "Your progress is saved."
    attempts, damaged = progress._parse(path.read_bytes())
    assert [attempt["name"][9:] for attempt in attempts] == ["a.b", "c.d", "c.d", "e.f"]
    assert not damaged


def test_a_file_that_cannot_be_written_anew_stays_as_it_is(path: Path, monkeypatch):
    path.write_bytes(b"damaged")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert "No space left" in progress.record("exercise", "a.b", "right")
    assert path.read_bytes() == b"damaged"
    assert not list(path.parent.glob(".*.new"))
    assert "damaged" in progress.record("exercise", "c.d", "right")
    assert set(progress.load()) == {"exercise:a.b", "exercise:c.d"}


HOLDS = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    input()
"""


def test_a_lock_that_is_never_given_back_is_survived(path: Path, monkeypatch):
    monkeypatch.setattr(progress, "_LOCK_SECONDS", 0.1)
    command = [sys.executable, "-c", HOLDS, str(path.with_name(".progress.json.lock"))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        assert "keeps the file locked" in progress.record("exercise", "a.b", "right")
        assert status("exercise:a.b") == "right"
        holder.communicate("\n")
    assert progress.record("exercise", "a.b", "right") == "Your progress is saved."
    assert progress.load()["exercise:a.b"]["tries"] == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows locks by other means")
def test_a_file_system_without_locks_is_written_all_the_same(path: Path, monkeypatch):
    import fcntl

    def missing(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # filelock's, which the kernel's user need not see
            assert progress.record("exercise", "a.b", "right") == "Your progress is saved."
    assert progress.load()["exercise:a.b"]["tries"] == 2


def test_two_notebooks_write_at_once(path: Path):
    code = (
        "import sys; from course_utils.lessons import progress\n"
        "for i in range(25):\n"
        "    progress.record('exercise', f'{sys.argv[1]}.n{i}', 'right')\n"
        "    progress.record('exercise', 'both', 'right')"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("one", "two")]
    assert [run.wait(120) for run in runs] == [0, 0]
    items = progress.load()
    assert len(items) == 51
    assert items["exercise:both"]["tries"] == 50


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
    upload.value = uploaded(OLD.encode())
    assert "Restored 2 entries" in panel.children[3].value
    assert progress.load()["exercise:a.b"]["tries"] == 3
    upload.value = uploaded(b"holiday.jpg")
    assert "not a progress file" in panel.children[3].value
    assert status("exercise:padding.pad_batch") == "right"


def test_many_learners_in_one_table(path: Path, tmp_path, capsys):
    progress.record("exercise", "a.b", "right")
    text = path.read_bytes()
    old = json.dumps({"version": 1, "items": progress.load()}).encode()
    names = ["anna.json", "course_progress.json", "broken.json"]
    for folder, name, content in zip("xyz", names, [text, old, b"?"], strict=True):
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
