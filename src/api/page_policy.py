"""What the pages made by FastAPI may do: run and load what the service itself gave them, and ask nobody else."""

import base64
import hashlib
import re

from fastapi.responses import HTMLResponse

_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def with_policy(page: HTMLResponse, *more: str) -> HTMLResponse:
    """Return a page with a Content-Security-Policy under which its own scripts run, told by their hashes, and no other.

    `more` is what the policy says besides.
    """
    hashes = "".join(f" 'sha256-{_digest(script)}'" for script in _SCRIPT.findall(bytes(page.body)))
    parts = [
        "default-src 'none'",
        f"script-src 'self'{hashes}",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        *more,
    ]
    page.headers["Content-Security-Policy"] = "; ".join(parts)
    return page


def _digest(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode()
