"""All quizzes and guesses of the course, by key; one module a topic.

A new topic: add its module to ``_TOPICS``. Each module has two lists, ``QUIZZES`` and ``GUESSES``.
"""

from course_utils.lessons.entries import Guess, Quiz
from course_utils.lessons.quizzes import (
    backprop,
    beyond,
    capstone,
    clinic,
    devices,
    last_step,
    loss,
    masking,
    packing,
    padding,
    start,
    unrolling,
)

_TOPICS = (
    start,
    backprop,
    unrolling,
    padding,
    masking,
    packing,
    loss,
    last_step,
    devices,
    capstone,
    clinic,
    beyond,
)

QUIZZES: dict[str, Quiz] = {quiz.key: quiz for topic in _TOPICS for quiz in topic.QUIZZES}
GUESSES: dict[str, Guess] = {guess.key: guess for topic in _TOPICS for guess in topic.GUESSES}
