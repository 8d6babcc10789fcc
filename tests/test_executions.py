"""What is written down of executed notebooks, and the table of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from executions import NAMES, note, table


def test_table_counts_every_notebook_in_every_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log = tmp_path / "log"
    monkeypatch.setenv("COURSE_EXECUTIONS", str(log))
    first, second, *others = sorted(NAMES)
    note("in the dark", f"{first}.ipynb")
    note("in the rain", Path("somewhere") / f"{second}.ipynb")
    note("in the rain", second)
    note("in the rain", "made_up_by_a_test.ipynb")
    head, *rows = [line.split() for line in table(log.read_text("utf-8").splitlines()).splitlines()]
    assert " ".join(head) == "notebook in the dark in the rain all"
    assert rows == [
        [first, "1", "0", "1"],
        [second, "0", "2", "2"],
        *[[name, "0", "0", "0"] for name in others],
        ["all", "1", "2", "3"],
    ]


def test_nothing_is_written_unless_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COURSE_EXECUTIONS", raising=False)
    monkeypatch.chdir(tmp_path)
    note("in the rain", min(NAMES))
    assert not list(tmp_path.iterdir())
