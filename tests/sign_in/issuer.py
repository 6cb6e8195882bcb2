"""A local OIDC issuer with an authorization code flow: it signs in the person that a test names."""

import base64
import json
import secrets
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from access.issuer import Issuer
from support.factories import JSON

CLIENT_ID = "desk"
CLIENT_SECRET = "a secret: with signs/of its+own"
UNPUBLISHED = "unpublished"
"""The id of a key whose tokens are not those of the issuer."""


class CodeIssuer:
    """Serves until stopped. `claims` are those of the next ID token; `token_requests` the requests for tokens."""

    def __init__(self) -> None:
        self.tokens = Issuer()
        self.tokens.add_rsa(UNPUBLISHED)
        self.claims: JSON = {}
        self.token_requests: list[dict[str, str]] = []
        self.is_down = False
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def name(self) -> str:
        """The value of `iss` in its tokens."""
        return f"http://127.0.0.1:{self._server.server_port}/realm"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.tokens.stop()

    def authorize(self, url: str) -> str:
        """Return the URL to which the issuer sends the browser after the person has signed in."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert (query["response_type"], query["client_id"], query["scope"]) == (
            "code",
            CLIENT_ID,
            "openid email profile",
        )
        assert (query["code_challenge_method"], len(query["nonce"]) >= 43) == ("S256", True)
        code = secrets.token_hex(8)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def _published_keys(self) -> JSON:
        keys = self.tokens.jwks()["keys"]
        return {"keys": [key for key in keys if key["kid"] != UNPUBLISHED]}

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, JSON]:
        self.token_requests.append(form)
        begun = self._codes.pop(form.get("code", ""), None)
        client = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        challenge = base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        is_right = (
            begun is not None
            and client == f"{CLIENT_ID}:{CLIENT_SECRET}"
            and begun["redirect_uri"] == form["redirect_uri"]
            and begun["code_challenge"] == challenge.decode()
        )
        if not is_right or begun is None:
            return 400, {"error": "invalid_grant"}
        claims = {"iss": self.name, "aud": CLIENT_ID, "nonce": begun["nonce"]} | self.claims
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.tokens.token(**claims)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents: dict[str, Any] = {
                    "/realm/.well-known/openid-configuration": {
                        "issuer": issuer.name,
                        "jwks_uri": f"{issuer.name}/keys",
                        "authorization_endpoint": f"{issuer.name}/authorize",
                        "token_endpoint": f"{issuer.name}/token",
                    },
                    "/realm/keys": issuer._published_keys(),
                }
                self._respond(500 if issuer.is_down else 200, documents[self.path])

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._respond(*issuer._token(form, self.headers.get("Authorization", "")))

            def _respond(self, status: int, document: JSON) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler
