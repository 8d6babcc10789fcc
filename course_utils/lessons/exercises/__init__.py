"""All exercises of the course, by key; one module a topic.

A new topic: add its module to ``_TOPICS``. Each module has one list, ``EXERCISES``.
"""

from course_utils.lessons.entries import Exercise
from course_utils.lessons.exercises import (
    backprop,
    beyond,
    capstone,
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
    beyond,
)

EXERCISES: dict[str, Exercise] = {
    exercise.key: exercise for topic in _TOPICS for exercise in topic.EXERCISES
}
