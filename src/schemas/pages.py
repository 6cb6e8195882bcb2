"""The fields that all list pages share."""

from typing import Annotated, Final

from pydantic import Field

CURSOR_EXAMPLE: Final = "LXEWQrcmsEQBYnyp-6wy9Vs1MSwgbnVsbF0"

NextCursor = Annotated[
    str | None,
    Field(
        description="Send it as `cursor` to get the next page; null on the last page.",
        examples=[CURSOR_EXAMPLE],
    ),
]
