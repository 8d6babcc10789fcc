"""Does padding change the results? A check for any model that eats padded sequences.

>>> from course_utils.padcheck import Padded, padcheck
>>> report = padcheck(model, inputs, lengths, Padded(targets, lengths))  # doctest: +SKIP
"""

from course_utils.padcheck.causes import Cause
from course_utils.padcheck.check import assert_padding_invariant, padcheck
from course_utils.padcheck.feeding import Padded, Unpadded
from course_utils.padcheck.report import Finding, Report

__all__ = [
    "Cause",
    "Finding",
    "Padded",
    "Report",
    "Unpadded",
    "assert_padding_invariant",
    "padcheck",
]
