"""A notebook's kernel under conditions that are rough, but that learners do meet.

All at once: its working folder is not the notebook's and cannot be written, there is no network
but this machine's own, the preferred encoding is ASCII, and numbers have a decimal comma. Wrong
answers to exercises raise, as in a class.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROUGH = Path(__file__).with_name("rough")
ELSEWHERE = "192.0.2.1"  # an address that is nobody's

# The first cell: without these conditions the test would prove nothing.
PROBE = f"""
import locale, socket

assert locale.getpreferredencoding(False) == "ANSI_X3.4-1968"
assert locale.localeconv()["decimal_point"] == ","
for attempt in (lambda: open("new", "w"), lambda: socket.create_connection(("{ELSEWHERE}", 80), 1)):
    try:
        attempt()
    except OSError as error:
        assert error.errno in (13, 101), error
    else:
        raise AssertionError("the folder can be written, or the network answers")
"""


def heed_modes() -> list[str]:
    """What makes a command heed the modes of files and folders: nothing but for root."""
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if not os.geteuid() else []


def what_is_missing(folder: Path) -> str:
    """Make the locale with a decimal comma in a folder; which tool that needs is not there."""
    for what, command in {
        "setpriv, with the right to drop rights": [*heed_modes(), "true"],
        "the German locale (Debian's packages locales and libc-bin)": [
            "localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8"),
        ],
    }.items():  # fmt: skip
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            return f"{what}: {error}"
    return ""


def run_rough(notebook: nbformat.NotebookNode, folder: Path, locales: Path) -> list[str]:
    """Run a notebook, on after errors; returns the hosts that it tried to reach.

    Args:
        notebook: gets its outputs.
        folder: an empty one.
        locales: where :func:`what_is_missing` made the locale.
    """
    (folder / "read-only").mkdir(mode=0o555)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "COURSE_"))}
    environment |= {
        "LANG": "C", "LC_CTYPE": "C", "LC_NUMERIC": "de_DE.UTF-8", "LOCPATH": str(locales),
        "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROUGH), os.environ.get("PYTHONPATH")])),
        "NETWORK_LOG": str(folder / "hosts"),
        "COURSE_STRICT": "1",
    }  # fmt: skip
    environment.pop("PYTHONIOENCODING", None)
    client = NotebookClient(
        notebook, timeout=180, kernel_name="python3", allow_errors=True,
        resources={"metadata": {"path": str(folder / "read-only")}},
    )  # fmt: skip
    spec = client.create_kernel_manager().kernel_spec
    spec.argv = [*heed_modes(), sys.executable, *spec.argv[1:]]
    client.execute(env=environment)
    return (folder / "hosts").read_text().splitlines()
