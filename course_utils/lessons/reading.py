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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from course_utils.lessons.entries import (
    ExerciseText,
    Guess,
    Option,
    PatientText,
    Question,
    Quiz,
    Saying,
    Term,
)

_SEPARATOR = " :: "
# kind of block -> its first line: a mark (depth, name, sign or number), and the text
_FIRST_LINES = {
    "heading": re.compile(r"(#+)\s*(.*)"),
    "option": re.compile(r"- \[([ xX])\]\s*(.*)"),
    "field": re.compile(r"- ([a-z]+):\s*(.*)"),
    "hint": re.compile(r"(\d+)\.\s+(.*)"),
}
_NAMES = {
    "heading": "a heading",
    "option": "an option",
    "field": "a line `- name: value`",
    "hint": "a numbered hint",
    "paragraph": "a paragraph",
}


class TextError(ValueError):
    """A Markdown file is not what it should be; the message names the file and the line."""


@dataclass(frozen=True)
class Place:
    """A line of a file."""

    file: str
    line: int

    def fail(self, found: str, expected: str) -> NoReturn:
        """Raise a :class:`TextError` about this line."""
        raise TextError(f"{self}: found {found}; expected {expected}")

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


class Entry(NamedTuple):
    """A section that was read: where it stands, of which kind, under which name."""

    place: Place
    kind: str
    key: str
    content: Any


@dataclass
class _Block:
    """Lines that belong together: a heading, a list item or a paragraph."""

    place: Place
    kind: str
    mark: str
    text: str

    def fail(self, expected: str) -> NoReturn:
        self.place.fail(f"{_NAMES[self.kind]} {self.text!r}", expected)


@dataclass(frozen=True)
class _Section:
    """A heading and the blocks below it, up to the next heading."""

    place: Place
    kind: str
    name: str
    notebook: int | None
    blocks: list[_Block]

    def of(self, kind: str) -> list[_Block]:
        """The blocks of one kind."""
        return [block for block in self.blocks if block.kind == kind]

    def allow(self, *kinds: str) -> None:
        """Refuse blocks of other kinds."""
        for block in self.blocks:
            if block.kind not in kinds:
                wanted = " or ".join(_NAMES[kind] for kind in kinds)
                block.fail(f"only {wanted} below {self.kind!r}")

    def fields(self, required: str = "", optional: str = "") -> dict[str, _Block]:
        """The ``- name: value`` lines, which must be these."""
        found: dict[str, _Block] = {}
        known = [*required.split(), *optional.split()]
        for block in self.of("field"):
            if block.mark not in known:
                names = ", ".join(known) or "none"
                block.place.fail(f"an unknown line `- {block.mark}:`", f"one of these: {names}")
            if block.mark in found:
                earlier = found[block.mark].place.line
                block.place.fail(f"`- {block.mark}:` again, as in line {earlier}", "it once")
            found[block.mark] = block
        if missing := [name for name in required.split() if name not in found]:
            self.place.fail(f"no line `- {missing[0]}: ...` below the heading", "one")
        return found

    def paragraph(self, what: str) -> str:
        """The only paragraph."""
        paragraphs = self.of("paragraph")
        if not paragraphs:
            self.place.fail(f"no {what} below the heading", "a paragraph")
        if len(paragraphs) > 1:
            paragraphs[1].fail(f"one paragraph, the {what}")
        return paragraphs[0].text

    def in_notebook(self) -> int:
        """The number of the notebook that the section belongs to."""
        if self.notebook is None:
            self.place.fail(
                "no notebook", "`- notebook: 3` below the title, or `(notebook 3)` in the heading"
            )
        return self.notebook


def read_topic(text: str, file: str) -> list[Entry]:
    """The sections of a file, in order.

    Args:
        text: what the file holds.
        file: its name, for messages.

    Raises:
        TextError: something is missing, unknown, empty or written twice.
    """
    first, *sections = _sections(_blocks(text, file), file)
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


def _blocks(text: str, file: str) -> Iterator[_Block]:
    open_block: _Block | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        place = Place(file, number)
        block = _begin(line, place)
        continues = block and block.kind == "paragraph" and open_block
        if continues and open_block.kind != "heading":
            open_block.text = f"{open_block.text} {line.strip()}".strip()
            continue
        if open_block:
            yield _checked(open_block)
        open_block = block
    if open_block:
        yield _checked(open_block)


def _begin(line: str, place: Place) -> _Block | None:
    """The block that a line begins, if it begins one; None for an empty line."""
    if not line.strip():
        return None
    line = line.strip()
    for kind, pattern in _FIRST_LINES.items():
        if match := pattern.fullmatch(line):
            return _Block(place, kind, match[1], match[2])
    if re.match(r"[-*+][\s\[]", line):
        place.fail(repr(line), "`- [ ] text :: reason`, `- [x] text :: reason` or `- name: value`")
    if line.startswith("```"):
        place.fail("a block of code", "text, with short `code` in backticks")
    return _Block(place, "paragraph", "", line)


def _checked(block: _Block) -> _Block:
    if not block.text:
        block.place.fail(f"{_NAMES[block.kind]} without text", "a text")
    if block.text.count("`") % 2:
        block.place.fail(f"an odd number of backticks in {block.text!r}", "them in pairs")
    return block


def _sections(blocks: Iterable[_Block], file: str) -> list[_Section]:
    sections: list[_Section] = []
    notebook = None
    for block in blocks:
        if block.kind != "heading":
            if not sections:
                block.fail("a title `# ...` first")
            sections[-1].blocks.append(block)
            continue
        if (block.mark == "#") != (not sections):
            block.fail("one title `# ...`, at the beginning of the file")
        if len(sections) == 1:
            notebook = _default_notebook(sections[0])
        sections.append(_section(block, notebook))
    if len(sections) < 2:
        Place(file, 1).fail("no section", "a title `# ...` and sections `## ...`")
    return sections


