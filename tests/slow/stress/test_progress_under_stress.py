"""The progress file while many processes write, die, and meet full, damaged, forbidden disks."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rough_kernel import heed_modes

from course_utils.lessons import progress

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to kill and stop with"),
]
SAVED = "Your progress is saved."
SHARED, WRITES = "exercise:all.together", 300

# Writes, in turn, an entry of its own and one that all share; prints every one that is saved.
WRITER = """
import sys
import progress
for i in range(int(sys.argv[2])):
    for key in (f"{sys.argv[1]}.n{i % 20}", "all.together"):
        while "is saved" not in (said := progress.record("exercise", key, "right")):
            print("#", said, flush=True)
        print(f"exercise:{key}", flush=True)
"""

# Ends in the middle of a write, with the lock in its hands and half a line in the file.
DIES_WRITING = """
import os, signal
import progress
def write_half(path, content, lines):
    with open(path, "ab") as file:
        file.write(lines[:len(lines) // 2])
    os.kill(os.getpid(), signal.{signal})
progress._append = write_half
progress.record("exercise", "its.own", "right")
"""


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "_unsaved", {})
    return tmp_path / "progress.json"


@pytest.fixture
def start():
    """Function that starts Python on a program; what still runs at the end is killed."""
    running = []

    def start_one(program: str, *arguments: object, before: list[str] | None = None, **options):
        command = [*(before or []), sys.executable, "-c", program, *map(str, arguments)]
        # The module by itself, which loads in no time: the package would bring torch.
        environment = {**os.environ, "PYTHONPATH": str(Path(progress.__file__).parent)}
        running.append(subprocess.Popen(command, text=True, env=environment, **options))
        return running[-1]

    yield start_one
    for process in running:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.005)


def tries(path: Path) -> dict[str, int]:
    """Name -> tries in the file, which must be sound."""
    if not path.exists():
        return {}
    attempts, damaged = progress._parse(path.read_bytes())
    assert not damaged
    return {name: entry["tries"] for name, entry in progress.merge(attempts).items()}


def test_no_record_is_lost_while_four_write_and_others_are_killed(path: Path, start, tmp_path):
    logs = [tmp_path / f"log{number}" for number in range(12)]

    def writer(number: int) -> subprocess.Popen:
        with logs[number].open("w") as log:
            return start(WRITER, f"w{number}", WRITES, stdout=log)

    writers, known = [writer(number) for number in range(4)], 0
    for number in range(4, 12):
        victim = writer(number)
        wait_until(lambda n=number: len(logs[n].read_text()) > 500)
        victim.kill()
        victim.wait()
        found = sum(tries(path).values())
        assert found >= known
        known = found
    assert [process.wait(120) for process in writers] == [0] * 4

    saved = [line for log in logs for line in log.read_text().splitlines() if line[0] != "#"]
    expected, found = {name: saved.count(name) for name in set(saved)}, tries(path)
    assert expected[SHARED] > 4 * WRITES
    # Each of the eight killed may have saved one that it had no time to print.
    assert all(found[name] - expected[name] in range(9) for name in expected)
    assert sum(found.values()) - len(saved) in range(9)
    assert not list(path.parent.glob("*.damaged-*"))
    assert not list(path.parent.glob(".*.new"))


def test_a_writer_killed_in_the_middle_keeps_nobody_waiting(path: Path, start, monkeypatch):
    monkeypatch.setattr(progress, "_LOCK_SECONDS", 0)  # a lock that is held is an error at once
    progress.record("exercise", "a.b", "right")
    before = path.read_bytes()
    dying = start(DIES_WRITING.format(signal="SIGKILL"))
    assert dying.wait(60) == -signal.SIGKILL
    assert path.read_bytes().startswith(before + b'{"name": "exercise:its.own"')
    said = progress.record("exercise", "c.d", "right")
    assert said.startswith(SAVED)
    assert "damaged" in said
    assert set(tries(path)) == {"exercise:a.b", "exercise:c.d"}
    assert progress.record("exercise", "e.f", "right") == SAVED


def test_a_writer_that_stops_in_the_middle_is_not_waited_for(path: Path, start, tmp_path):
    sleeping = start(DIES_WRITING.format(signal="SIGSTOP"))
    os.waitpid(sleeping.pid, os.WUNTRACED)
    log = tmp_path / "log"
    with log.open("w") as file:
        course = start(WRITER, "w", 1, stdout=file)
    wait_until(lambda: "keeps the file locked" in log.read_text())
    sleeping.kill()
    assert course.wait(60) == 0
    assert set(tries(path)) == {"exercise:w.n0", SHARED}


def test_a_file_damaged_again_and_again_loses_nothing_that_came_after(path: Path, start):
    garbage = (b'{"items', b"\xff")
    writers = [start(WRITER, f"w{n}", 300, stdout=subprocess.PIPE) for n in range(2)]
    for damage in itertools.islice(itertools.cycle([b"", *garbage]), 30):
        wait_until(lambda: path.exists() and path.stat().st_size > 500)
        other = path.with_name("other")
        other.write_bytes(damage)
        os.replace(other, path)
    texts = [process.communicate(timeout=120)[0] for process in writers]
    assert [process.returncode for process in writers] == [0, 0]
    assert not any("#" in text for text in texts)
    kept = [file.read_bytes() for file in path.parent.glob("*.damaged-*")]
    assert all(content.startswith(garbage) for content in kept)
    assert len(kept) > 5
    names = [f"exercise:w{n}.n{i}" for n in range(2) for i in range(20)]
    assert set(tries(path)) >= {*names, SHARED}


# Twice in vain, and then with room or rights: everything is written, and no litter is left.
IN_VAIN = """
import resource, sys
import progress
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
if sys.argv[1] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), limit[1]))
for key in ("c.d", "e.f"):
    print(progress.record("exercise", key, "right"), flush=True)
assert {"exercise:c.d", "exercise:e.f"} < set(progress.load())
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
input()
print(progress.record("exercise", "g.h", "right"))
"""


@pytest.mark.parametrize("trouble", ["full", "full at once", "forbidden folder", "forbidden file"])
def test_no_room_and_no_rights_lose_nothing_and_leave_no_litter(path: Path, start, trouble: str):
    progress.record("exercise", "a.b", "right")
    before, there = path.read_bytes(), sorted(path.parent.iterdir())
    if "forbidden" in trouble:
        path.chmod(0o444)
    if trouble == "forbidden folder":
        path.parent.chmod(0o555)
    room = 0 if trouble == "full at once" else len(before) + 10  # a part of the line finds room
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    course = start(IN_VAIN, trouble.split()[0], room, before=heed_modes(), **pipes)
    for _ in range(2):
        assert "could not be saved" in course.stdout.readline()
        assert path.read_bytes() == before
        assert sorted(path.parent.iterdir()) == there
    path.parent.chmod(0o755)
    path.chmod(0o644)
    assert course.communicate("\n", timeout=60)[0].strip() == SAVED
    assert set(tries(path)) == {f"exercise:{key}" for key in ("a.b", "c.d", "e.f", "g.h")}
