"""Conditional requests (RFC 9110, 13): entity tags are versions of a resource."""

import re
from collections.abc import Iterator, Set
from typing import Annotated, Final

from fastapi import Depends, Header, Request
from starlette.datastructures import Headers
from starlette.types import Scope

MAX_VERSION: Final = 2**31 - 1
# A proxy that compresses a response may mark its entity tag as weak. The version in it is the same.
_ETAG: Final = r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_ETAGS: Final = re.compile(rf"[ \t,]*{_ETAG}(?:[ \t]*,[ \t,]*{_ETAG})*[ \t,]*")
_VERSION: Final = re.compile("[1-9][0-9]{0,9}")
# Nearly every If-None-Match: one tag, which this expression parses faster than the others.
_ONE_TAG: Final = re.compile(b'"([1-9][0-9]{0,9})"')


IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag that the change is based on. If the resource has changed since, the request "
        "is refused (412). Several ETags are separated by commas; `*` matches any version.",
        examples=['"1"'],
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="The ETag of a stored response. If the ticket still has this version, the response is 304 without "
        "a body.",
        examples=['"1"'],
    ),
]
UnlessMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="ETags, separated by commas. If the resource has one of these versions, the request is "
        "refused (412); `*` refuses every change of an existing resource.",
        examples=['"2"'],
    ),
]
CacheControl = Annotated[
    str | None,
    Header(
        alias="Cache-Control",
        description="`no-cache` bypasses the cache and reads from the database.",
        examples=["no-cache"],
    ),
]


class AllExcept(Set[int]):
    """All versions except some."""

    def __init__(self, excluded: Set[int]) -> None:
        self._excluded = excluded

    def __contains__(self, version: object) -> bool:
        return version not in self._excluded

    def __iter__(self) -> Iterator[int]:
        return (version for version in range(1, MAX_VERSION + 1) if version in self)

    def __len__(self) -> int:
        return MAX_VERSION - len(self._excluded)


async def _expected_versions(
    request: Request, if_match: IfMatch = None, if_none_match: UnlessMatch = None
) -> Set[int] | None:
    matching = None if if_match is None else versions_in(joined(request.headers, "If-Match"))
    if if_none_match is None:
        return matching
    excluded = versions_in(joined(request.headers, "If-None-Match"))
    if excluded is None:
        return frozenset()
    return AllExcept(excluded) if matching is None else matching - excluded


async def _known_versions(request: Request, if_none_match: IfNoneMatch = None) -> Set[int] | None:  # noqa: ARG001 - documents the header
    return known_versions(request.scope)


async def _bypasses_cache(request: Request, cache_control: CacheControl = None) -> bool:
    directives = () if cache_control is None else joined(request.headers, "Cache-Control").lower().split(",")
    return any(directive.strip() == "no-cache" for directive in directives)


def joined(headers: Headers, name: str) -> str:
    """Return the value of a header; several lines are joined to one list (RFC 9110, 5.3)."""
    return ", ".join(headers.getlist(name))


def known_versions(scope: Scope) -> Set[int] | None:
    """Return the versions in If-None-Match: none without the header, None (any version) for `*`."""
    tags = [value for name, value in scope["headers"] if name == b"if-none-match"]
    if not tags:
        return frozenset()
    if len(tags) == 1 and (one := _ONE_TAG.fullmatch(tags[0])):
        return frozenset((int(one[1]),))
    return versions_in(b", ".join(tags).decode("latin-1"))


def versions_in(tags: str) -> Set[int] | None:
    """Return the versions that a list of entity tags names; None (any version) for `*`, none for a malformed list."""
    if tags.strip() == "*":
        return None
    if not _ETAGS.fullmatch(tags):
        return frozenset()
    return frozenset(int(tag) for tag in re.findall(_ETAG, tags) if _VERSION.fullmatch(tag))


def has_tag(tags: str, opaque: str) -> bool:
    """Return whether a list of entity tags contains a tag, by its text between the quotes, or is `*`."""
    return tags.strip() == "*" or bool(_ETAGS.fullmatch(tags) and opaque in re.findall(_ETAG, tags))


# None stands for "*", any version. Without the header, every version is expected, and no version is known.
ExpectedVersions = Annotated[Set[int] | None, Depends(_expected_versions)]
KnownVersions = Annotated[Set[int] | None, Depends(_known_versions)]
BypassCache = Annotated[bool, Depends(_bypasses_cache)]
