"""The standard streams, to which the service writes its log and its messages."""

import asyncio
import os
import select
from typing import Final, TextIO

from core import metrics

_ENCODING: Final = "utf-8"
_LINE_END: Final = ord("\n")


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
        self._waiting: list[bytes] = []

    def write_line(self, line: str) -> None:
        """Write a line, which may contain line breaks; raises nothing that the stream causes."""
        self._waiting.append(self._encoded(line))
        self.flush()

    def write_line_soon(self, line: str) -> None:
        """Write a line in the next turn of the event loop, together with the other lines of this turn.

        A system call takes as long as the rest of the line, and one for all lines of a turn takes hardly longer.
        Without an event loop, the line is written immediately.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write_line(line)
            return
        encoded = self._encoded(line)
        # Larger writes to a pipe could be torn by those of other processes.
        if sum(map(len, self._waiting)) + len(encoded) > select.PIPE_BUF:
            self.flush()
        if not self._waiting:
            loop.call_soon(self.flush)
        self._waiting.append(encoded)

    def flush(self) -> None:
        """Write the lines that wait for the next turn of the event loop."""
        lines, self._waiting = self._waiting, []
        if self._descriptor is None or not lines:
            return
        # The rest of a line that was lost in the middle must not swallow the next one.
        rest = b"".join((b"\n", *lines) if self._is_torn else lines)
        while rest:
            try:
                written = os.write(self._descriptor, rest)
            except OSError:
                metrics.log_lines_lost.inc(_lines_in(lines, len(rest)))
                return
            self._is_torn = rest[written - 1] != _LINE_END
            rest = rest[written:]

    def _encoded(self, line: str) -> bytes:
        return f"{line}\n".encode(self._encoding, "backslashreplace")


def _lines_in(lines: list[bytes], size: int) -> int:
    """Return of how many lines, the last ones, an end of this size in bytes has a part."""
    count = 0
    while size > 0 and count < len(lines):
        count += 1
        size -= len(lines[-count])
    return count
