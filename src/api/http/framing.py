"""The framing of a request head that uvicorn's parser does not check: `Host` and `Transfer-Encoding` (RFC 9112)."""

from collections.abc import Sequence

from api.problems.problem_type import ProblemType
from api.problems.server_types import MALFORMED, UNKNOWN_CODING

Headers = Sequence[tuple[bytes, bytes]]


class RefusedHead(Exception):
    """The head of a request is refused; `problem` is the response."""

    def __init__(self, problem: ProblemType) -> None:
        super().__init__(problem.title)
        self.problem = problem


def check_head(headers: Headers, *, is_http_1_0: bool) -> None:
    """Raise RefusedHead unless there is one Host, which HTTP/1.0 may omit, and no transfer coding but chunked."""
    names = [name for name, _ in headers]
    hosts = names.count(b"host")
    if hosts != 1 and not (hosts == 0 and is_http_1_0):
        raise RefusedHead(MALFORMED)
    if b"transfer-encoding" in names:
        _check_codings(headers)


def _check_codings(headers: Headers) -> None:
    lines = [value for name, value in headers if name == b"transfer-encoding"]
    codings = [coding.strip().lower() for coding in b",".join(lines).split(b",")]
    if codings == [b"chunked"]:
        return
    raise RefusedHead(MALFORMED if b"chunked" in codings[:-1] else UNKNOWN_CODING)
