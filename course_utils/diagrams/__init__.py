"""Diagrams as SVG, one file a picture. They take numbers and know nothing of sliders."""

from course_utils.diagrams.attention import draw_attention
from course_utils.diagrams.batch import draw_batch, draw_batches, draw_readers
from course_utils.diagrams.classes import draw_probabilities
from course_utils.diagrams.course_map import draw_map
from course_utils.diagrams.graph import draw_graph
from course_utils.diagrams.heat import draw_heat
from course_utils.diagrams.masking import draw_masking
from course_utils.diagrams.packing import draw_packing
from course_utils.diagrams.reading import draw_reading
from course_utils.diagrams.shares import draw_shares
from course_utils.diagrams.unrolled import draw_gradient_flow, draw_unrolled

__all__ = [
    "draw_attention",
    "draw_batch",
    "draw_batches",
    "draw_gradient_flow",
    "draw_graph",
    "draw_heat",
    "draw_map",
    "draw_masking",
    "draw_packing",
    "draw_probabilities",
    "draw_readers",
    "draw_reading",
    "draw_shares",
    "draw_unrolled",
]
