"""An OpenID Connect issuer on loopback, with real keys."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
AUDIENCE = "authenticated"


def public(algorithm: str, key: Any, key_id: str, **more: Any) -> dict[str, Any]:
    """A key as a JWKS lists it."""
    said: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(
        key.public_key(), as_dict=True
    )
    return {**said, "kid": key_id, "use": "sig", "alg": algorithm} | more


class Issuer:
    """What the issuer answers; `asked` counts the times that it was asked for its keys."""

    def __init__(self) -> None:
        self.keys = [public(name, key, name) for name, key in KEYS.items()]
        self.asked = 0
        self.works = True
        self.url = ""
        self.says_it_is: str | None = None

    def document(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.says_it_is or self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            self.asked += 1
            return {"keys": self.keys}
        return None

    def token(
        self,
        algorithm: str = "RS256",
        *,
        key: Any = None,
        key_id: str | None = "",
        without: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """A token for Jo, good for an hour, with some claims changed or left out."""
        now = datetime.now(UTC)
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "jo-at-the-issuer",
            "iat": now,
            "exp": now + timedelta(hours=1),
            "email": "jo@example.com",
            "email_verified": True,
            **claims,
        }
        said = {name: value for name, value in said.items() if name not in without}
        headers = {} if key_id is None else {"kid": key_id or algorithm}
        return jwt.encode(said, key or KEYS[algorithm], algorithm=algorithm, headers=headers)


@contextmanager
def serve_issuer() -> Iterator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = issuer.document(self.path) if issuer.works else None
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
