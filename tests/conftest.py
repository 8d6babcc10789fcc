"""What all tests share: one thread, a fixed seed, and never a learner's progress file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import torch

# Set on import, so that the kernels that nbval starts inherit it.
_FOLDER = tempfile.TemporaryDirectory(prefix="course-progress-")
os.environ["COURSE_PROGRESS"] = str(Path(_FOLDER.name) / "progress.json")

# Tiny products are fastest on one thread, and their last digits repeat.
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def progress_file() -> Path:
    """The file that stands in for a learner's progress while the tests run."""
    return Path(os.environ["COURSE_PROGRESS"])


@pytest.fixture(autouse=True)
def _same_seed() -> None:
    torch.manual_seed(0)