def _default_notebook(title: _Section) -> int | None:
    title.allow("field")
    given = title.fields(optional="notebook").get("notebook")
    return _number(given, 0, 99) if given else None


def _section(block: _Block, notebook: int | None) -> _Section:
    if block.mark == "#":
        return _Section(block.place, "title", block.text, None, [])
    text, own = re.fullmatch(r"(.*?)(?: \(notebook (\d+)\))?", block.text).groups()
    number = notebook if own is None else int(own)
    if block.mark == "###":
        if text != "Question":
            block.fail("`### Question` or `### Question (notebook 5)`")
        return _Section(block.place, "Question", "", number, [])
    kind, _, name = text.partition(": ")
    if block.mark != "##" or not name.strip():
        block.fail("`## Kind: name`, such as `## Quiz: Padding`")
    if kind.startswith("Exercise"):
        match = re.fullmatch(r"Exercise (\d+\.\d+)", kind)
        if not match or own is not None:
            block.fail("`## Exercise 3.1: title`, whose number names the notebook")
        return _Section(block.place, "Exercise", f"{match[1]} {name}", None, [])
    return _Section(block.place, kind, name, number, [])


def _number(block: _Block, least: int, most: int) -> int:
    if not re.fullmatch(r"\d+", block.text) or not least <= int(block.text) <= most:
        block.fail(f"a whole number from {least} to {most}")
    return int(block.text)


def _exercise(section: _Section, _: list[_Section]) -> Entry:
    section.allow("field", "paragraph", "hint")
    fields = section.fields("key difficulty minutes")
    number, title = section.name.split(" ", 1)
    hints = section.of("hint")
    if len(hints) < 2:
        section.place.fail(f"{len(hints)} hints", "two or more, as `1. ...` and `2. ...`")
    for place, hint in enumerate(hints, start=1):
        if hint.mark != str(place):
            hint.place.fail(f"hint {hint.mark}", f"`{place}. ...`")
    text = ExerciseText(
        key=_key(fields["key"]),
        number=number,
        title=title,
        difficulty=_number(fields["difficulty"], 1, 3),
        minutes=_number(fields["minutes"], 1, 60),
        task=section.paragraph("task"),
        hints=tuple(hint.text for hint in hints),
    )
    return Entry(section.place, "Exercise", text.key, text)


def _key(block: _Block) -> str:
    if not re.fullmatch(r"[a-z_0-9]+(\.[a-z_0-9]+)?", block.text):
        block.fail("a key of small letters, such as `padding.pad_batch`")
    return block.text


def _quiz(section: _Section, below: list[_Section]) -> Entry:
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


def _question(section: _Section) -> Question:
    section.allow("paragraph", "option")
    text = section.paragraph("question")
    return Question(text, _options(section), section.in_notebook())


def _options(section: _Section) -> tuple[Option, ...]:
    """Two or more options, one of them right."""
    blocks = section.of("option")
    options = [_option(block) for block in blocks]
    if len(options) < 2:
        section.place.fail(f"{len(options)} options", "two or more")
    right = [block for block in blocks if block.mark != " "]
    if not right:
        section.place.fail("no option marked as right", "one `- [x] text :: reason`")
    if len(right) > 1:
        right[1].place.fail(f"a second right option {right[1].text!r}", "one `[x]` in a question")
    for place, option in enumerate(options):
        if option.text in [earlier.text for earlier in options[:place]]:
            blocks[place].place.fail(f"the option {option.text!r} again", "options that differ")
    return tuple(options)


def _option(block: _Block) -> Option:
    text, *reasons = block.text.split(_SEPARATOR)
    if len(reasons) != 1 or not text.strip() or not reasons[0].strip():
        block.fail("`text :: reason`, both of them, in one line")
    if text.count("`") % 2:
        block.fail("backticks in pairs on both sides of `::`")
    return Option(text.strip(), reasons[0].strip(), right=block.mark != " ")


def _guess(section: _Section, _: list[_Section]) -> Entry:
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


def _text_and_why(section: _Section) -> tuple[str, str]:
    paragraphs = section.of("paragraph")
    reasons = [block for block in paragraphs if block.text.startswith("Why: ")]
    if len(reasons) != 1:
        section.place.fail(f"{len(reasons)} paragraphs `Why: ...`", "one, the answer in a sentence")
    if len(paragraphs) != 2 or paragraphs[1] is not reasons[0]:
        section.place.fail(f"{len(paragraphs)} paragraphs", "the question, then `Why: ...`")
    return paragraphs[0].text, reasons[0].text.removeprefix("Why: ").strip()


def _term(section: _Section, _: list[_Section]) -> Entry:
    section.allow("paragraph")
    term = Term(section.name, section.paragraph("meaning"), section.in_notebook())
    return Entry(section.place, "Term", term.name, term)


def _patient(section: _Section, _: list[_Section]) -> Entry:
    section.allow("field")
    fields = section.fields("symptom test")
    patient = PatientText(
        section.name, fields["symptom"].text, fields["test"].text, section.in_notebook()
    )
    return Entry(section.place, "Patient", patient.name, patient)


def _saying(section: _Section, _: list[_Section]) -> Entry:
    section.allow("paragraph")
    saying = Saying(section.name, section.paragraph("advice"), section.in_notebook())
    return Entry(section.place, section.kind, saying.said, saying)


_READERS: dict[str, Callable[[_Section, list[_Section]], Entry]] = {
    "Exercise": _exercise,
    "Quiz": _quiz,
    "Guess": _guess,
    "Term": _term,
    "Patient": _patient,
    "Test": _saying,
    "Message": _saying,
}
