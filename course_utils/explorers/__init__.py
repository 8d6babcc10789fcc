"""Explorers: controls wired to a diagram, one file a topic. Notebooks call one function each."""

from course_utils.explorers.attention_masks import explore_attention
from course_utils.explorers.bucketing import explore_length, explore_padding
from course_utils.explorers.dealing import explore_devices
from course_utils.explorers.gradient_flow import explore_unrolling
from course_utils.explorers.graph_steps import explore_graph
from course_utils.explorers.loss_divisors import explore_masked_loss
from course_utils.explorers.packing_steps import explore_packing
from course_utils.explorers.pad_treatments import explore_masking
from course_utils.explorers.readers import explore_last_step
from course_utils.explorers.serving import explore_serving

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
