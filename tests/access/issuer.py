"""A local OIDC issuer: a discovery document, signing keys, and tokens signed with them."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from support.factories import JSON

AUDIENCE = "tickets"


class Issuer:
    """Serves until stopped. `fetches` counts the requests for keys; while `is_down`, every response is a 500."""

    def __init__(self) -> None:
        self.keys: dict[str, PrivateKeyTypes] = {}
        self.fetches = 0
        self.is_down = False
        self.add_rsa("first")
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

    def add_rsa(self, key_id: str) -> None:
        self.keys[key_id] = rsa.generate_private_key(65537, 2048)

    def add_ec(self, key_id: str) -> None:
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())

    def claims(self, **others: Any) -> JSON:
        now = time.time()
        claims = {"iss": self.name, "aud": AUDIENCE, "sub": "7", "iat": now, "exp": now + 300, "roles": ["agent"]}
        return {name: value for name, value in (claims | others).items() if value is not None}

    def token(self, *, key_id: str = "first", algorithm: str = "", **others: Any) -> str:
        """Return a signed token; a claim that is None is left out."""
        key = self.keys[key_id]
        algorithm = algorithm or ("ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256")
        return jwt.encode(self.claims(**others), key, algorithm, headers={"kid": key_id})  # type: ignore[arg-type]

    def public_pem(self, key_id: str = "first") -> bytes:
        return self.keys[key_id].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def jwks(self) -> JSON:
        self.fetches += 1
        return {"keys": [_jwk(key) | {"kid": key_id, "use": "sig"} for key_id, key in self.keys.items()]}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents = {
                    "/realm/.well-known/openid-configuration": lambda: {
                        "issuer": issuer.name,
                        "jwks_uri": f"{issuer.name}/keys",
                    },
                    "/realm/keys": issuer.jwks,
                }
                self.send_response(500 if issuer.is_down else 200)
                self.end_headers()
                self.wfile.write(json.dumps(documents[self.path]()).encode())

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


def _jwk(key: PrivateKeyTypes) -> JSON:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    assert isinstance(key, rsa.RSAPrivateKey)
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
