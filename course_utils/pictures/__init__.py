"""Pictures: diagrams, one file each, and plots. They take numbers and know nothing of sliders.

Diagrams are SVG of our own. Plots are matplotlib's, which is loaded when one of them is asked for.
"""

from typing import Any

from course_utils.pictures.attention import draw_attention
from course_utils.pictures.base import Picture, percent
from course_utils.pictures.batch import draw_batch, draw_batches, draw_readers
from course_utils.pictures.course_map import draw_map
from course_utils.pictures.device_shares import draw_shares
from course_utils.pictures.graph import draw_graph
from course_utils.pictures.heat import draw_heat
from course_utils.pictures.masked_states import draw_masking
from course_utils.pictures.packed_steps import draw_packing
from course_utils.pictures.probabilities import draw_probabilities
from course_utils.pictures.reading import draw_reading
from course_utils.pictures.unrolled import draw_gradient_flow, draw_unrolled

_PLOTS = ("plot_bars", "plot_confusion", "plot_curves", "plot_heatmap", "plot_lengths")

__all__ = [
    "Picture",
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
    "percent",
    "plot_bars",
    "plot_confusion",
    "plot_curves",
    "plot_heatmap",
    "plot_lengths",
]


def __getattr__(name: str) -> Any:
    """Load matplotlib with the first plot, and not with a diagram."""
    if name not in _PLOTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from course_utils.pictures import plots

    return getattr(plots, name)
