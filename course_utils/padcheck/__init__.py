"""Does padding change the answer? A check for any model that eats padded sequences.

>>> from course_utils.padcheck import padcheck
>>> report = padcheck(model, inputs, lengths)  # doctest: +SKIP
"""

from course_utils.padcheck.answers import Cause, Row
from course_utils.padcheck.check import assert_padding_invariant, padcheck
from course_utils.padcheck.report import Report

__all__ = ["Cause", "Report", "Row", "assert_padding_invariant", "padcheck"]
