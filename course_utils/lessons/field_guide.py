"""The field guide: from the symptom to the test to the notebook, on one page."""

from __future__ import annotations

from html import escape

from IPython.display import display

from course_utils.course import NOTEBOOKS
from course_utils.html import Message, block, download_link, rich, table
from course_utils.lessons.topics import patient_texts, sayings

_TITLE = "Field guide: does padding change my answer?"
_ORIGIN = (
    "The numbers are notebooks of the course Backpropagation through variable-length sequences."
)
# On paper all must fit on one page: closer lines than on a screen.
_STYLE = """@page{margin:12mm}
body{font:8.5pt/1.3 system-ui,'DejaVu Sans',sans-serif;color:#111;margin:0}
h1{font-size:14pt;margin:0 0 4pt}h2{font-size:11pt;margin:7pt 0 2pt}
ol{margin:0;padding-left:16pt}
table{border-collapse:collapse;width:100%;line-height:1.3!important}
td,th{border-bottom:.5pt solid #888;padding:1px 10px 1px 0!important}a{color:inherit}"""


def field_guide() -> None:
    """Show the field guide, with a link to a page of its own for printing."""
    display(field_guide_message())


def field_guide_message() -> Message:
    """What :func:`field_guide` shows."""
    label = "Download it as one page to print"
    link = download_link(label, "field_guide.html", printable(), media="text/html")
    return Message(block(_body("h3", "h4"), f"<p>{link}</p>"), _as_text())


def printable() -> str:
    """The field guide as an HTML page of its own: one sheet of A4 or Letter paper."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{_TITLE}</title>'
        f"<style>{_STYLE}</style></head><body>{_body('h1', 'h2')}</body></html>"
    )


def _body(first: str, second: str) -> str:
    tests = "".join(
        f"<li><b>{rich(test.said)}.</b> {rich(test.advice)}</li>" for test in sayings("Test")
    )
    symptoms = [(rich(p.symptom), rich(p.test), str(p.notebook)) for p in patient_texts().values()]
    messages = [(escape(m.said), rich(m.advice), str(m.notebook)) for m in sayings("Message")]
    return (
        f"<{first}>{_TITLE}</{first}>"
        f"<{second}>Five tests that find nearly everything (padcheck asks them all)</{second}>"
        f"<ol>{tests}</ol>"
        f"<{second}>Nothing is said, and something is wrong</{second}>"
        f"{table(('Symptom', 'Test', 'Notebook'), symptoms)}"
        f"<{second}>PyTorch says something</{second}>"
        f"{table(('Message', 'What to do', 'Notebook'), messages)}<p>{_ORIGIN}</p>"
    )


def _as_text() -> str:
    file = {notebook.number: notebook.file for notebook in NOTEBOOKS}
    tests = [f"{test.said}. {test.advice}" for test in sayings("Test")]
    symptoms = [f"{p.symptom}: {p.test} See {file[p.notebook]}." for p in patient_texts().values()]
    messages = [f"{m.said}: {m.advice} See {file[m.notebook]}." for m in sayings("Message")]
    return "\n".join([_TITLE, *tests, *symptoms, *messages])
