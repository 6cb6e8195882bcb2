"""The problem types that the server itself sends, before the application receives a request."""

from typing import Final

from api.problems.problem_type import ProblemType

MALFORMED: Final = ProblemType(
    400,
    "malformed-request",
    "Malformed request",
    "The request is not valid HTTP/1.1.",
    "Use an HTTP library. The server refuses a URI of 64 KiB or more, a header without a colon, a missing or repeated "
    "`Host`, broken chunks, and contradictory lengths of the body. It does not accept TLS, which a proxy terminates.",
)
UNKNOWN_CODING: Final = ProblemType(
    501,
    "transfer-coding-not-supported",
    "Transfer coding not supported",
    "The Transfer-Encoding of the request is not chunked.",
    "Send the body without compression, with `Content-Length` or with `Transfer-Encoding: chunked`.",
)
