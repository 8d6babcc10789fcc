"""The field guide on paper."""

from __future__ import annotations

import re

import pytest

from course_utils.lessons.field_guide import printable

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_field_guide_prints_on_one_page(browser, paper: str):
    page = browser.new_page()
    page.set_content(printable())
    margin = dict.fromkeys(("top", "right", "bottom", "left"), "12mm")
    pdf = page.pdf(format=paper, margin=margin)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
