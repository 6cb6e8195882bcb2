"""The standard streams, to which the service writes its log and its messages."""

import os
from typing import Final, TextIO

from core import metrics

_ENCODING: Final = "utf-8"


class Output:
    """Writes lines to a standard stream. A line that cannot be written, as to a full disk, is lost and counted.

    It bypasses the buffer of the stream, which would keep a lost line, and fail again with the next one and at the exit
    of the process.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """`stream` is None in a process that was started without this stream."""
        self._descriptor = None if stream is None else stream.fileno()
        self._encoding = _ENCODING if stream is None else stream.encoding
        self._is_torn = False

    def write_line(self, line: str) -> None:
        """Write a line, which may contain line breaks; raises nothing that the stream causes."""
        if self._descriptor is None:
            return
        # The rest of a line that was lost in the middle must not swallow the next one.
        rest = f"{chr(10) if self._is_torn else ''}{line}\n".encode(self._encoding, "backslashreplace")
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                metrics.log_lines_lost.inc()
                return
            self._is_torn = bool(rest)
