"""Log lines: JSON for programs, text for people at a terminal; one line for each thing that happened.

Whatever a client sent can not begin a line of its own, nor steer a terminal: JSON escapes all that is not ASCII, the
text form all that is not printable. What an exception says is told as far as its first line: the driver's further lines
hold the rows it stumbled over.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from traceback import format_tb
from typing import Any, Final

from opentelemetry import trace
from pydantic_core import PydanticSerializationError, to_json

from core.settings import Settings

ID_KEY: Final = "request_id"
FAILURE_KEY: Final = "failure"

request: ContextVar[Mapping[str, Any] | None] = ContextVar("request", default=None)
"""The request this task works for: its id, and the exception that was already told, under the keys above."""

# The server repeats what the handler of unexpected errors has told, without the request.
_REPEATS: Final = "uvicorn.error"
_ACCESS: Final = "uvicorn.access"
_SERVER: Final = ("uvicorn", "uvicorn.error", _ACCESS, "uvicorn.asgi")


def configure(settings: Settings) -> None:
    """Let everything that this process logs, the server and Python's warnings included, go to stderr in one form."""
    logging.captureWarnings(capture=True)
    for name in _SERVER:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        # The server's own lines of requests hold their queries; without a handler it makes none.
        logger.propagate = name != _ACCESS
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(stderr(settings))
    root.setLevel(settings.log_level.upper())


def stderr(settings: Settings | None = None) -> logging.Handler:
    """Return the handler; uvicorn's `log_config.json` asks for it, for the lines that come before the application."""
    settings = settings or Settings()
    # What no line shows need not be found out for each.
    for fact in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, fact, False)
    handler = logging.StreamHandler(sys.stderr)
    is_traced = settings.otel_exporter_otlp_endpoint is not None
    handler.setFormatter(JsonLines(is_traced=is_traced) if is_json(settings) else TextLines(is_traced=is_traced))
    handler.addFilter(_is_news)
    return handler


def is_json(settings: Settings) -> bool:
    """Return whether the lines are JSON."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


class JsonLines(logging.Formatter):
    """One JSON object a line. `fields` of a record, a dictionary, become members of it."""

    def __init__(self, *, is_traced: bool = False) -> None:
        super().__init__()
        self._is_traced = is_traced
        self._pid = os.getpid()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line = {
            "time": f"{_second(int(record.created))}.{int(record.created % 1 * 1000):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": self._pid,
            **_context(record, is_traced=self._is_traced),
        }
        if error := _error(record):
            line["error"] = error
        try:
            return to_json(line, ensure_ascii=True, fallback=repr).decode()
        except PydanticSerializationError:  # half of a surrogate pair, as in the name of a file that is not UTF-8
            return json.dumps(line, default=repr)


class TextLines(logging.Formatter):
    """One line of text; an error's trace follows, indented so that nothing in it looks like another line."""

    def __init__(self, *, is_traced: bool = False) -> None:
        super().__init__()
        self._is_traced = is_traced

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        context = _context(record, is_traced=self._is_traced)
        told = [f"{_second(int(record.created))}Z", f"{record.levelname:<7}", record.getMessage()]
        told += [f"{name}={value}" for name, value in context.items()]
        lines = [" ".join(told), *(f"    {line}" for line in _error(record).splitlines())]
        return "\n".join(_printable(line) for line in lines)


def _context(record: logging.LogRecord, *, is_traced: bool) -> dict[str, Any]:
    about: dict[str, Any] = {}
    current = request.get()
    if current is not None and ID_KEY in current:
        about[ID_KEY] = current[ID_KEY]
    if is_traced and (span := trace.get_current_span().get_span_context()).is_valid:
        about["trace_id"] = f"{span.trace_id:032x}"
    about.update(getattr(record, "fields", ()))
    return about


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _error(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return "" if error is None else "\n".join(_told(error, set()))


def _told(error: BaseException, seen: set[int]) -> Iterator[str]:
    """Tell an exception with its trace, after those that led to it."""
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _told(before, seen)
        yield "which led to:"
    for frame in format_tb(error.__traceback__):
        yield frame.rstrip("\n")
    yield f"{type(error).__qualname__}: {str(error).strip().partition(chr(10))[0]}"
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        if id(part) not in seen:
            yield "of which one is:"
            yield from _told(part, seen)


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in line
    )


def _is_news(record: logging.LogRecord) -> bool:
    if record.name != _REPEATS or not record.exc_info:
        return True
    current = request.get()
    return current is None or current.get(FAILURE_KEY) is not record.exc_info[1]
