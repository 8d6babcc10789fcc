"""What the tests of explorers take apart."""

from __future__ import annotations

import re

import ipywidgets as widgets


def parts(box: widgets.VBox) -> tuple[list[widgets.Widget], widgets.HTML]:
    *controls, picture = box.children
    return controls, picture


def alt(picture: widgets.HTML) -> str:
    return re.search(r'aria-label="([^"]*)"', picture.value).group(1)
