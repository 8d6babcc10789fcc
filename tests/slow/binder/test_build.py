"""What Binder will build, as far as it can be tested without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
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


def _reachable(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=10).close()
        return True
    except OSError:
        return False


@pytest.mark.long  # README's installation, which runs every time, takes the same releases
@pytest.mark.skipif(sys.platform == "win32", reason="Binder runs on Linux")
def test_install_steps_run_in_a_clean_environment(tmp_path: Path):
    """pip and postBuild as Binder runs them: from the root, in an environment of their own."""
    root, environment = tmp_path / "repository", tmp_path / "environment"
    made_by_tools = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "course_progress*")
    shutil.copytree(ROOT, root, ignore=made_by_tools)
    requirements = root / "binder" / "requirements.txt"
    index = "https://download.pytorch.org/whl/cpu"
    if not _reachable(f"{index}/torch/"):  # then pip's own settings must know the CPU build
        requirements.write_text(requirements.read_text().replace(f"--extra-index-url {index}", ""))
    venv.create(environment, with_pip=True)
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    settings = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(environment)}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=root, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    run("python", "-m", "pip", "install", "--quiet", "-r", "binder/requirements.txt")
    run("./binder/postBuild")
    program = "import torch, course_utils; print(torch.__version__, course_utils.__file__)"
    assert run("python", "-c", program).startswith("2.13.0+cpu")
    found = subprocess.run(
        ["jupyter", "labextension", "list"], cwd=root, env=settings, capture_output=True, text=True
    )
    assert "announcements" in (found.stdout + found.stderr)


@pytest.mark.slow
def test_old_lab_is_the_one_in_the_image():
    """What the tests install as Binder's JupyterLab is what repo2docker installs."""
    if not os.environ.get("COURSE_REQUIRE_TOOLS"):
        pytest.importorskip("repo2docker", reason="needs jupyter-repo2docker (extra dev)")
    import repo2docker.buildpacks.conda as conda
    from binder.old_lab import PINS

    lock = (Path(conda.__file__).parent / "environment.py-3.11-linux-64.lock").read_text()
    for name, version in PINS.items():
        assert f"/{name}-{version}-" in lock, name
