"""Explorers: controls wired to a diagram, one file a topic. Notebooks call one function each."""

from course_utils.explorers.padding import explore_length, explore_padding

__all__ = ["explore_length", "explore_padding"]
