"""What a run says while it runs: one line per stage, with its time, from rank 0."""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

log = logging.getLogger(__name__)
package = logging.getLogger("imgda_mpi")

Item = TypeVar("Item")

WIDTH = 120  # characters of a line of text

SECONDS_BETWEEN_LINES = 30.0
SHARE_BETWEEN_LINES = 0.1
"""Of the time gone by: lines of a long run are sparse."""


class Stages:
    """Wall time of the stages of a run on this rank, in the order they ran."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._summary = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and log one line at its end, with what `say` was given during it."""
        self._summary = ""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        log.info("%-12s %6.2f s  %s", name, self.seconds[name], self._summary)

    def say(self, summary: str) -> None:
        """What the line of the current stage says."""
        self._summary = summary


class Repeated:
    """What is said by one piece of work after another, as by analyses: the whole of it goes into files.

    At the end the screen has the first warning of each kind, and how many pieces had one. Warnings are of one kind
    where they differ in numbers alone.

    Parameters
    ----------
    name, pieces : whose pieces they are, and their plural
    """

    def __init__(self, name: str, pieces: str) -> None:
        self._name, self._pieces = name, pieces
        self._n = 0
        self._kinds: dict[str, tuple[str, int]] = {}  # the first text of each, and how many pieces had it

    @contextmanager
    def piece(self, file: Path | None) -> Iterator[None]:
        """Keep what the block says from the screen; it goes into a new file in a folder that is there, or nowhere."""
        shown = package.handlers[:]
        warnings = _FirstOfKind()
        handlers: list[logging.Handler] = [warnings]
        if file is not None:
            handlers.append(logging.FileHandler(file, "w"))
            handlers[-1].setFormatter(_Format(""))
        package.handlers[:] = handlers
        try:
            yield
        finally:
            package.handlers[:] = shown
            for handler in handlers:
                handler.close()
            self._n += 1
            for kind, text in warnings.found.items():
                first, count = self._kinds.get(kind, (text, 0))
                self._kinds[kind] = first, count + 1

    def say(self) -> None:
        """Say what the warnings were."""
        for text, count in self._kinds.values():
            log.warning("%s, %d of %d %s, the first time: %s", self._name, count, self._n, self._pieces, text)


def progress(
    items: Sequence[Item], what: str, *, speaks: bool, unit: str = "rounds", done: int = 0
) -> Generator[Item, None, None]:
    """Pass items on, showing how far they are and the time left: a bar on a terminal, else a few lines in the log.

    ``speaks`` is true on the one rank that shows anything; so many items were ``done`` before.
    """
    if speaks and sys.stderr.isatty():
        from tqdm import tqdm  # where it is used: other ranks need not load it
        from tqdm.contrib.logging import logging_redirect_tqdm

        bar = tqdm(items, desc=what, leave=False, unit=f" {unit}", initial=done, total=done + len(items))
        with closing(bar), logging_redirect_tqdm([package]):
            yield from bar
        return
    start = said = time.monotonic()
    for number, item in enumerate(items):
        yield item
        now = time.monotonic()
        if speaks and now - said > max(SECONDS_BETWEEN_LINES, SHARE_BETWEEN_LINES * (now - start)):
            said = now
            left = (now - start) / (number + 1) * (len(items) - number - 1)
            log.info("%s: %d of %d %s, about %s left", what, done + number + 1, done + len(items), unit, duration(left))


def duration(seconds: float) -> str:
    """A length of time in words.

    >>> duration(41.7), duration(150), duration(9000)
    ('42 s', '2 min 30 s', '2 h 30 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def columns(lines: Sequence[Sequence[str]], alignment: str = "<") -> str:
    """Words in columns; ``alignment`` has < or > for each of the first columns, the others are as of >.

    >>> print(columns([("a", "b"), ("long", "3.14")]))
    a        b
    long  3.14
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = alignment.ljust(len(widths), ">")
    cells = [[f"{word:{side}{width}}" for word, side, width in zip(line, sides, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line) for line in cells)


def number_text(value: float, form: str) -> str:
    """A number, or - where there is none."""
    return format(value, form) if math.isfinite(value) else "-"


def configure_logging(rank: int) -> None:
    """Rank 0 tells what happens, other ranks only what is wrong (with their number) and is not so on every rank."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: rank == 0 or not hasattr(record, "of_every_rank"))
    prefix = "" if rank == 0 else f"rank {rank}: "
    handler.setFormatter(_Format(prefix))
    package.handlers[:] = [handler]
    package.setLevel(logging.INFO if rank == 0 else logging.WARNING)
    package.propagate = False


NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?|\b(nan|inf)\b")


class _FirstOfKind(logging.Handler):
    """Finds kinds of warnings with their first texts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self.found.setdefault(NUMBER.sub("#", text), text)


class _Format(logging.Formatter):
    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"{self._prefix}{level}{record.getMessage()}"
