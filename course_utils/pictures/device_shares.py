"""Shares of a batch on several devices, each padded to its own longest sequence."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.colours import VERMILLION
from course_utils.pictures.base import Picture, new_drawing, pad_cell, real_cell, text, to_picture

_BAR, _HEAD, _LEFT = 13, 26, 20


def draw_shares(shares: Sequence[Sequence[int]], notes: Sequence[str], *, title: str) -> Picture:
    """One block a device, and in it a bar for each sequence, as long as the sequence.

    Args:
        shares: the lengths of each device's sequences; none for an empty share.
        notes: a few words about each device.
        title: a line above the blocks.

    Raises:
        ValueError: not one note for each device.
    """
    if len(notes) != len(shares):
        raise ValueError(f"got {len(notes)} notes for {len(shares)} devices")
    longest = max((max(share, default=0) for share in shares), default=0)
    step = min(24.0, 600 / max(longest, 1))
    rows = sum(max(len(share), 1) for share in shares)
    heads = [f"device {i}: {_count(share)}; {note}" for i, (share, note) in _both(shares, notes)]
    width = max(_LEFT + longest * step, 8.6 * len(title), *(7.6 * len(head) for head in heads))
    drawing = new_drawing(width + 8, 30 + len(shares) * (_HEAD + 8) + rows * _BAR + 30)
    drawing.append(text(title, 4, 12, anchor="start", size=15, weight="bold"))
    y = 30.0
    for head, share in zip(heads, shares, strict=True):
        fill = "currentColor" if share else VERMILLION
        drawing.append(text(head, 4, y + _HEAD / 2, anchor="start", fill=fill))
        y += _HEAD
        for length in share:
            drawing.append(real_cell(_LEFT, y, length * step, _BAR - 3))
            missing = (max(share) - length) * step
            if missing:
                drawing.append(pad_cell(_LEFT + length * step + 2, y, missing - 2, _BAR - 3))
            y += _BAR
        y += 8 + (0 if share else _BAR)
    drawing.append(real_cell(4, y, 16, 14))
    drawing.append(text("real steps", 26, y + 8, anchor="start"))
    drawing.append(pad_cell(120, y, 16, 14))
    drawing.append(text("padding", 142, y + 8, anchor="start"))
    return to_picture(drawing, f"{title}. {'. '.join(heads)}.")


def _both(shares: Sequence[Sequence[int]], notes: Sequence[str]) -> enumerate:
    return enumerate(zip(shares, notes, strict=True))


def _count(share: Sequence[int]) -> str:
    return f"{sum(share)} real steps, T = {max(share)}" if share else "no real step"
