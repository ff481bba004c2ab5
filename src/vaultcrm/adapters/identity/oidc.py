"""JWTs of one OpenID Connect issuer, Supabase or any other, checked with its public keys.

A key decides which algorithm its tokens have; what a token says about itself decides nothing. So
`none`, and HMAC with a public key as its secret, cannot come up.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options

from vaultcrm.domain.errors import IssuerUnavailable, Unauthenticated
from vaultcrm.domain.identity import Identity
from vaultcrm.domain.people import email_address

KEYS_KEPT = timedelta(minutes=10)
"""Keys are fetched again after so long, so that one that the issuer has withdrawn is forgotten."""
KEYS_LAST = timedelta(hours=6)
"""An issuer that does not answer is believed with the keys that it had for so long."""
BETWEEN_FETCHES = timedelta(seconds=30)
"""Tokens with made-up key ids make us ask the issuer at most so often."""
LEEWAY = timedelta(seconds=30)
TIMEOUT_SECONDS = 5.0
MOST_BYTES = 200_000
LONGEST_TOKEN = 8_000
LONGEST_SUBJECT = 255
LEAST_RSA_BITS = 2048

_ALGORITHMS: Mapping[tuple[str, str | None], str] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""By kind and curve of a key. Keys of other kinds are left out."""

_NOT_GOOD = "This token is not good: {}. Sign in again where you got it."
_LOG = logging.getLogger(__name__)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class OidcVerifier:
    """Reads tokens of `issuer` for `audience`; its keys come from `jwks_url` or from discovery.

    With `emails_are_verified` a token's e-mail counts without `email_verified`.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        jwks_url: str | None = None,
        emails_are_verified: bool = False,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url
        self._emails_are_verified = emails_are_verified
        self._keys: Mapping[str | None, tuple[Any, str]] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._fetching = asyncio.Lock()
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False)

    async def verify(self, token: str, now: datetime) -> Identity:
        """Whose token it is. Raises Unauthenticated, and IssuerUnavailable without keys."""
        key, algorithm = await self._key(_key_id(token), now)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options=Options(require=["exp", "iss", "aud", "sub"]),
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(_NOT_GOOD.format("it has expired")) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise Unauthenticated(
                _NOT_GOOD.format("its signature, issuer, audience or time is wrong")
            ) from None
        subject = claims["sub"]
        if not (isinstance(subject, str) and 0 < len(subject) <= LONGEST_SUBJECT):
            raise Unauthenticated(_NOT_GOOD.format("it names no subject"))
        if not subject.isprintable() or claims.get("is_anonymous") is True:
            raise Unauthenticated(_NOT_GOOD.format("it names nobody that we could know"))
        return Identity(self._issuer, subject, self._email(claims))

    def _email(self, claims: Mapping[str, Any]) -> str | None:
        """Only what the issuer itself says counts: users write their own `user_metadata`."""
        said = claims.get("email")
        if claims.get("email_verified", self._emails_are_verified) is not True:
            return None
        if not isinstance(said, str):
            return None
        try:
            return email_address(said)
        except ValueError:
            return None

    async def _key(self, key_id: str | None, now: datetime) -> tuple[Any, str]:
        if key_id not in self._keys or self._is_old(now, KEYS_KEPT):
            async with self._fetching:
                if key_id not in self._keys or self._is_old(now, KEYS_KEPT):
                    await self._fetch(now)
        if self._is_old(now, KEYS_LAST):
            raise IssuerUnavailable(
                "The keys of the issuer of this token cannot be had. Try again; if it stays so, "
                "look at OIDC_ISSUER and OIDC_JWKS_URL."
            )
        try:
            return self._keys[key_id]
        except KeyError:
            raise Unauthenticated(_NOT_GOOD.format("its issuer has no such key")) from None

    def _is_old(self, now: datetime, age: timedelta) -> bool:
        return self._fetched_at is None or now - self._fetched_at > age

    async def _fetch(self, now: datetime) -> None:
        """Fetch the keys, at most so often. One that fails leaves those that were known."""
        if self._asked_at is not None and now - self._asked_at < BETWEEN_FETCHES:
            return
        self._asked_at = now
        try:
            self._jwks_url = self._jwks_url or await self._discovered()
            self._keys = _usable(await self._read(self._jwks_url))
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, LookupError, TypeError) as error:
            _LOG.warning("The keys of the OIDC issuer were not fetched: %s", type(error).__name__)
            return
        self._fetched_at = now

    async def _discovered(self) -> str:
        """Where the issuer says that its keys are: OpenID Connect Discovery 1.0, section 4."""
        said = await self._read(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if said["issuer"] != self._issuer:
            raise ValueError("the discovery document is another issuer's")
        return str(said["jwks_uri"])

    async def _read(self, url: str) -> Any:
        place = urlsplit(url)
        if place.scheme != "https" and place.hostname not in _LOCAL:
            raise ValueError("keys are fetched over https only")
        async with self._client.stream("GET", url) as response:
            response.raise_for_status()
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise ValueError("the answer is too long")
        return httpx2.Response(200, content=body).json()

    async def aclose(self) -> None:
        await self._client.aclose()


def looks_like_jwt(token: str) -> bool:
    """Whether a bearer token may be a JWT; our own are not."""
    return token.startswith("ey") and token.count(".") == 2


def _key_id(token: str) -> str | None:
    if len(token) > LONGEST_TOKEN:
        raise Unauthenticated(_NOT_GOOD.format("it is too long"))
    try:
        found = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError):
        raise Unauthenticated(_NOT_GOOD.format("it cannot be read")) from None
    return found if isinstance(found, str) else None


def _usable(said: Any) -> Mapping[str | None, tuple[Any, str]]:
    """The keys that sign with an algorithm of ours, by their ids.

    A key without an id is for tokens without one, where there is no other key.
    """
    listed = [each for each in said["keys"] if isinstance(each, dict)]
    found: dict[str | None, tuple[Any, str]] = {}
    for each in listed:
        kind = str(each.get("kty"))
        algorithm = _ALGORITHMS.get((kind, None if kind == "RSA" else str(each.get("crv"))))
        if algorithm is None or each.get("use", "sig") != "sig":
            continue
        if each.get("alg", algorithm) != algorithm:
            continue
        try:
            key = jwt.PyJWK(each, algorithm).key
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
            continue
        key_id = each.get("kid")
        if isinstance(key_id, str):
            found[key_id] = (key, algorithm)
        if len(listed) == 1:
            found[None] = (key, algorithm)
    return found
