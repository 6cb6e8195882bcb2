"""Idempotency keys as the release before this one stores them: a hash of the validated body, and a model as JSON.

Both releases run while instances are replaced one by one, so each has to understand the keys of the other. 24 hours
after the last instance of that release has stopped, this module and its columns can be removed.
"""

import json
from hashlib import sha256
from typing import Final

from pydantic import BaseModel

from services.write_result import WriteResult

# The fields of that release: another field must not change the hash.
_FIELDS: Final = {"subject", "text", "email", "status"}


def fingerprint(operation: str, body: BaseModel) -> str:
    """Return the hash by which that release recognizes a request."""
    return sha256(f"{operation}\0{body.model_dump_json(include=_FIELDS)}".encode()).hexdigest()


def stored_form(operation: str, result: WriteResult) -> str:
    """Return the text in which that release stores a result."""
    body = result.body.decode()
    return f'{{"comment":{body},"version":{result.version}}}' if operation.startswith("comment ") else body


def from_stored_form(text: str) -> WriteResult:
    """Return the result that that release stored."""
    stored = json.loads(text)
    shown = stored.get("comment", stored)
    body = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    return WriteResult(body, shown.get("ticket_id", shown["id"]), stored["version"])
