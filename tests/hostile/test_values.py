"""Invalid text in every position that takes text."""

from collections.abc import Awaitable, Callable, Iterable

import pytest

from hostile.conftest import MARK
from hostile.positions import in_bodies, in_headers, in_paths, in_queries
from hostile.wire import Request, Response
from support.factories import JSON

Endure = Callable[[Iterable[Request]], Awaitable[list[Response]]]

# Between the quotes of a JSON string.
IN_JSON = {
    "NUL, escaped": rb"\u0000",
    "NUL, raw": b"\x00",
    "a lone high surrogate, escaped": rb"\ud800",
    "a lone low surrogate, escaped": rb"\udfff",
    "surrogates the wrong way round": rb"\udc00\ud800",
    "a lone surrogate, raw": b"\xed\xa0\x80",
    "a surrogate pair in UTF-8": b"\xed\xa0\xbd\xed\xb8\x80",
    "bytes that are not UTF-8": b"\xff\xfe",
    "an overlong slash": b"\xc0\xaf",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "CR and LF, escaped": rb"\r\nX-Injected: yes\r\n\r\n",
    "CR and LF, raw": b"\r\nX-Injected: yes",
    "control characters": rb"\u0001\u0008\u001b[31m\u007f\u0085\u009f\u2028\u202e\ufeff\uffff",
    "an incomplete escape": rb"\u00",
    "an invalid escape": rb"\x00",
}

# In a URL, byte by byte.
IN_URLS = {
    "NUL": b"%00",
    "a lone surrogate": b"%ED%A0%80",
    "not UTF-8": b"%FF%FE",
    "an overlong slash": b"%C0%AF",
    "beyond Unicode": b"%F4%90%80%80",
    "CR and LF": b"%0D%0AX-Injected:%20yes%0D%0A%0D%0A",
    "CR and LF, encoded twice": b"%250D%250AX-Injected:%20yes",
    "control characters": b"%01%08%1B%7F%C2%85%E2%80%A8",
    "an incomplete escape": b"%",
    "an invalid escape": b"%zz%u0000",
    "bytes that are not ASCII": b"\xc3\xa9\xff\x80",
    "dots": b"..%2f..%2fetc%2fpasswd",
    "a fragment": b"#",
}

# In a header.
IN_HEADERS = {
    "not UTF-8": b"\xff\xfe",
    "a surrogate": b"\xed\xa0\x80",
    "quotes": b'"\'"1", W/"',
    "a tag of many digits": b'"%s"' % (b"9" * 4000),
    "many tags": b", ".join(b'"%d"' % number for number in range(2000)),
    "an escape": b"%0d%0aX-Injected: yes",
    "a tab": b"\t\t",
    "nothing": b"",
    "8 KiB": b"x" * 8192,
    "an encoded word": b"=?utf-8?q?=0D=0AX-Injected:=20yes?=",
}
# Forbidden in a header: uvicorn refuses the request, or ends the header there.
NOT_IN_HEADERS = {
    "NUL": b"\x00",
    "CR": b"\rX-Injected: yes",
    "LF": b"\nX-Injected: yes",
    "CR and LF": b"\r\nX-Injected: yes",
    "a folded line": b"\r\n X-Injected: yes",
    "control characters": b"\x01\x08\x1b\x7f",
}

# Not a well-formed request id, which the response would rightly repeat.
IN_HEADER = MARK + b"!"


@pytest.mark.parametrize("literal", IN_JSON.values(), ids=IN_JSON)
async def test_invalid_text_in_a_body_is_harmless(endure: Endure, document: JSON, literal: bytes) -> None:
    await endure(in_bodies(document, b'"%s%s"' % (MARK, literal)))


@pytest.mark.parametrize("value", IN_URLS.values(), ids=IN_URLS)
async def test_invalid_text_in_a_query_is_harmless(endure: Endure, document: JSON, value: bytes) -> None:
    await endure(in_queries(document, MARK + value))


@pytest.mark.parametrize("value", IN_URLS.values(), ids=IN_URLS)
async def test_invalid_text_in_a_path_is_harmless(endure: Endure, document: JSON, value: bytes) -> None:
    responses = await endure(in_paths(document, MARK + value))
    # The server cuts a fragment off, and what remains is a valid external id.
    valid = {200, 201} if value.startswith(b"#") else set()
    assert {response.status for response in responses} <= {400, 404, 405, 422} | valid


@pytest.mark.parametrize("value", IN_HEADERS.values(), ids=IN_HEADERS)
async def test_invalid_text_in_a_header_is_harmless(endure: Endure, document: JSON, value: bytes) -> None:
    for response in await endure(in_headers(document, IN_HEADER + value)):
        assert MARK not in response.head


@pytest.mark.parametrize("value", NOT_IN_HEADERS.values(), ids=NOT_IN_HEADERS)
async def test_bytes_that_headers_forbid_are_harmless(endure: Endure, document: JSON, value: bytes) -> None:
    for response in await endure(in_headers(document, IN_HEADER + value)):
        assert MARK not in response.head
