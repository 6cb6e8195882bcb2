"""Whether the process was told to stop."""


class ShutdownState:
    """False from the start of the process until it is told to stop; read wherever that matters."""

    def __init__(self) -> None:
        self._has_begun = False

    def __bool__(self) -> bool:
        return self._has_begun

    def begin(self) -> None:
        """Take note that the process was told to stop."""
        self._has_begun = True
