"""From a key on a slider to the new picture on the screen, beside ``interact`` with matplotlib.

Print the table with ``pytest tests/slow/benchmarks/test_latency.py -m slow -s``. Times are taken in
the browser, from the event ``keydown`` until the new picture stands in the page and the next frame
begins; kernel, server and browser run on the same machine. Much of an explorer's time is the way
from the browser to the kernel and back, through a server whose small packets wait for each other.
"""

from __future__ import annotations

import statistics

import pytest

from course_utils import explorers

pytestmark = pytest.mark.slow

EXPLORERS = [name for name in explorers.__all__ if name.startswith("explore_")]
PLAIN = "interact, matplotlib"
STEPS = 24

# What notebook 03 would do without explore_padding: the same picture, drawn by matplotlib.
INTERACT = """
import matplotlib.pyplot as plt
from ipywidgets import interact
from course_utils.explorers.bucketing import batches_in_buckets

def draw(batch_size=4, bucket_width=30):
    batches = batches_in_buckets([5, 3, 7, 2, 6, 1, 4, 7], batch_size, bucket_width)
    figure, all_axes = plt.subplots(len(batches), 1, squeeze=False, layout="constrained")
    for number, (axes, lengths) in enumerate(zip(all_axes[:, 0], batches)):
        longest = max(lengths)
        for row, n in enumerate(lengths):
            at = row - 0.45
            axes.bar(range(n), 0.9, 0.9, at, color="#56B4E9", edgecolor="black", label="real step")
            axes.bar(range(n, longest), 0.9, 0.9, at, color="white", edgecolor="gray",
                     hatch="//", linestyle="--", label="padding")
        share = 1 - sum(lengths) / (longest * len(lengths))
        axes.set(title=f"batch {number}: {100 * share:.0f} % padding", xticks=[], yticks=[])
        axes.invert_yaxis()
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles[:2], names[:2], loc="outside lower center", ncols=2)
    plt.show()

interact(draw, batch_size=(3, 16), bucket_width=(1, 30))
"""

# The picture as text: an explorer's SVG, or the image that matplotlib made.
WATCH = """node => {
    const picture = () => node.querySelector("svg[role=img], img")?.outerHTML;
    const before = picture();
    let start;
    document.addEventListener("keydown", () => { start = performance.now(); },
        { capture: true, once: true });
    window.answered = new Promise(resolve => {
        const observer = new MutationObserver(async () => {
            const now = picture();
            if (!now || now === before) return;
            observer.disconnect();
            await node.querySelector("img")?.decode();
            requestAnimationFrame(() => resolve(performance.now() - start));
        });
        observer.observe(node, { subtree: true, childList: true, attributes: true,
            characterData: true });
    });
}"""


def milliseconds(notebook, cell) -> list[float]:
    """What each of some steps of a cell's first slider took, to the right and to the left."""
    page, times = notebook.page, []
    slider = cell.get_by_role("slider").first
    slider.wait_for()
    page.wait_for_timeout(500)  # the first picture has arrived and nothing else is under way
    slider.focus()
    for step in range(STEPS):
        cell.evaluate(WATCH)
        page.keyboard.press("ArrowRight" if step % 2 == 0 else "ArrowLeft")
        times.append(page.evaluate("() => window.answered"))
    return times[2:]  # the first ones load what the later ones have


def test_every_explorer_answers(open_notebook, capsys: pytest.CaptureFixture):
    """Every key gets a new picture; how soon is printed, and decides nothing."""
    notebook = open_notebook("00_start_here.ipynb")
    notebook.keep_only("device = set_up")  # a long page takes the browser longer to draw
    sources = {
        PLAIN: INTERACT,
        **{name: f"from course_utils import explorers\n\nexplorers.{name}()" for name in EXPLORERS},
    }
    times, shown = {}, "device = set_up"
    for name, source in sources.items():
        cell = notebook.edit_and_run(shown, source)
        times[name], shown = milliseconds(notebook, cell), source.strip().splitlines()[-1]
    plain = statistics.median(times[PLAIN])
    with capsys.disabled():
        print(f"\n{'key on a slider to new picture':<32} {'median':>8} {'90 %':>8}  times faster")
        for name, found in times.items():
            middle, late = statistics.median(found), statistics.quantiles(found, n=10)[-1]
            print(f"{name:<32} {middle:5.0f} ms {late:5.0f} ms {plain / middle:9.1f}")
