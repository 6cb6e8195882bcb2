"""Safe retries: the key that a client chooses for a request, and the sign that its answer is an earlier one."""

from typing import Annotated, Final

from fastapi import Header

from models.idempotency_key import KEY_MAX_LENGTH

# Visible ASCII, quoted or not, as clients of today send it.
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_MAX_LENGTH,
        pattern="^[!-~]+$",
        description="A name of your own for this request, a UUID say. Sent again with the same key, within 24 hours, "
        "the same request is carried out once; another request with that key is refused (422).",
        examples=["7f1c4b1e-3c1d-4a57-9d6a-0f8f5a2b9c11"],
    ),
]

_REPLAYED: Final = {"Idempotent-Replayed": "true"}


def replayed(was_done_before: bool) -> dict[str, str]:
    """Return the header that tells an earlier answer from a new one."""
    return _REPLAYED if was_done_before else {}
