"""Curves, bars and heat maps with matplotlib, shown as SVG in the page's own colours."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.colours import SERIES
from course_utils.pictures.base import Picture

# matplotlib writes this colour for text and lines; the page's own colour takes its place.
_INK = "#010203"
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "legend.frameon": False,
}
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P")
_HATCHES = ("", "//", "..", "xx", "\\\\", "++")


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    # A Figure of its own, not pyplot's: nothing stays open after it is shown.
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def _to_picture(figure: Figure, alt: str) -> Picture:
    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = re.search(r"<svg\b.*</svg>", buffer.getvalue(), re.DOTALL).group()
    svg = svg.replace(_INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return Picture(svg.replace("<svg", '<svg style="max-width:100%;height:auto"', 1), alt)


def plot_curves(
    curves: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    x: Sequence[float] | None = None,
    log: bool = False,
    title: str = "",
) -> Picture:
    """Lines over a common axis.

    Args:
        curves: name -> its values, one for each place on the axis.
        xlabel, ylabel: the axes' names, with units where there are any.
        x: the places on the axis; 1, 2, 3, ... if not given.
        log: logarithmic vertical axis.
        title: a line above the plot.
    """
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(6.4, 3.4)
        for i, (name, values) in enumerate(curves.items()):
            places = range(1, len(values) + 1) if x is None else x
            axes.plot(
                places, values, label=name, color=SERIES[i % 6], linestyle=_LINES[i % 6],
                marker=_MARKERS[i % 6], markersize=4,
                markevery=max(1, len(values) // 12),
            )  # fmt: skip
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title, yscale="log" if log else "linear")
        if all(float(place).is_integer() for place in places):
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(visible=True)
        axes.legend()
    parts = [
        f"{name}: from {values[0]:.3g} to {values[-1]:.3g}, lowest {min(values):.3g}, "
        f"highest {max(values):.3g}"
        for name, values in curves.items()
    ]
    return _to_picture(figure, f"{title or ylabel} over {xlabel}. {'; '.join(parts)}.")


def plot_bars(
    bars: Mapping[str, Mapping[str, float]],
    *,
    ylabel: str,
    errors: Mapping[str, Mapping[str, float]] | None = None,
    limits: tuple[float, float] | None = None,
    title: str = "",
) -> Picture:
    """Groups of bars, the values written above them.

    Args:
        bars: series -> group -> height; every series has the same groups.
        ylabel: the vertical axis' name, with its unit.
        errors: half the length of each error bar, in the same shape as ``bars``.
        limits: ends of the vertical axis.
        title: a line above the plot.
    """
    groups = list(next(iter(bars.values())).keys())
    width = 0.8 / len(bars)
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(max(5.0, 1.3 * len(groups) * len(bars) ** 0.5), 3.4)
        for i, (name, heights) in enumerate(bars.items()):
            places = [g + (i - (len(bars) - 1) / 2) * width for g in range(len(groups))]
            found = axes.bar(
                places, [heights[g] for g in groups], width * 0.92, label=name,
                color=SERIES[i], hatch=_HATCHES[i], edgecolor="white", linewidth=0,
                yerr=None if errors is None else [errors[name][g] for g in groups],
                ecolor=_INK, capsize=4,
            )  # fmt: skip
            axes.bar_label(found, fmt="{:.3g}", padding=3)
        axes.set_xticks(range(len(groups)), groups)
        axes.set(ylabel=ylabel, title=title)
        if limits is not None:
            axes.set_ylim(*limits)
        if len(bars) > 1:
            figure.legend(loc="outside lower center", ncols=len(bars))
    return _to_picture(figure, _describe_bars(bars, groups, errors, title or ylabel))


def _describe_bars(bars: Mapping, groups: list[str], errors: Mapping | None, title: str) -> str:
    def value(name: str, group: str) -> str:
        spread = "" if errors is None else f" ± {errors[name][group]:.2g}"
        return f"{group} {bars[name][group]:.3g}{spread}"

    parts = [f"{name}: {', '.join(value(name, g) for g in groups)}" for name in bars]
    return f"{title}, a bar chart. {'; '.join(parts)}."


def plot_lengths(groups: Mapping[str, Tensor], *, title: str = "") -> Picture:
    """How often each length occurs, a histogram for each named tensor of lengths ``(N,)``."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(6.4, 3.0)
        longest = max(int(lengths.max()) for lengths in groups.values())
        for i, (name, lengths) in enumerate(groups.items()):
            counts = lengths.bincount(minlength=longest + 1).tolist()
            axes.step(
                range(longest + 1), counts, where="mid", label=name, color=SERIES[i],
                linestyle=_LINES[i], linewidth=2,
            )  # fmt: skip
        axes.set(xlabel="length (steps)", ylabel="sequences", title=title)
        axes.grid(visible=True)
        axes.legend()
    parts = [
        f"{name}: {len(v)} sequences of {int(v.min())} to {int(v.max())} steps, median "
        f"{int(v.median())}"
        for name, v in groups.items()
    ]
    return _to_picture(figure, f"{title or 'Lengths'}. {'; '.join(parts)}.")


