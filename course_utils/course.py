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
        "a model that is right in the batch and wrong alone: why this course exists",
        15,
    ),
    Notebook(
        "01_fixed_graph_backprop",
        "Fixed-graph backprop",
        "reverse mode on a graph whose shape is known in advance; a value used twice collects two "
        "gradients",
        40,
        ("00_start_here",),
    ),
    Notebook(
        "02_unrolling_through_time",
        "Unrolling through time",
        "a recurrent network is a graph whose depth is the data's length; same weights, T uses, T "
        "gradient terms",
        50,
        ("01_fixed_graph_backprop",),
    ),
    Notebook(
        "03_padding",
        "Padding",
        "making ragged data rectangular, what it costs and what it breaks",
        40,
        ("02_unrolling_through_time",),
    ),
    Notebook(
        "04_masking",
        "Masking",
        "telling the computation which numbers are real, in the forward and in the backward pass",
        50,
        ("03_padding",),
    ),
    Notebook(
        "05_packed_sequences",
        "Packed sequences",
        "not computing the padding at all: what PyTorch really stores, and what it costs",
        50,
        ("04_masking",),
    ),
    Notebook(
        "06_masked_loss",
        "Masked loss",
        "what you divide by is a modelling decision",
        50,
        ("04_masking",),
    ),
    Notebook(
        "07_last_step_extraction",
        "Last-step extraction",
        "one vector a sequence, from the right step, in both directions",
        40,
        ("05_packed_sequences",),
    ),
    Notebook(
        "09_capstone_real_data",
        "Capstone: real data",
        "from raw utterances to a model that gives the same answer batched and alone",
        60,
        ("03_padding",),
    ),
    Notebook(
        "10_beyond_rnns",
        "Beyond RNNs",
        "the same batch in attention, convolution, jagged tensors and packed language-model rows",
        50,
        ("06_masked_loss",),
    ),
    Notebook(
        "11_bug_clinic",
        "The bug clinic",
        "eighteen programs that run and are wrong: from the symptom to the test to the cure",
        60,
        ("09_capstone_real_data",),
    ),
)
