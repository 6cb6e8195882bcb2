"""uvicorn's HTTP protocol with an end to what a request may send besides its body.

httptools collects a request's line and headers until they are complete, and a trailer likewise, however long they are:
one connection could fill the memory.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# What other servers take too: 8 KiB to 64 KiB.
MOST_BYTES: Final = 64 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses a request of which more than MOST_BYTES were read since its beginning, or its body's last part."""

    _unfinished = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came, and close the connection if no end is in sight."""
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")

    def on_body(self, body: bytes) -> None:
        """Leave what is body to the application to count."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin anew with the next request."""
        self._unfinished = 0
        super().on_message_complete()