def plot_heatmap(
    matrix: Tensor,
    *,
    xlabel: str,
    ylabel: str,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    fmt: str = "{:.2g}",
    annotate: bool = True,
    title: str = "",
    alt: str | None = None,
) -> Picture:
    """A matrix as coloured cells, with the numbers written into them.

    Args:
        matrix: ``(rows, columns)``.
        xlabel, ylabel: what columns and rows are.
        row_names, column_names: their names; numbers if not given.
        fmt: how a number is written.
        annotate: write the numbers.
        title: a line above the plot.
        alt: the text alternative; made from the largest entry if not given.
    """
    rows, columns = matrix.shape
    table = matrix.detach().cpu().double().numpy()
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(1.6 + 0.5 * columns, 1.2 + 0.36 * rows)
        mesh = axes.pcolormesh(table, cmap="cividis", edgecolors="none")
        middle = (mesh.norm.vmin + mesh.norm.vmax) / 2
        axes.invert_yaxis()
        axes.set_xticks([c + 0.5 for c in range(columns)], column_names or range(columns))
        axes.set_yticks([r + 0.5 for r in range(rows)], row_names or range(rows))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        for (r, c), value in _cells(table) if annotate else ():
            colour = "white" if value < middle else "black"
            axes.text(c + 0.5, r + 0.5, fmt.format(value), ha="center", va="center", color=colour)
        if not annotate:
            figure.colorbar(mesh, ax=axes)
    if alt is None:
        largest = divmod(int(table.argmax()), columns)
        alt = (
            f"{title or 'Heat map'}: {rows} rows ({ylabel}) by {columns} columns ({xlabel}), "
            f"from {fmt.format(table.min())} to {fmt.format(table.max())}; the largest stands in "
            f"row {largest[0]}, column {largest[1]}."
        )
    return _to_picture(figure, alt)


def _cells(table) -> list[tuple[tuple[int, int], float]]:
    return [((r, c), value) for r, row in enumerate(table) for c, value in enumerate(row)]


def plot_confusion(counts: Tensor, *, names: Sequence[str], title: str = "") -> Picture:
    """A confusion matrix: row = true class, column = predicted class.

    Args:
        counts: ``(classes, classes)``.
        names: a name for each class.
        title: a line above the plot.
    """
    wrong = counts.clone().fill_diagonal_(0)
    right, total = int(counts.diagonal().sum()), int(counts.sum())
    row, column = divmod(int(wrong.argmax()), len(names))
    alt = f"{title or 'Confusion matrix'}: {right} of {total} on the diagonal."
    if wrong.any():
        alt += (
            f" The most frequent mistake: {names[row]} taken for {names[column]}, "
            f"{int(wrong.max())} times."
        )
    return plot_heatmap(
        counts, xlabel="predicted", ylabel="true", row_names=names, column_names=names,
        fmt="{:.0f}", title=title, alt=alt,
    )  # fmt: skip
