"""The scripts and styles of the desk, read once into memory and served below a hash of their content.

The URL of a file changes with any of them, so browsers keep them for a year. The modules import each other by relative
URLs, which stay below the same hash.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response

FOLDER: Final = Path(__file__).parent / "static"
STYLES: Final = "desk.css"

_MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_FOR_A_YEAR: Final = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: its bytes, the same compressed with gzip, and its media type."""

    body: bytes
    compressed: bytes
    media_type: str


class Assets:
    """The files below `static`. Those of `css` are served as one, in the order of their names."""

    def __init__(self, folder: Path = FOLDER) -> None:
        bodies = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}
        styles = [bodies.pop(name) for name in list(bodies) if name.startswith("css/")]
        bodies[STYLES] = b"".join(styles)
        self.version: Final = _version_of(bodies)
        self._assets: Final = {name: _asset(name, body) for name, body in bodies.items()}

    @property
    def names(self) -> list[str]:
        """The names of the files, sorted."""
        return sorted(self._assets)

    def url(self, name: str) -> str:
        """Return the URL of a file, relative to the root of the service. Raises KeyError for an unknown one."""
        self._assets[name]
        return f"desk/assets/{self.version}/{name}"

    def get(self, name: str) -> Asset:
        """Return a file. Raises KeyError for an unknown one."""
        return self._assets[name]

    def response(self, version: str, name: str, headers: Headers) -> Response:
        """Return the response with a file, compressed if the client accepts that. Raises HTTPException (404)."""
        asset = self._assets.get(name)
        if asset is None or version != self.version:
            raise HTTPException(404)
        if "gzip" not in headers.get("accept-encoding", ""):
            return Response(asset.body, media_type=asset.media_type, headers=_FOR_A_YEAR)
        return Response(
            asset.compressed, media_type=asset.media_type, headers={**_FOR_A_YEAR, "Content-Encoding": "gzip"}
        )


def _version_of(bodies: Mapping[str, bytes]) -> str:
    digest = sha256()
    for name, body in sorted(bodies.items()):
        digest.update(b"%s %d\n%b" % (name.encode(), len(body), body))
    return digest.hexdigest()[:16]


def _asset(name: str, body: bytes) -> Asset:
    return Asset(body, gzip.compress(body, mtime=0), _MEDIA_TYPES[Path(name).suffix])
