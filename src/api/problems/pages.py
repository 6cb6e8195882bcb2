"""The HTML of the pages about problem types."""

import json
import re
from collections.abc import Iterable
from html import escape
from http import HTTPStatus
from typing import Final

from api.problems.handlers import example
from api.problems.problem_type import ProblemType

_CODE: Final = re.compile(r"`([^`]+)`")
# Links are relative to the page, so that the service can be mounted below any prefix.
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ padding: 1rem; overflow: auto; border: 1px solid #8888; border-radius: .5rem }}
dt {{ margin-top: 1rem }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def index(problem_types: Iterable[ProblemType]) -> str:
    """Return the page that lists problem types, ordered by status."""
    entries = "\n".join(
        f'<dt>{each.status} <a href="problems/{escape(each.slug)}">{escape(each.title)}</a></dt>'
        f"<dd>{_prose(each.detail)}</dd>"
        for each in sorted(problem_types, key=lambda each: each.status)
    )
    introduction = _prose(
        "The service reports errors as `application/problem+json` (RFC 9457). The `type` of each error is the path of "
        "one of these pages."
    )
    return _PAGE.format(title="Problems", body=f"<h1>Problems</h1>\n<p>{introduction}</p>\n<dl>\n{entries}\n</dl>")


def page(problem_type: ProblemType) -> str:
    """Return the page of one problem type."""
    status = f"{problem_type.status} {escape(HTTPStatus(problem_type.status).phrase)}"
    body = f"""\
<p><a href="../problems">All problems</a></p>
<h1>{escape(problem_type.title)}</h1>
<p><code>{escape(problem_type.type)}</code>, status {status}{_headers(problem_type)}</p>
<h2>Meaning</h2>
<p>{_prose(problem_type.detail)}</p>
<h2>What to do</h2>
<p>{_prose(problem_type.remedy)}</p>
<h2>Example</h2>
<pre>{escape(json.dumps(example(problem_type), indent=2, ensure_ascii=False))}</pre>"""
    return _PAGE.format(title=escape(problem_type.title), body=body)


def _headers(problem_type: ProblemType) -> str:
    return "".join(f", with the header <code>{header}</code>" for header in problem_type.headers)


def _prose(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
