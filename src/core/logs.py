"""Log lines: one for each event, as JSON for programs or as text for a terminal.

Text from a client can neither start a line of its own nor control a terminal: JSON escapes all characters that are not
ASCII, the text form escapes all that are not printable. Only the first line of an exception's message is logged:
further lines of the database driver contain values of the rows that caused the error.
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

from core.output import Output
from core.settings import Settings

ID_KEY: Final = "request_id"
FAILURE_KEY: Final = "failure"

request: ContextVar[Mapping[str, Any] | None] = ContextVar("request", default=None)
"""The request that this task processes: its id, and the exception that was logged already, under the keys above."""

# uvicorn logs an unexpected error again, without the request, after the error handler has logged it.
_REPEATING: Final = "uvicorn.error"
_ACCESS: Final = "uvicorn.access"
_SERVER: Final = ("uvicorn", "uvicorn.error", _ACCESS, "uvicorn.asgi")


def configure(settings: Settings) -> None:
    """Send all log records of this process, including uvicorn's and Python's warnings, to stderr in one format."""
    logging.captureWarnings(capture=True)
    for name in _SERVER:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        # uvicorn's access log contains the query strings. Without a handler, uvicorn does not write it.
        logger.propagate = name != _ACCESS
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(stderr(settings))
    root.setLevel(settings.log_level.upper())


def stderr(settings: Settings | None = None) -> logging.Handler:
    """Return the handler. `log_config.json` names it for what uvicorn logs before it loads the application."""
    settings = settings or Settings()
    # No format contains these values, so they need not be determined for each record.
    for value in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, value, False)
    handler = _OutputHandler(Output(sys.stderr))
    is_traced = settings.otel_exporter_otlp_endpoint is not None
    handler.setFormatter(JsonLines(is_traced=is_traced) if is_json(settings) else TextLines(is_traced=is_traced))
    handler.addFilter(_is_new)
    return handler


class _OutputHandler(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; what cannot be written is lost and counted."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)
        else:
            write = self._output.write_line_soon if getattr(record, "may_wait", False) else self._output.write_line
            write(line)


def is_json(settings: Settings) -> bool:
    """Return whether the log format is JSON."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


class JsonLines(logging.Formatter):
    """One JSON object per line. The dictionary `fields` of a record is merged into it."""

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
        except PydanticSerializationError:  # a lone surrogate, as in a file name that is not UTF-8
            return json.dumps(line, default=repr)


class TextLines(logging.Formatter):
    """One line of text. The traceback of an error follows, indented so that no line of it looks like a new record."""

    def __init__(self, *, is_traced: bool = False) -> None:
        super().__init__()
        self._is_traced = is_traced

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        context = _context(record, is_traced=self._is_traced)
        parts = [f"{_second(int(record.created))}Z", f"{record.levelname:<7}", record.getMessage()]
        parts += [f"{name}={value}" for name, value in context.items()]
        lines = [" ".join(parts), *(f"    {line}" for line in _error(record).splitlines())]
        return "\n".join(_printable(line) for line in lines)


def _context(record: logging.LogRecord, *, is_traced: bool) -> dict[str, Any]:
    context: dict[str, Any] = {}
    current = request.get()
    if current is not None and ID_KEY in current:
        context[ID_KEY] = current[ID_KEY]
    if is_traced and (span := trace.get_current_span().get_span_context()).is_valid:
        context["trace_id"] = f"{span.trace_id:032x}"
    context.update(getattr(record, "fields", ()))
    return context


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _error(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return "" if error is None else "\n".join(_described(error, set()))


def _described(error: BaseException, seen: set[int]) -> Iterator[str]:
    """Return the lines of an exception and its traceback, after the exceptions that caused it."""
    seen.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        yield from _described(cause, seen)
        yield "which caused:"
    for frame in format_tb(error.__traceback__):
        yield frame.rstrip("\n")
    yield f"{type(error).__qualname__}: {str(error).strip().partition(chr(10))[0]}"
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        if id(part) not in seen:
            yield "one of them:"
            yield from _described(part, seen)


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in line
    )


def _is_new(record: logging.LogRecord) -> bool:
    """Return False for an exception that the error handler has logged for the same request."""
    if record.name != _REPEATING or not record.exc_info:
        return True
    current = request.get()
    return current is None or current.get(FAILURE_KEY) is not record.exc_info[1]
