"""Diagrams as SVG, one file a picture. They take numbers and know nothing of sliders."""

from course_utils.diagrams.batch import draw_batch, draw_batches, draw_readers
from course_utils.diagrams.course_map import draw_map
from course_utils.diagrams.heat import draw_heat

__all__ = ["draw_batch", "draw_batches", "draw_heat", "draw_map", "draw_readers"]
