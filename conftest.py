"""Settings for all tests and for the kernels that run the notebooks."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

pytest_plugins = ["pytester", "nbval_guard", "browser_fixtures"]

# Kernels inherit this: running the tests never touches a learner's own progress.
_progress = tempfile.TemporaryDirectory(prefix="course-progress-")
os.environ["COURSE_PROGRESS"] = str(Path(_progress.name) / "progress.json")
