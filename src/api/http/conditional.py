"""The headers with a meaning of their own: versions (RFC 9110), where an answer came from (RFC 9211), links."""

import re
from collections.abc import Set
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Header, Request
from starlette.datastructures import Headers
from starlette.types import Scope

from db.cache.ticket_cache import CacheOutcome

# A proxy that compresses an answer may mark its tag weak; the version in it is the same.
_ETAG: Final = r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_ETAGS: Final = re.compile(rf"[ \t,]*{_ETAG}(?:[ \t]*,[ \t,]*{_ETAG})*[ \t,]*")
_VERSION: Final = re.compile("[1-9][0-9]{0,9}")

_CACHE_STATUS: Final = {
    CacheOutcome.HIT: b"tickets; hit",
    CacheOutcome.FILLED: b"tickets; fwd=miss; stored",
    CacheOutcome.NOT_FILLED: b"tickets; fwd=miss",
    CacheOutcome.SHARED: b"tickets; fwd=miss; collapsed",
    CacheOutcome.BYPASSED: b"tickets; fwd=bypass",
}
# Others may keep it, but must ask each time whether it still stands.
_ASK_EACH_TIME: Final = (b"cache-control", b"no-cache")


def etag(version: int) -> str:
    """Return the strong entity tag of a version."""
    return f'"{version}"'


def lookup_headers(version: int, outcome: CacheOutcome) -> list[tuple[bytes, bytes]]:
    """Return what is told of a ticket that was looked up, changed or not."""
    return [(b"etag", b'"%d"' % version), (b"cache-status", _CACHE_STATUS[outcome]), _ASK_EACH_TIME]


def link_to_next(scope: Scope, cursor: str | None) -> dict[str, str]:
    """Return the Link header (RFC 8288) to the page that follows the one asked for, none on the last one."""
    if cursor is None:
        return {}
    asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True) if scope["query_string"] else []
    query = urlencode([*((name, value) for name, value in asked if name != "cursor"), ("cursor", cursor)])
    return {"Link": f'<{scope["path"]}?{query}>; rel="next"'}


IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of the ticket as you saw it: refused (412) if it has changed since. Several, separated "
        "by commas, or `*` for any.",
        examples=['"1"'],
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="The ETag of what you have: answered without a body (304) if the ticket is still at that version.",
        examples=['"1"'],
    ),
]
CacheControl = Annotated[
    str | None,
    Header(
        alias="Cache-Control",
        description="`no-cache` reads past the cache, from the database.",
        examples=["no-cache"],
    ),
]


async def _expected_versions(request: Request, if_match: IfMatch = None) -> Set[int] | None:
    return None if if_match is None else versions_in(joined(request.headers, "If-Match"))


async def _known_versions(request: Request, if_none_match: IfNoneMatch = None) -> Set[int] | None:
    return frozenset() if if_none_match is None else versions_in(joined(request.headers, "If-None-Match"))


async def _wants_past_cache(request: Request, cache_control: CacheControl = None) -> bool:
    directives = () if cache_control is None else joined(request.headers, "Cache-Control").lower().split(",")
    return any(directive.strip() == "no-cache" for directive in directives)


def joined(headers: Headers, name: str) -> str:
    """Return a header's value, the values of several lines in order as one list (RFC 9110, 5.3)."""
    return ", ".join(headers.getlist(name))


def versions_in(tags: str) -> Set[int] | None:
    """Return the versions that a header's entity tags stand for: None for any; a list that is none names none."""
    if tags.strip() == "*":
        return None
    if not _ETAGS.fullmatch(tags):
        return frozenset()
    opaque = re.findall(_ETAG, tags)
    return frozenset(int(tag) for tag in opaque if _VERSION.fullmatch(tag))


ExpectedVersions = Annotated[Set[int] | None, Depends(_expected_versions)]
# None stands for "*", any version.
KnownVersions = Annotated[Set[int] | None, Depends(_known_versions)]
PastCache = Annotated[bool, Depends(_wants_past_cache)]
