"""The glossary as it is shown."""

from __future__ import annotations

import difflib

from course_utils.html import Message, note, rich
from course_utils.lessons.topics import terms

# JupyterLab floats the terms to the left of their explanations, where long ones do not fit.
_BLOCK = "float:none;width:auto;margin:0"


def glossary_message(names: tuple[str, ...]) -> Message:
    """The terms asked for, or all of them; an unknown one is told, with similar ones."""
    known = terms()
    wanted = [name.strip().lower() for name in names] or list(known)
    for name in wanted:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            advice = f" Did you mean: {', '.join(close)}?" if close else ""
            return note(f"{name!r} is not in the glossary.{advice} glossary() shows all terms.")
    rows = "".join(
        f'<dt style="{_BLOCK}"><b>{name}</b></dt>'
        f'<dd style="{_BLOCK} 0 4px 1.5em">{rich(known[name].meaning)} '
        f"<small>Notebook {known[name].notebook:02d}.</small></dd>"
        for name in wanted
    )
    html = f'<dl style="max-width:46em;line-height:1.5;margin:6px 0">{rows}</dl>'
    return Message(html, "\n".join(f"{name}: {known[name].meaning}" for name in wanted))
