"""The topics of the course, two files each: ``NAME.md`` is what is read, ``NAME.py`` what runs."""
