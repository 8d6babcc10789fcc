"""The words of the course, each in a sentence or two."""

from __future__ import annotations

import difflib

from course_utils.html import Message, note, rich

# term -> (what it means, number of the notebook that teaches it)
TERMS: dict[str, tuple[str, int]] = {
    "backpropagation through time": (
        "Reverse-mode differentiation of an unrolled recurrent network: the gradient walks from "
        "the loss back over all time steps, and each weight collects one term a step.",
        2,
    ),
    "batch first": (
        "The layout `(B, T, F)`: first the sequences, then the time steps, then the features. "
        "PyTorch's recurrent layers use `(T, B, F)` unless told `batch_first=True`.",
        3,
    ),
    "bucketing": (
        "Putting sequences of similar length into the same batch, so that less padding is needed.",
        3,
    ),
    "collate function": (
        "What makes one batch of a list of examples; it pads, and returns the lengths too.",
        3,
    ),
    "hidden state": (
        "What a recurrent layer remembers from one time step to the next, `(B, H)`. `h_n` holds "
        "the last ones.",
        2,
    ),
    "jagged tensor": (
        "A nested tensor whose rows differ in length, stored without padding.",
        10,
    ),
    "last step": (
        "A sequence's last real step, at position `length - 1`, and not the last column of the "
        "padded batch.",
        7,
    ),
    "leak": ("A way in which padding changes a result, or gets a gradient from it.", 3),
    "lengths": ("The number of real steps of each sequence, `(B,)`, kept on the CPU.", 3),
    "mask": (
        "A boolean tensor `(B, T)` that tells real steps from padding. In this course True = "
        "real; other libraries also use the opposite.",
        4,
    ),
    "masked loss": ("A loss that real steps alone enter, in the sum and in the divisor.", 6),
    "oracle": (
        "The same model run on one sequence at a time, without padding: slow, and always right. "
        "Batched results are compared with it.",
        2,
    ),
    "packed sequence": (
        "PyTorch's way to store a batch without its padding: all first steps, then all second "
        "steps, and so on, with `batch_sizes` rows at each step.",
        5,
    ),
    "padcheck": (
        "This course's check that padding does not change a model's answers and gradients.",
        3,
    ),
    "padded length": ("The number of steps `T` of a padded batch, at least the longest length.", 3),
    "padding": (
        "Made-up steps that fill short sequences up to a common length. A single one is a pad.",
        3,
    ),
    "real step": ("A time step that comes from the data and not from padding.", 3),
    "time step": ("One entry of a sequence along its time axis: a vector of `F` features.", 2),
    "token budget": (
        "The most cells `B x T`, pads included, that a batch may have. It bounds memory.",
        3,
    ),
    "truncated backpropagation": (
        "Cutting the graph with `detach` every few steps: values go on, gradients stop.",
        2,
    ),
    "unrolling": (
        "Writing a recurrent network as one layer a time step, all with the same weights.",
        2,
    ),
}


# JupyterLab floats the terms to the left of their explanations, where long ones do not fit.
_BLOCK = "float:none;width:auto;margin:0"


def glossary_message(names: tuple[str, ...]) -> Message:
    """The terms asked for, or all of them; an unknown one is told, with similar ones."""
    wanted = [name.strip().lower() for name in names] or list(TERMS)
    for name in wanted:
        if name not in TERMS:
            close = difflib.get_close_matches(name, TERMS, n=3, cutoff=0.5)
            advice = f" Did you mean: {', '.join(close)}?" if close else ""
            return note(f"{name!r} is not in the glossary.{advice} glossary() shows all terms.")
    rows = "".join(
        f'<dt style="{_BLOCK}"><b>{name}</b></dt>'
        f'<dd style="{_BLOCK} 0 4px 1.5em">{rich(TERMS[name][0])} '
        f"<small>Notebook {TERMS[name][1]:02d}.</small></dd>"
        for name in wanted
    )
    html = f'<dl style="max-width:46em;line-height:1.5;margin:6px 0">{rows}</dl>'
    return Message(html, "\n".join(f"{name}: {TERMS[name][0]}" for name in wanted))
