"""The field guide: from the symptom to the test to the notebook, on one page."""

from __future__ import annotations

import base64
import html

from IPython.display import display

from course_utils.lessons.feedback import Message, rich
from course_utils.topics.clinic import PATIENTS

TESTS = (
    "**Alone.** Run each sequence by itself and compare with the batch.",
    "**More pads.** Pad the same batch to twice the length.",
    "**Other pads.** Write large random numbers into the pads, or NaN to see how far they get.",
    "**Other neighbours.** Change one row and watch the others; shuffle the rows.",
    "**Gradients.** Compare every parameter's gradient with the sum over single runs, and look at "
    "the gradient at the pads: it must be 0.",
)
# What PyTorch says by itself: the message, what to do, the notebook.
MESSAGES = (
    (
        "stack expects each tensor to be equal size",
        "Pad in your own `collate_fn`, and return the lengths.",
        "03_padding",
    ),
    (
        "Trying to backward through the graph a second time",
        "Detach the state that you carry on; `retain_graph=True` is no cure.",
        "02_unrolling_through_time",
    ),
    (
        "'lengths' argument should be a 1D CPU int64 tensor",
        "Keep the lengths on the CPU.",
        "05_packed_sequences",
    ),
    (
        "`lengths` array must be sorted in decreasing order",
        "Pass `enforce_sorted=False`.",
        "05_packed_sequences",
    ),
    (
        "Length of all samples has to be greater than 0",
        "Drop empty sequences before you pack.",
        "05_packed_sequences",
    ),
    (
        "cudnn RNN backward can only be called in training mode",
        "Call `model.train()`, and set dropout to 0 if you do not want it.",
        "11_bug_clinic",
    ),
)
_TITLE = "Field guide: does padding change my answer?"
_ORIGIN = (
    "The numbers are notebooks of the course Backpropagation through variable-length sequences."
)
_CELL = "text-align:left;vertical-align:top;padding:1px 10px 1px 0"
_STYLE = """@page{margin:12mm}
body{font:8.5pt/1.3 system-ui,'DejaVu Sans',sans-serif;color:#111;margin:0}
h1{font-size:14pt;margin:0 0 4pt}h2{font-size:11pt;margin:7pt 0 2pt}
ol{margin:0;padding-left:16pt}table{border-collapse:collapse;width:100%}
td,th{border-bottom:.5pt solid #888}a{color:inherit}"""


def field_guide() -> None:
    """Show the field guide, with a link to a page of its own for printing."""
    display(field_guide_message())


def field_guide_message() -> Message:
    """What :func:`field_guide` shows."""
    content = base64.b64encode(printable().encode()).decode()
    link = (
        '<p><a download="field_guide.html" style="text-decoration:underline;'
        'color:var(--jp-content-link-color,#0072B2)" '
        f'href="data:text/html;base64,{content}">Download it as one page to print</a></p>'
    )
    body = _body("h3", "h4")
    return Message(
        f'<div style="line-height:1.4;color:var(--jp-content-font-color1,inherit)">{body}{link}'
        "</div>",
        _as_text(),
    )


def printable() -> str:
    """The field guide as an HTML page of its own: one sheet of A4 or Letter paper."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{_TITLE}</title>'
        f"<style>{_STYLE}</style></head><body>{_body('h1', 'h2')}</body></html>"
    )


def _body(first: str, second: str) -> str:
    tests = "".join(f"<li>{_bold(rich(test))}</li>" for test in TESTS)
    symptoms = [(rich(p.symptom), rich(p.test), p.notebook) for p in PATIENTS.values()]
    messages = [(html.escape(said), rich(cure), notebook) for said, cure, notebook in MESSAGES]
    return (
        f"<{first}>{_TITLE}</{first}>"
        f"<{second}>Five tests that find nearly everything (padcheck asks them all)</{second}>"
        f"<ol>{tests}</ol>"
        f"<{second}>Nothing is said, and something is wrong</{second}>"
        f"{_table(('Symptom', 'Test', 'Notebook'), symptoms)}"
        f"<{second}>PyTorch says something</{second}>"
        f"{_table(('Message', 'What to do', 'Notebook'), messages)}<p>{_ORIGIN}</p>"
    )


def _bold(text: str) -> str:
    opening, name, rest = text.split("**", 2)
    return f"{opening}<b>{name}</b>{rest}"


def _table(head: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    titles = "".join(f'<th scope="col" style="{_CELL}">{title}</th>' for title in head)
    lines = "".join(
        f'<tr><td style="{_CELL}">{first}</td><td style="{_CELL}">{second}</td>'
        f'<td style="{_CELL}">{int(notebook[:2])}</td></tr>'
        for first, second, notebook in rows
    )
    return f"<table><tr>{titles}</tr>{lines}</table>"


def _as_text() -> str:
    symptoms = [f"{p.symptom}: {p.test} See {p.notebook}." for p in PATIENTS.values()]
    messages = [f"{said}: {cure} See {notebook}." for said, cure, notebook in MESSAGES]
    return "\n".join([_TITLE, *(test.replace("**", "") for test in TESTS), *symptoms, *messages])
