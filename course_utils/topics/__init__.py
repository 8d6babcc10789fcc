"""The course's topics, two files each: ``NAME.md`` is what is read, ``NAME.py`` what runs.

That is tasks, hints, quiz and guesses; and solutions to read, cases to judge by, and wrong
versions, on purpose. A topic is found by its file. Everything here is meant for learning: what a
program needs lies in the modules of ``course_utils`` itself.
"""
