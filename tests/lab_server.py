"""A JupyterLab over a copy of the notebooks, which knows nothing of the user's own settings."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
TOKEN = "course"
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Cells far below the window would otherwise not be attached to the page.
    "notebook-extension/tracker": {"windowingMode": "none"},
}


@contextmanager
def running_lab(
    home: Path, python: str = sys.executable, start: Callable[..., subprocess.Popen] | None = None
) -> Iterator[str]:
    """Address of a JupyterLab that ends with the block.

    Args:
        home: an empty folder for the notebooks and the server's files.
        python: the interpreter whose JupyterLab is started.
        start: used instead of :class:`subprocess.Popen`.
    """
    port = _free_port()
    command = [
        python, "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}", "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={home / 'notebooks'}",
    ]  # fmt: skip
    environment = _prepare(home)
    address = f"http://127.0.0.1:{port}"
    with (home / "lab.log").open("w") as log:
        server = (start or subprocess.Popen)(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"{address}/api?token={TOKEN}", server)
            yield address
        finally:
            server.terminate()
            server.wait(30)


def _prepare(home: Path) -> dict[str, str]:
    """Fill the folder, and return the environment variables that lead there."""
    ignore = shutil.ignore_patterns("course_progress*", ".ipynb_checkpoints")
    shutil.copytree(NOTEBOOKS, home / "notebooks", ignore=ignore)
    for name, settings in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    folders = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython",
    }  # fmt: skip
    environment = {**os.environ, **{key: str(home / name) for key, name in folders.items()}}
    environment.pop("COURSE_PROGRESS", None)
    return environment


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait_for(url: str, server: subprocess.Popen, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, "JupyterLab ended at once"
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"JupyterLab did not answer within {seconds} s")
