"""The HTML that notebooks show: well-formed, escaped, and named for screen readers."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

import pytest

from course_utils import html

KINDS = {
    "right": "Right.",
    "not yet": "Not yet.",
    "not attempted": "Not attempted yet.",
    "not drawn": "Not drawn.",
    "note": "Note.",
}


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def said(node: ElementTree.Element) -> str:
    """What a screen reader says: all text but the signs that only decorate."""
    if node.get("aria-hidden") == "true":
        return ""
    return (node.text or "") + "".join(said(child) + (child.tail or "") for child in node)


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_says_its_kind_in_a_word_and_escapes_what_it_is_given(kind: str):
    box = parsed(html.box(kind, "Is `a < b`? <b>", "<p>Yes.</p>"))
    assert said(box) == f"{KINDS[kind]} Is a < b? <b>Yes."
    assert [node.text for node in box.iter("code")] == ["a < b"]
    assert box.get("role") is None


def test_a_box_of_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError, match="wrong"):
        html.box("wrong", "No.")


def test_screen_readers_say_alerts_and_faults_at_once():
    assert parsed(html.box("note", "Stop.", alert=True)).get("role") == "alert"
    fault = parsed(html.broken(KeyError("<lost>")))
    assert fault.get("role") == "alert"
    assert said(fault).endswith("KeyError: '<lost>'")


def test_note_has_the_same_words_as_html_and_as_text():
    note = html.note("Mind the `mask`.")
    assert repr(note) == "Mind the `mask`."
    assert said(parsed(note._repr_html_())) == "Note. Mind the mask."


@pytest.mark.parametrize(
    ("given", "expected"),
    [("got 0", "Got 0."), ("Why?", "Why?"), ("x!", "X!"), ("Done.", "Done."), ("", ".")],
)
def test_sentence_has_a_capital_and_a_stop(given: str, expected: str):
    assert html.sentence(given) == expected


def test_code_keeps_every_character_and_is_reached_by_keys():
    code = parsed(html.code_block("if a < b:\n    `c`  # &amp;"))
    assert code.text == "if a < b:\n    `c`  # &amp;"
    assert code.get("tabindex") == "0"


def test_table_names_its_columns_and_rows():
    table = parsed(html.table(("Term", "B"), [("a", "1"), ("b", "<b>2</b>")], caption="Two"))
    scopes = [(cell.get("scope"), said(cell)) for cell in table.iter("th")]
    assert scopes == [("col", "Term"), ("col", "B"), ("row", "a"), ("row", "b")]
    assert [said(cell) for cell in table.iter("td")] == ["1", "2"]
    assert said(table.find("caption")) == "Two"
    assert parsed(html.table(("A",), [])).find("caption") is None


def test_download_link_carries_its_file_along():
    text = "<p>ü & “quoted”</p>"
    link = parsed(html.download_link("Save & read", "a file.html", text, media="text/html"))
    assert said(link) == "Save & read"
    assert link.get("download") == "a file.html"
    head, data = link.get("href").split(",")
    assert head == "data:text/html;base64"
    assert base64.b64decode(data).decode() == text


def test_blocks_take_the_colour_of_the_page():
    assert said(parsed(html.block("<p>a</p>", "<p>b</p>"))) == "ab"
    for part in (html.block(""), html.box("note", ""), html.table(("A",), [("a",)])):
        assert "color:var(--jp-content-font-color1,inherit)" in part
