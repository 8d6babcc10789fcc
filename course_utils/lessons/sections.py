"""Markdown, in a small part of its syntax, as sections: a heading and what stands below it.

A file has a title (``#``), sections (``## Kind: name``) and questions (``### Question``). Below a
heading stand lines ``- name: value``, paragraphs, numbered hints, and options, which begin with
``- [ ]`` or ``- [x]``. Lines that are wrapped are joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

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


@dataclass
class Block:
    """Lines that belong together: a heading, a list item or a paragraph."""

    place: Place
    kind: str
    mark: str
    text: str

    def fail(self, expected: str) -> NoReturn:
        """Raise a :class:`TextError` about this block."""
        self.place.fail(f"{_NAMES[self.kind]} {self.text!r}", expected)

    def number(self, least: int, most: int) -> int:
        """Its text as a whole number within these limits."""
        if not re.fullmatch(r"\d+", self.text) or not least <= int(self.text) <= most:
            self.fail(f"a whole number from {least} to {most}")
        return int(self.text)


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it, up to the next heading."""

    place: Place
    kind: str
    name: str
    notebook: int | None
    blocks: list[Block]

    def of(self, kind: str) -> list[Block]:
        """The blocks of one kind."""
        return [block for block in self.blocks if block.kind == kind]

    def allow(self, *kinds: str) -> None:
        """Refuse blocks of other kinds."""
        for block in self.blocks:
            if block.kind not in kinds:
                wanted = " or ".join(_NAMES[kind] for kind in kinds)
                block.fail(f"only {wanted} below {self.kind!r}")

    def fields(self, required: str = "", optional: str = "") -> dict[str, Block]:
        """The ``- name: value`` lines, which must be these."""
        found: dict[str, Block] = {}
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


def read_sections(text: str, file: str) -> list[Section]:
    """The sections of a file, in order, without its title.

    Raises:
        TextError: there is none, or a heading, a list or a text is not as it should be.
    """
    sections: list[Section] = []
    notebook = None
    for block in _blocks(text, file):
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
    return sections[1:]


def _blocks(text: str, file: str) -> Iterator[Block]:
    open_block: Block | None = None
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


def _begin(line: str, place: Place) -> Block | None:
    """The block that a line begins, if it begins one; None for an empty line."""
    if not line.strip():
        return None
    line = line.strip()
    for kind, pattern in _FIRST_LINES.items():
        if match := pattern.fullmatch(line):
            return Block(place, kind, match[1], match[2])
    if re.match(r"[-*+][\s\[]", line):
        place.fail(repr(line), "`- [ ] text :: reason`, `- [x] text :: reason` or `- name: value`")
    if line.startswith("```"):
        place.fail("a block of code", "text, with short `code` in backticks")
    return Block(place, "paragraph", "", line)


def _checked(block: Block) -> Block:
    if not block.text:
        block.place.fail(f"{_NAMES[block.kind]} without text", "a text")
    if block.text.count("`") % 2:
        block.place.fail(f"an odd number of backticks in {block.text!r}", "them in pairs")
    return block


def _default_notebook(title: Section) -> int | None:
    title.allow("field")
    given = title.fields(optional="notebook").get("notebook")
    return given.number(0, 99) if given else None


def _section(block: Block, notebook: int | None) -> Section:
    if block.mark == "#":
        return Section(block.place, "title", block.text, None, [])
    text, own = re.fullmatch(r"(.*?)(?: \(notebook (\d+)\))?", block.text).groups()
    number = notebook if own is None else int(own)
    if block.mark == "###":
        if text != "Question":
            block.fail("`### Question` or `### Question (notebook 5)`")
        return Section(block.place, "Question", "", number, [])
    kind, _, name = text.partition(": ")
    if block.mark != "##" or not name.strip():
        block.fail("`## Kind: name`, such as `## Quiz: Padding`")
    if kind.startswith("Exercise"):
        match = re.fullmatch(r"Exercise (\d+\.\d+)", kind)
        if not match or own is not None:
            block.fail("`## Exercise 3.1: title`, whose number names the notebook")
        return Section(block.place, "Exercise", f"{match[1]} {name}", None, [])
    return Section(block.place, kind, name, number, [])
