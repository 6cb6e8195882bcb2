"""Forms as browsers send them: `application/x-www-form-urlencoded`, in UTF-8."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

KEY_BYTES: Final = 16
MAX_FIELDS: Final = 1_000
MAX_BODY_BYTES: Final = 1024 * 1024


class Form(Mapping[str, str]):
    """The fields by name: the first value of each. Line breaks are those of the user, LF alone."""

    def __init__(self, fields: Mapping[str, Sequence[str]], body: bytes = b"") -> None:
        self._fields = {name: [value.replace("\r\n", "\n") for value in values] for name, values in fields.items()}
        self.body = body

    def __getitem__(self, name: str) -> str:
        return self._fields[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def text(self, name: str) -> str:
        """Return a field, empty if it was not sent."""
        return self.get(name, "")

    def all(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self._fields.get(name, [])

    def number(self, name: str) -> int:
        """Return a field as a number of up to 18 digits. Raises RequestValidationError."""
        value = self.text(name).strip().removeprefix("#")
        if not value.isascii() or not value.isdigit() or len(value) > 18:
            raise RequestValidationError(
                [{"type": "number", "loc": ("body", name), "msg": "must be a whole number in plain digits"}]
            )
        return int(value)


def new_key() -> str:
    """Return a key for a form: sent twice, it is carried out once."""
    return secrets.token_hex(KEY_BYTES)


def ticket_number(text: str) -> int:
    """Return the id of a ticket as people write it, `42` or `#42`. Raises RequestValidationError."""
    return Form({"ticket": [text]}).number("ticket")


async def form_of(request: Request) -> Form:
    """Return the form of a request.

    Raises RequestValidationError for one that is no form in UTF-8, and HTTPException (413) for one that is too large.
    """
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:  # one that declares its length is refused before
        raise HTTPException(413)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise RequestValidationError([{"type": "form", "loc": ("body",), "msg": "must be a form in UTF-8"}]) from None
    return Form(fields, body)
