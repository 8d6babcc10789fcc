"""What Binder will build, as far as it can be tested without Docker."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"


def test_torch_is_the_cpu_build_of_the_tested_release():
    pinned = re.search(r"^torch==(\S+)", (ROOT / "requirements.txt").read_text(), re.M).group(1)
    lines = (BINDER / "requirements.txt").read_text().splitlines()
    assert f"torch=={pinned}+cpu" in lines
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in lines


def test_everything_else_refers_to_the_root():
    lines = [
        line
        for line in (BINDER / "requirements.txt").read_text().splitlines()
        if line and not line.startswith(("#", "--", "torch=="))
    ]
    assert lines == ["-r ../requirements.txt"]


def test_python_version_and_run_bit():
    assert (BINDER / "runtime.txt").read_text().strip() == "python-3.11"
    assert os.access(BINDER / "postBuild", os.X_OK)


@pytest.mark.slow
def test_repo2docker_finds_the_build():
    if not os.environ.get("COURSE_REQUIRE_TOOLS"):
        pytest.importorskip("repo2docker", reason="needs jupyter-repo2docker (extra dev)")
    from repo2docker.buildpacks import PythonBuildPack

    here = Path.cwd()
    os.chdir(ROOT)
    try:
        pack = PythonBuildPack("docker.io/library/buildpack-deps:jammy")
        pack.platform = "linux/amd64"
        assert pack.detect()
        assert pack.python_version == "3.11"
        scripts = "\n".join(script for _, script in pack.get_assemble_scripts())
        assert "binder/requirements.txt" in scripts
        assert pack.get_post_build_scripts() == ["binder/postBuild"]
    finally:
        os.chdir(here)
