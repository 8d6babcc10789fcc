"""Diagrams and plots: well-formed, named by a text alternative with the right numbers."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest
import torch

from course_utils import colours
from course_utils.colours import BLUE, ORANGE, VERMILLION
from course_utils.course import NOTEBOOKS
from course_utils.graphs import TWO_LAYERS
from course_utils.pictures import (
    Picture,
    draw_attention,
    draw_batch,
    draw_batches,
    draw_gradient_flow,
    draw_graph,
    draw_heat,
    draw_map,
    draw_masking,
    draw_packing,
    draw_probabilities,
    draw_readers,
    draw_reading,
    draw_shares,
    draw_unrolled,
)
from course_utils.pictures.plots import (
    plot_bars,
    plot_confusion,
    plot_curves,
    plot_heatmap,
    plot_lengths,
)

SVG = "{http://www.w3.org/2000/svg}"


def pictures_of_all_kinds() -> dict[str, Picture]:
    confusion = torch.tensor([[4, 1], [3, 7]])
    return {
        "batch": draw_batch([5, 3, 7]),
        "batch with values": draw_batch([2, 1], values=torch.randn(2, 2), padding_side="left"),
        "readers": draw_readers([5, 3, 7, 2]),
        "batches": draw_batches([[5, 3], [7]]),
        "map": draw_map(),
        "attention": draw_attention(torch.eye(3), torch.tensor([0, 0, -1]), title="Weights"),
        "reading": draw_reading(torch.rand(2, 2, 3), [1, 3], [[0, 2], [0, 0]], title="<h_n>"),
        "graph": draw_graph(TWO_LAYERS),
        "unrolled": draw_unrolled([3, 1], cuts=[2]),
        "gradient flow": draw_gradient_flow(torch.tensor([1e-9, 0.0, 1.0, 1e9])),
        "probabilities": draw_probabilities(
            {"one": torch.tensor([0.25, 0.75])}, true=0, names=["a", "b"], title="Who?"
        ),
        "heat": draw_heat(torch.tensor([[1.0, 2.0], [0.5, 0.1]]), [2, 1], title="Gradient"),
        "masking": draw_masking(
            torch.rand(2, 3), torch.rand(2), torch.rand(2), torch.rand(2, 3), [3, 1], title="<mask>"
        ),
        "packing": draw_packing([2, 1, 3], 1),
        "shares": draw_shares([[5, 3], [7], []], ["a", "b", "c"], title="Shares"),
        "curves": plot_curves({"a & b": [3, 1], "c": [2, 4]}, xlabel="epoch", ylabel="<loss>"),
        "bars": plot_bars({"x": {"a": 1.0, "b": 2.0}}, ylabel="y"),
        "lengths": plot_lengths({"x": torch.tensor([3, 5])}),
        "heat map": plot_heatmap(torch.randn(3, 4), xlabel="x", ylabel="y"),
        "confusion": plot_confusion(confusion, names=["one", "two"]),
    }


@pytest.fixture(scope="module")
def gallery() -> dict[str, Picture]:
    return pictures_of_all_kinds()


@pytest.mark.parametrize("name", list(pictures_of_all_kinds()))
def test_is_one_well_formed_image_named_by_its_text(gallery: dict[str, Picture], name: str):
    picture = gallery[name]
    root = ElementTree.fromstring(picture.html)
    images = [element for element in root.iter() if element.get("role") == "img"]
    assert [image.get("aria-label") for image in images] == [picture.alt]
    assert images[0].tag == f"{SVG}svg"
    assert re.search(r"\d", picture.alt)
    assert repr(picture) == picture.alt


@pytest.mark.parametrize("name", list(pictures_of_all_kinds()))
def test_ink_is_the_colour_of_the_page(gallery: dict[str, Picture], name: str):
    svg = gallery[name].svg
    assert "currentColor" in svg
    assert "#010203" not in svg


def test_saved_file_is_a_picture_of_its_own(tmp_path):
    draw_batch([2, 1]).save(tmp_path / "batch.svg")
    root = ElementTree.parse(tmp_path / "batch.svg").getroot()
    assert root.tag == f"{SVG}svg"
    assert "2, 1" in root.get("aria-label")


def test_plots_leave_no_figure_open(gallery: dict[str, Picture]):
    assert gallery
    assert plt.get_fignums() == []


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_on_fills_can_be_read():
    for fill in (colours.SKY, colours.ORANGE, colours.YELLOW, colours.PURPLE):
        assert contrast(fill, colours.ON_FILL) >= 4.5


def cells(picture: Picture) -> tuple[int, int]:
    """Number of real and of padded cells in a grid, its legend left out."""
    real = picture.svg.count(f'fill="{colours.SKY}"') - 1
    pads = len(re.findall(r'stroke-dasharray="3 2"', picture.svg)) - 1
    return real, pads


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    ("lengths", "steps"), [([5, 3, 7], None), ([4], None), ([3, 3, 3], None), ([2, 0], 4)]
)
def test_grid_has_a_cell_for_every_step(lengths: list[int], steps: int | None, side: str):
    picture = draw_batch(lengths, steps, padding_side=side)
    width = steps or max(lengths)
    pads = sum(width - n for n in lengths)
    assert cells(picture) == (sum(lengths), pads)
    assert f"{pads} of {len(lengths) * width} cells are padding" in picture.alt
    assert f"padded on the {side}" in picture.alt


def test_values_are_written_into_their_cells():
    values = torch.tensor([[1.25, -3.0], [0.5, 7.75]])
    svg = draw_batch([2, 1], values=values).svg
    places = [svg.index(f">{number}<") for number in ("1.25", "-3.00", "0.50", "7.75")]
    assert places == sorted(places)


def test_readers_marks_the_last_column_and_the_last_real_steps():
    alt = draw_readers([2, 3], 5).alt
    assert "“output[:, -1]”: step 4 of sequence 0, step 4 of sequence 1." in alt
    assert "“last real step”: step 1 of sequence 0, step 2 of sequence 1." in alt


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"values": torch.zeros(2, 3)}, r"values have shape \(2, 3\), expected \(2, 2\)"),
        ({"names": ["a"]}, "1 names for 2 rows"),
        ({"marks": {"x": [(0, 2)]}}, r"\(0, 2\) lies outside"),
        ({"marks": {key: [(0, 0)] for key in "abcd"}}, "4 kinds of marks"),
        ({"max_length": 1}, r"lengths\[0\] is 2"),
    ],
)
def test_grid_refuses_what_does_not_fit(options: dict, said: str):
    with pytest.raises(ValueError, match=said):
        draw_batch([2, 1], **options)


def test_batches_count_their_padding_one_by_one_and_together():
    picture = draw_batches([[4, 1], [2, 2]])
    assert cells(picture) == (9, 3)
    assert "12 cells in all, of which 3 are padding (25 %)" in picture.alt
    assert "Batch by batch: 38 %, 0 %" in picture.alt


def test_map_names_every_notebook_and_what_it_needs():
    alt = draw_map().alt
    for notebook in NOTEBOOKS:
        assert f"{notebook.number} {notebook.title}" in alt
    assert draw_map().svg.count("<rect") == len(NOTEBOOKS)
    assert draw_map().svg.count('<g stroke="currentColor"') == sum(
        len(notebook.needs) for notebook in NOTEBOOKS
    )


def test_text_alternatives_of_plots_carry_the_numbers(gallery: dict[str, Picture]):
    assert "a & b: from 3 to 1" in gallery["curves"].alt
    assert "a 1, b 2" in gallery["bars"].alt
    assert "2 sequences of 3 to 5 steps" in gallery["lengths"].alt
    confusion = gallery["confusion"].alt
    assert "11 of 15 on the diagonal" in confusion
    assert "two taken for one, 3 times" in confusion


def test_error_bars_are_said():
    bars, errors = {"x": {"a": 1.0}}, {"x": {"a": 0.25}}
    assert "a 1 ± 0.25" in plot_bars(bars, ylabel="y", errors=errors).alt


def test_heat_says_how_many_pads_are_not_zero():
    values = torch.tensor([[3.0, 0.5, 0.0], [1.0, 2.0, 4.0]])
    alt = draw_heat(values, [1, 3], title="Gradient").alt
    assert "largest at real steps 4, largest at pads 0.5; 1 of 2 pads are not zero" in alt
    holes = torch.tensor([[True, False, True], [True, True, False]])
    assert "largest at pads 4; 2 of 2 pads" in draw_heat(values, holes, title="Gradient").alt


def test_heat_shows_nan_and_refuses_what_does_not_fit():
    values = torch.tensor([[float("nan"), 1.0]])
    assert ">NaN<" in draw_heat(values, [2], title="Gradient").svg
    with pytest.raises(ValueError, match=r"lengths\[0\] is 3"):
        draw_heat(values, [3], title="Gradient")
    with pytest.raises(ValueError, match=r"the mask is \(1, 1\), the values are \(1, 2\)"):
        draw_heat(values, torch.ones(1, 1, dtype=torch.bool), title="Gradient")


def test_attention_says_where_the_weight_goes():
    documents = torch.tensor([0, 0, 1, -1])
    weights = torch.tensor(
        [[0.5, 0.1, 0.2, 0.2], [0.3, 0.3, 0.4, 0.0], [0.0, 0.0, 0.2, 0.6], [0.0, 0.0, 0.0, 1.0]]
    )
    # The three real queries have 2.8 together: 1.4 own, 0.6 other documents, 0.8 pads.
    picture = draw_attention(weights, documents, title="Weights")
    assert "4 queries and keys in 2 documents" in picture.alt
    assert "50 % on its own document, 21 % on another document, 29 % on a pad" in picture.alt


def test_attention_draws_a_mark_for_every_weight_of_a_real_query():
    documents = torch.tensor([0, 0, 1, -1])
    count = {BLUE: 5, ORANGE: 4, VERMILLION: 3}
    svg = draw_attention(torch.ones(4, 4), documents, title="All").svg
    for colour, marks in count.items():
        paths = re.findall(r'<path d="([^"]*)"[^>]*stroke="' + colour, svg)
        # One path for all marks of a kind, and one for the legend's.
        assert sorted(path.count("M") for path in paths) == [1, marks]


def test_attention_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"weights \(2, 3\) and documents \(2,\) do not fit"):
        draw_attention(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long), title="x")


def test_probabilities_name_the_true_class_and_the_answer():
    chances = {"wrong": torch.tensor([0.2, 0.8]), "right": torch.tensor([0.6, 0.4])}
    alt = draw_probabilities(chances, true=0, names=["a", "b"], title="Who?").alt
    assert "True class: a" in alt
    assert "wrong gives 20 % to the true class and says b (80 %), wrong" in alt
    assert "right gives 60 % to the true class and says a (60 %), right" in alt
    with pytest.raises(ValueError, match="right has 2 classes, but 3 have names"):
        draw_probabilities({"right": chances["right"]}, true=0, names=list("abc"), title="Who?")
