"""What the unit tests share: one thread, a fixed seed, and how often properties are tried."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

# Tiny products are fastest on one thread, and their last digits repeat.
torch.set_num_threads(1)

settings.register_profile("course", deadline=None, max_examples=50)
settings.load_profile("course")


@pytest.fixture(autouse=True)
def _same_seed() -> None:
    torch.manual_seed(0)
