"""Python runs this at its start where this folder is on ``PYTHONPATH``: see ``pretend.py``."""

import pretend  # noqa: F401
