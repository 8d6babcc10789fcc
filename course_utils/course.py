"""The course's notebooks: file, title, idea, minutes, and what each builds on."""

from __future__ import annotations

from typing import NamedTuple


class Notebook(NamedTuple):
    """One notebook; ``file`` has no ending, ``needs`` names the files it builds on."""

    file: str
    title: str
    idea: str
    minutes: int
    needs: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """The number that the file's name begins with."""
        return int(self.file[:2])


NOTEBOOKS = (
    Notebook(
        "00_start_here",
        "Start here",
        "one model, served in two ways, gives two answers: see it happen",
        15,
    ),
    Notebook(
        "01_fixed_graph_backprop",
        "Fixed-graph backprop",
        "walk back through a list of operations, and add where a value was used twice",
        40,
        ("00_start_here",),
    ),
    Notebook(
        "02_unrolling_through_time",
        "Unrolling through time",
        "the data decides how deep the network is; every step adds its share to one gradient",
        50,
        ("01_fixed_graph_backprop",),
    ),
    Notebook(
        "03_padding",
        "Padding",
        "fill ragged data up to a rectangle, count what that costs, and see which answers change",
        40,
        ("02_unrolling_through_time",),
    ),
    Notebook(
        "04_masking",
        "Masking",
        "tell real steps from made-up ones, so that neither values nor gradients touch the padding",
        50,
        ("03_padding",),
    ),
    Notebook(
        "05_packed_sequences",
        "Packed sequences",
        "skip the padding altogether: what is stored, what is guaranteed, and when it pays",
        50,
        ("04_masking",),
    ),
    Notebook(
        "06_masked_loss",
        "Masked loss",
        "choose the divisor of a loss on purpose, because it decides what the model learns",
        50,
        ("04_masking",),
    ),
    Notebook(
        "07_last_step_extraction",
        "Last-step extraction",
        "take a single vector from the step where a sequence really ends, in one direction or two",
        40,
        ("05_packed_sequences",),
    ),
    Notebook(
        "08_many_devices",
        "More than one device",
        "unequal lengths on every device, and still the gradient of the whole batch",
        40,
        ("06_masked_loss",),
    ),
    Notebook(
        "09_capstone_real_data",
        "Capstone: real data",
        "a complete project on recordings, in which every decision about padding is tested",
        60,
        ("07_last_step_extraction",),
    ),
    Notebook(
        "10_beyond_rnns",
        "Beyond RNNs",
        "the same questions for attention, convolution, norms and rows of several documents",
        50,
        ("06_masked_loss",),
    ),
    Notebook(
        "11_bug_clinic",
        "The bug clinic",
        "eighteen programs that run and are wrong: from the symptom to the test to the cure",
        60,
        ("08_many_devices", "09_capstone_real_data", "10_beyond_rnns"),
    ),
)
