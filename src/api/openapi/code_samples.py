"""Code samples of the operations (`x-codeSamples`): curl and Python, built from the examples of the document.

A sample reads the URL of the service from TICKETS_URL and an API key from TICKETS_KEY, so it runs unchanged.
"""

import json
import re
import shlex
from dataclasses import dataclass
from typing import Final

from api.openapi import JSON

_MEDIA_TYPE: Final = "application/json"
_QUERIES: Final = {
    "list_tickets": "?status=open&sort=-updated_at",
    "list_comments": "?limit=20",
    "count_tickets": "?by=status",
    "get_due": "?from=2026-03-02T09:00:00Z&seconds=14400",
    "get_worked": "?from=2026-03-02T09:00:00Z&until=2026-03-03T09:00:00Z",
    "render_canned_reply": "?ticket_id=1",
    "get_numbers_by_day": "?since=2026-03-02&until=2026-03-09",
    "get_numbers_by_value": "?facet=tag&since=2026-03-02&until=2026-03-09",
    "propose_holidays": "?country=DE&subdivision=BY&year=2026",
}


@dataclass(frozen=True)
class _Call:
    method: str
    target: str
    has_credentials: bool
    if_match: str | None
    body: JSON | None


def code_samples(operation: JSON, method: str, path: str) -> list[dict[str, str]]:
    """Return the samples of a completed operation."""
    parameters = {each["name"]: each["schema"].get("examples", [None])[0] for each in operation.get("parameters", ())}
    content = operation.get("requestBody", {}).get("content", {}).get(_MEDIA_TYPE)
    call = _Call(
        method.upper(),
        path.format_map(parameters) + _QUERIES.get(operation["operationId"], ""),
        has_credentials=bool(operation["security"]),
        # A PATCH replaces stored values: the version prevents that it overwrites a change of another client.
        if_match=parameters["If-Match"] if method == "patch" else None,
        body=next(iter(content["examples"].values()))["value"] if content else None,
    )
    return [
        {"lang": "Shell", "label": "curl", "source": _curl(call)},
        {"lang": "Python", "label": "Python", "source": _python(call)},
    ]


def _curl(call: _Call) -> str:
    is_default = call.method == ("GET" if call.body is None else "POST")
    method = "" if is_default else f"-X {call.method} "
    options = [f'{method}"$TICKETS_URL{call.target}"']
    if call.has_credentials:
        options.append('-H "Authorization: Bearer $TICKETS_KEY"')
    if call.if_match is not None:
        options.append(f"-H {shlex.quote(f'If-Match: {call.if_match}')}")
    if call.body is not None:
        options += [f'-H "Content-Type: {_MEDIA_TYPE}"', f"-d {shlex.quote(json.dumps(call.body))}"]
    return "curl " + " \\\n  ".join(options)


def _python(call: _Call) -> str:
    headers = ['"Authorization": "Bearer " + os.environ["TICKETS_KEY"]'] if call.has_credentials else []
    arguments = [f'os.environ["TICKETS_URL"] + "{call.target}"', f'method="{call.method}"']
    lines = ["import json", "import os", "from urllib.request import Request, urlopen", ""]
    if call.if_match is not None:
        headers.append(f'"If-Match": {call.if_match!r}')
    if call.body is not None:
        lines.append(f"body = {_python_literal(call.body)}")
        headers.append(f'"Content-Type": "{_MEDIA_TYPE}"')
        arguments.append("data=json.dumps(body).encode()")
    if headers:
        arguments.append("\n".join(["headers={", *(f"        {header}," for header in headers), "    }"]))
    return "\n".join(
        [
            *lines,
            "request = Request(",
            *(f"    {argument}," for argument in arguments),
            ")",
            "with urlopen(request) as response:",
            "    print(json.dumps(json.load(response), indent=2))",
        ]
    )


def _python_literal(body: JSON) -> str:
    """Return a body as Python writes it: in the form of JSON, except for its three words."""
    words = {"true": "True", "false": "False", "null": "None"}
    return re.sub(r": (true|false|null)\b", lambda found: f": {words[found[1]]}", json.dumps(body, indent=4))
