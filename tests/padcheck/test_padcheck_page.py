"""The page of padcheck: every recipe runs as it stands, and messages name recipes that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from course_utils.padcheck.__main__ import main
from course_utils.padcheck.feeding import PAGE, RECIPES, see

TEXT = (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")
FIRST = re.search(r"## The first test\n.*?```python\n(.*?)```", TEXT, re.S).group(1)
SECTIONS = re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", TEXT, re.S | re.M)
# A suite and a factory are run as the page says, below.
SUITE = "A test suite"


def blocks(section: str, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", dict(SECTIONS)[section], re.S)


@pytest.mark.parametrize("section", [name for name, _ in SECTIONS if name != SUITE])
def test_a_recipe_runs_and_asserts(section):
    if "transformers" in "".join(blocks(section)):
        pytest.importorskip("transformers")
    torch.manual_seed(0)
    names: dict[str, object] = {"__name__": "recipe"}
    exec(compile(FIRST, PAGE, "exec"), names)
    assert blocks(section)
    for block in blocks(section):
        assert "assert " in block
        exec(compile(block, section, "exec"), names)


def test_the_suite_and_the_factory_run_as_the_page_says(tmp_path, monkeypatch, capsys):
    suite, factory = blocks(SUITE)
    (tmp_path / "test_models.py").write_text(FIRST + suite)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_models.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "2 passed" in run.stdout, run.stdout + run.stderr
    (tmp_path / "my_models.py").write_text(FIRST + factory)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    (words,) = blocks(SUITE, "bash")
    assert main(words.split()[1:]) == 0
    assert "does not change" in capsys.readouterr().out
    assert "padcheck in train mode" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_messages_name_recipes_that_the_page_has():
    assert sorted(RECIPES.values()) == sorted(name for name, _ in SECTIONS)
    assert all(name in see(key) for key, name in RECIPES.items())
