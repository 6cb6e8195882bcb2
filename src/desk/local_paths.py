"""Paths of pages that a form or a query names: only those of this service are followed."""

from typing import Final
from urllib.parse import urlsplit

from api.paths import DESK, OWN_PAGES

HOME: Final = "/my"
"""It leads to the first page of the role."""
MAX_LENGTH: Final = 2000


def local_path(text: str) -> str:
    """Return a path with its query if it is that of a page behind the sign-in, and otherwise that of the home page."""
    if len(text) > MAX_LENGTH or not text.isprintable() or "\\" in text or not text.startswith("/"):
        return HOME
    try:
        parts = urlsplit(text)
    except ValueError:
        return HOME
    is_local = not parts.scheme and not parts.netloc and ".." not in parts.path and "//" not in parts.path
    return text if is_local and (parts.path in DESK or parts.path in OWN_PAGES) else HOME
