"""Small models, wrong and right, that padcheck is judged on. None was made to fit the check.

``brute_force`` judges every one of them without padcheck, so that the zoo cannot lie.
"""

from __future__ import annotations

from zoo.attention import ATTENTION
from zoo.brute_force import Judgement, brute_force
from zoo.convolutions import CONVOLUTIONS
from zoo.entries import Problem, Ragged, Specimen, mask_of
from zoo.everyday import EVERYDAY
from zoo.losses import LOSSES
from zoo.pairs import PAIRS
from zoo.pooling import MIXING, POOLING
from zoo.precision import PRECISION
from zoo.recurrent import PITFALLS, RECURRENT
from zoo.text import TEXT

ZOO = [
    *PITFALLS, *RECURRENT, *POOLING, *MIXING, *ATTENTION, *CONVOLUTIONS, *TEXT, *LOSSES, *PAIRS,
    *EVERYDAY, *PRECISION,
]  # fmt: skip
RIGHT = [specimen for specimen in ZOO if specimen.right]
WRONG = [specimen for specimen in ZOO if not specimen.right]

__all__ = [
    "RIGHT", "WRONG", "ZOO", "Judgement", "Problem", "Ragged", "Specimen", "brute_force", "mask_of",
]  # fmt: skip
