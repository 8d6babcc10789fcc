"""The JupyterLab that Binder's image brings, over the packages of this environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path

# repo2docker's own pins; the packages of the course stay as they are.
PINS = {
    "jupyterlab": "4.4.9",
    "jupyterlab_server": "2.27.3",
    "ipywidgets": "8.1.7",
    "jupyterlab_widgets": "3.0.15",
    "widgetsnbextension": "4.0.14",
}


def make_old_lab(folder: Path) -> str:
    """Make an environment with the old JupyterLab, and return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = (folder / "lib").glob("python*/site-packages")
    here = sysconfig.get_path("purelib")
    # After the old packages on the path; `addsitedir` also follows an editable installation.
    (site / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    # anywidget again, because JupyterLab looks for extensions in its own environment alone.
    wanted = [f"{n}=={v}" for n, v in {**PINS, "anywidget": version("anywidget")}.items()]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--ignore-installed", *wanted], check=True)
    program = f"from importlib.metadata import version as v; print([v(n) for n in {[*PINS]}])"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([*PINS.values()])
    return str(python)
