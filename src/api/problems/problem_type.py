"""The form of a problem type (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ProblemType:
    """A problem type (RFC 9457).

    `slug` is the last segment of its URI. `title` and `detail` are sent in each response; `remedy` is shown on its page
    only. `headers` names the headers that accompany it. `extensions` holds example values of its additional members.
    """

    status: int
    slug: str
    title: str
    detail: str
    remedy: str
    headers: tuple[str, ...] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type URI: the path of the problem's page, or `about:blank` if it has no slug."""
        return f"/problems/{self.slug}" if self.slug else "about:blank"
