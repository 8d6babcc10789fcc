"""Run a learner's code: whatever it does, stop it in time and come back.

Endless loops of Python code are stopped. A single call into compiled code that does not return
cannot be; then only an interrupt of the kernel helps.
"""

from __future__ import annotations

import ctypes
import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch

from course_utils.lessons.traces import without_traces

_AGAIN = 0.1  # seconds until the next attempt to stop code that swallowed the first
_MOST_PRINTED = 1000  # characters


class TimeUp(BaseException):
    """The learner's code ran longer than it may."""


@dataclass(frozen=True)
class Run:
    """What came of a call: a value, or the exception that ended it, and what was printed.

    ``traces`` has words for what it changed beyond its result, and was set back.
    """

    value: Any
    error: BaseException | None
    printed: str
    traces: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether the code was stopped from outside, by the clock or by the learner."""
        return isinstance(self.error, (TimeUp, KeyboardInterrupt))


class _Capture(io.TextIOBase):
    """Keeps the first characters that are written, and forgets the others."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += str(text)[: _MOST_PRINTED - len(self.text)]
        return len(text)


def run_guarded(work: Callable[[], Any], seconds: float) -> Run:
    """Call ``work()`` and come back with its result or its exception, whatever kind it is.

    Output is captured, torch's random state and settings are as before, and after ``seconds``
    the code is stopped with :class:`TimeUp`.
    """
    capture = _Capture()
    traces: list[str] = []
    try:
        with (
            redirect_stdout(capture),
            redirect_stderr(capture),
            torch.random.fork_rng(devices=[]),
            without_traces() as traces,
            _time_limit(seconds),
        ):
            value = _enter(work)
    except BaseException as error:
        return Run(None, error, capture.text, tuple(traces))
    return Run(value, None, capture.text, tuple(traces))


def _enter(work: Callable[[], Any]) -> Any:
    """Frames above this one belong to the learner: only those may be stopped."""
    return work()


def _learners_frames(frame: FrameType | None) -> list[FrameType]:
    """The frames above :func:`_enter`, the innermost first; none outside of a guarded call."""
    frames = []
    while frame is not None and frame.f_code is not _enter.__code__:
        frames.append(frame)
        frame = frame.f_back
    return frames if frame is not None else []


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    in_main_thread = threading.current_thread() is threading.main_thread()
    limit = _alarm if in_main_thread and hasattr(signal, "setitimer") else _watcher
    with limit(max(seconds, 0.01)):
        yield


def _stop_at_next_line(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "line":
        raise TimeUp
    # What cleans up behind the learner's code must run undisturbed.
    return _stop_at_next_line if _learners_frames(frame) else None


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Stop code in the main thread by a signal, which also ends a sleep."""

    def stop(signum: int, frame: FrameType | None) -> None:
        frames = _learners_frames(frame)
        if not frames:
            return
        # A bare `except:` around the loop's body catches TimeUp, so its first line raises again.
        for learners in frames:
            learners.f_trace = _stop_at_next_line
        sys.settrace(_stop_at_next_line)
        raise TimeUp

    trace = sys.gettrace()
    handler = signal.signal(signal.SIGALRM, stop) or signal.SIG_DFL
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        sys.settrace(trace)


@contextmanager
def _watcher(seconds: float) -> Iterator[None]:
    """Stop code from a second thread: on Windows, and outside the main thread."""
    me = threading.get_ident()
    done = threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            if _learners_frames(sys._current_frames().get(me)):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(me), ctypes.py_object(TimeUp)
                )
            wait = _AGAIN

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        for _ in range(3):  # one exception may arrive late, even here, at the loop's next turn
            with suppress(TimeUp):
                done.set()
                thread.join()
