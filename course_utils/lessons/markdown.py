"""Reads the texts of a topic from Markdown: exercises, quizzes, guesses, terms, the clinic.

A file has a title (``#``) and sections (``##``), each with a kind and a name. Below a heading
come lines ``- name: value``, then text. Lines that are wrapped are joined. For example::

    # Padding

    - notebook: 3

    ## Guess: padding.stack

    What does `torch.stack` do with sequences of 5, 3 and 7 steps?

    - [ ] It fills the short ones with zeros :: It never invents numbers.
    - [x] It raises an error :: All tensors must have the same shape.

    Why: A tensor is a box: every row has the same length.

A section belongs to the file's notebook, unless its heading ends in ``(notebook 5)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, NamedTuple

from course_utils.lessons.entries import (
    Exercise,
    Guess,
    Option,
    PatientText,
    Question,
    Quiz,
    Saying,
    Term,
)
from course_utils.lessons.sections import Block, Place, Section, read_sections

_SEPARATOR = " :: "


class Entry(NamedTuple):
    """A section that was read: where it stands, of which kind, under which name."""

    place: Place
    kind: str
    key: str
    content: Any


def read_topic(text: str, file: str) -> list[Entry]:
    """The sections of a file, in order.

    Args:
        text: what the file holds.
        file: its name, for messages.

    Raises:
        TextError: something is missing, unknown, empty or written twice.
    """
    sections = read_sections(text, file)
    entries: list[Entry] = []
    while sections:
        section, *sections = sections
        if section.kind not in _READERS:
            section.place.fail(
                f"a section {section.kind!r}", f"one of {', '.join(_READERS)}, as in `## Quiz: ...`"
            )
        below = []
        while sections and sections[0].kind == "Question":
            below.append(sections.pop(0))
        if below and section.kind != "Quiz":
            below[0].place.fail(f"a question below {section.kind!r}", "it below `## Quiz: ...`")
        entries.append(_READERS[section.kind](section, below))
    return entries


def _exercise(section: Section, _: list[Section]) -> Entry:
    section.allow("field", "paragraph", "hint")
    fields = section.fields("key difficulty minutes")
    number, title = section.name.split(" ", 1)
    hints = section.of("hint")
    if len(hints) < 2:
        section.place.fail(f"too few hints, {len(hints)}", "two or more, as `1. ...` and `2. ...`")
    for place, hint in enumerate(hints, start=1):
        if hint.mark != str(place):
            hint.place.fail(f"hint {hint.mark}", f"`{place}. ...`")
    text = Exercise(
        key=_key(fields["key"]),
        number=number,
        title=title,
        difficulty=fields["difficulty"].number(1, 3),
        minutes=fields["minutes"].number(1, 60),
        task=section.paragraph("task"),
        hints=tuple(hint.text for hint in hints),
        topic=PurePath(section.place.file).stem,
    )
    return Entry(section.place, "Exercise", text.key, text)


def _key(block: Block) -> str:
    if not re.fullmatch(r"[a-z_0-9]+(\.[a-z_0-9]+)?", block.text):
        block.fail("a key of small letters, such as `padding.pad_batch`")
    return block.text


def _quiz(section: Section, below: list[Section]) -> Entry:
    section.allow("field")
    fields = section.fields("key", "placement")
    if not below:
        section.place.fail("a quiz without a question", "`### Question` below it")
    quiz = Quiz(
        key=_key(fields["key"]),
        notebook=section.in_notebook(),
        title=section.name,
        questions=tuple(_question(part) for part in below),
        placement=fields["placement"].text if "placement" in fields else "",
    )
    return Entry(section.place, "Quiz", quiz.key, quiz)


def _question(section: Section) -> Question:
    section.allow("paragraph", "option")
    text = section.paragraph("question")
    return Question(text, _options(section), section.in_notebook())


def _options(section: Section) -> tuple[Option, ...]:
    """Two or more options, one of them right."""
    blocks = section.of("option")
    options = [_option(block) for block in blocks]
    if len(options) < 2:
        section.place.fail(f"too few options, {len(options)}", "two or more")
    right = [block for block in blocks if block.mark != " "]
    if not right:
        section.place.fail("no option marked as right", "one `- [x] text :: reason`")
    if len(right) > 1:
        right[1].place.fail(f"a second right option {right[1].text!r}", "one `[x]` in a question")
    for place, option in enumerate(options):
        if option.text in [earlier.text for earlier in options[:place]]:
            blocks[place].place.fail(f"the option {option.text!r} again", "options that differ")
    return tuple(options)


def _option(block: Block) -> Option:
    text, *reasons = f" {block.text} ".split(_SEPARATOR)
    if len(reasons) != 1 or not text.strip() or not reasons[0].strip():
        block.fail("`text :: reason`, both of them, in one line")
    if text.count("`") % 2:
        block.fail("backticks in pairs on both sides of `::`")
    return Option(text.strip(), reasons[0].strip(), right=block.mark != " ")


def _guess(section: Section, _: list[Section]) -> Entry:
    section.allow("field", "paragraph", "option")
    unit = section.fields(optional="unit").get("unit")
    if unit and section.of("option"):
        unit.fail("either options or a unit, to ask for a number")
    text, why = _text_and_why(section)
    guess = Guess(
        key=section.name,
        notebook=section.in_notebook(),
        text=text,
        why=why,
        options=() if unit else _options(section),
        unit=unit.text if unit else None,
    )
    return Entry(section.place, "Guess", guess.key, guess)


def _text_and_why(section: Section) -> tuple[str, str]:
    paragraphs = section.of("paragraph")
    reasons = [block for block in paragraphs if block.text.startswith("Why: ")]
    if len(reasons) != 1:
        section.place.fail(f"{len(reasons)} paragraphs `Why: ...`", "one, the answer in a sentence")
    if len(paragraphs) != 2 or paragraphs[1] is not reasons[0]:
        section.place.fail(f"{len(paragraphs)} paragraphs", "the question, then `Why: ...`")
    return paragraphs[0].text, reasons[0].text.removeprefix("Why: ").strip()


def _term(section: Section, _: list[Section]) -> Entry:
    section.allow("paragraph")
    term = Term(section.name, section.paragraph("meaning"), section.in_notebook())
    return Entry(section.place, "Term", term.name, term)


def _patient(section: Section, _: list[Section]) -> Entry:
    section.allow("field")
    fields = section.fields("symptom test")
    patient = PatientText(
        section.name, fields["symptom"].text, fields["test"].text, section.in_notebook()
    )
    return Entry(section.place, "Patient", patient.name, patient)


def _saying(section: Section, _: list[Section]) -> Entry:
    section.allow("paragraph")
    saying = Saying(section.name, section.paragraph("advice"), section.in_notebook())
    return Entry(section.place, section.kind, saying.said, saying)


_READERS: dict[str, Callable[[Section, list[Section]], Entry]] = {
    "Exercise": _exercise,
    "Quiz": _quiz,
    "Guess": _guess,
    "Term": _term,
    "Patient": _patient,
    "Test": _saying,
    "Message": _saying,
}
