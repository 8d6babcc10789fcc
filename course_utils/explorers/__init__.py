"""Explorers: controls wired to a diagram, one file a topic. Notebooks call one function each."""

from course_utils.explorers.attention import explore_attention
from course_utils.explorers.backprop import explore_graph
from course_utils.explorers.devices import explore_devices
from course_utils.explorers.last_step import explore_last_step
from course_utils.explorers.loss import explore_masked_loss
from course_utils.explorers.masking import explore_masking
from course_utils.explorers.packing import explore_packing
from course_utils.explorers.padding import explore_length, explore_padding
from course_utils.explorers.serving import explore_serving
from course_utils.explorers.unrolling import explore_unrolling

__all__ = [
    "explore_attention",
    "explore_devices",
    "explore_graph",
    "explore_last_step",
    "explore_length",
    "explore_masked_loss",
    "explore_masking",
    "explore_packing",
    "explore_padding",
    "explore_serving",
    "explore_unrolling",
]
