"""What the unit tests share: one thread and a fixed seed."""

from __future__ import annotations

import pytest
import torch

# Tiny products are fastest on one thread, and their last digits repeat.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_seed() -> None:
    torch.manual_seed(0)
