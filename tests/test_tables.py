"""Tables of results."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from course_utils.tables import table


def test_a_table_names_its_columns_and_rows_and_escapes():
    tree = ElementTree.fromstring(table(["model", "a < b"], [["<one>", 1.5], ["two", "± 3"]]))
    assert [cell.text for cell in tree.iter("th")] == ["model", "a < b", "<one>", "two"]
    assert [cell.get("scope") for cell in tree.iter("th")] == ["col", "col", "row", "row"]
    assert [cell.text for cell in tree.iter("td")] == ["1.5", "± 3"]


def test_a_row_of_another_length():
    with pytest.raises(ValueError, match="a row has 1 cells, expected 2"):
        table(["model", "loss"], [["one"]])
