"""Tokens of an OpenID Connect issuer: whose they are, and which are not believed."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.adapters.identity.issuer import AUDIENCE, KEYS, Issuer, public, serve_issuer
from vaultcrm.adapters.identity.oidc import BETWEEN_FETCHES, KEYS_KEPT, KEYS_LAST, OidcVerifier
from vaultcrm.domain.errors import IssuerUnavailable, Unauthenticated
from vaultcrm.domain.identity import Identity

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serve_issuer() as served:
        yield served


@pytest.fixture
async def verifier(issuer: Issuer) -> AsyncIterator[OidcVerifier]:
    made = OidcVerifier(issuer.url, AUDIENCE)
    yield made
    await made.aclose()


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_token_that_the_issuer_signed_tells_whose_it_is(
    issuer: Issuer, verifier: OidcVerifier, algorithm: str
) -> None:
    found = await verifier.verify(issuer.token(algorithm, email="Jo@Example.com "), NOW)
    assert found == Identity(issuer.url, "jo-at-the-issuer", "jo@example.com")


async def test_keys_are_asked_for_once_and_then_known(
    issuer: Issuer, verifier: OidcVerifier
) -> None:
    for _ in range(5):
        await verifier.verify(issuer.token(), NOW)
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://somebody.else"},
        {"aud": "another-application"},
        {"exp": NOW - timedelta(minutes=1)},
        {"nbf": NOW + timedelta(minutes=5)},
        {"sub": ""},
        {"sub": "x" * 300},
        {"sub": "a\x00b"},
        {"is_anonymous": True},
        {"without": ("exp",)},
        {"without": ("aud",)},
        {"without": ("iss",)},
        {"without": ("sub",)},
        {"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
        {"key_id": "no-such-key"},
        {"key_id": "ES256"},
        {"key_id": None},
    ],
    ids="+".join,
)
async def test_what_is_not_for_us_or_not_good_now_or_not_the_issuers_is_not_believed(
    issuer: Issuer, verifier: OidcVerifier, changes: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated, match="This token is not good"):
        await verifier.verify(issuer.token(**changes), NOW)


async def test_clocks_may_be_half_a_minute_apart(issuer: Issuer, verifier: OidcVerifier) -> None:
    now = datetime.now(UTC)
    late = issuer.token(exp=now - timedelta(seconds=10), nbf=now + timedelta(seconds=10))
    assert (await verifier.verify(late, now)).subject == "jo-at-the-issuer"


async def test_a_public_key_is_no_secret_that_signs(issuer: Issuer, verifier: OidcVerifier) -> None:
    pem = KEYS["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, _ = issuer.token().split(".")
    head = _encoded({"alg": "HS256", "kid": "RS256", "typ": "JWT"})
    signature = hmac.new(pem, f"{head}.{body}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    with pytest.raises(Unauthenticated):
        await verifier.verify(forged, NOW)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "RS384", "HS256", "", 7, None])
async def test_a_token_chooses_no_algorithm(
    issuer: Issuer, verifier: OidcVerifier, algorithm: object
) -> None:
    _, body, signature = issuer.token().split(".")
    head = _encoded({"alg": algorithm, "kid": "RS256"})
    for signed in (signature, ""):
        with pytest.raises(Unauthenticated):
            await verifier.verify(f"{head}.{body}.{signed}", NOW)


def _encoded(header: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")


@pytest.mark.parametrize("token", ["", "ey", "eyJ.eyJ.x", "a.b.c.d", "ey" + "x" * 9000, "\ud7ff"])
async def test_what_is_no_token_is_refused(verifier: OidcVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(token, NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"without": ("email_verified",)},
        {"without": ("email_verified",), "user_metadata": {"email_verified": True}},
        {"without": ("email",)},
        {"email": 7},
        {"email": "no address"},
    ],
    ids="+".join,
)
async def test_an_address_counts_only_when_the_issuer_itself_has_verified_it(
    issuer: Issuer, verifier: OidcVerifier, claims: dict[str, Any]
) -> None:
    assert (await verifier.verify(issuer.token(**claims), NOW)).email is None


async def test_an_issuer_that_verifies_every_address_need_not_say_so(issuer: Issuer) -> None:
    trusting = OidcVerifier(issuer.url, AUDIENCE, emails_are_verified=True)
    token = issuer.token(without=("email_verified",))
    denied = issuer.token(email_verified=False)
    assert (await trusting.verify(token, NOW)).email == "jo@example.com"
    assert (await trusting.verify(denied, NOW)).email is None
    await trusting.aclose()


async def test_a_new_key_is_found_and_made_up_ones_make_us_ask_no_more_than_twice_a_minute(
    issuer: Issuer, verifier: OidcVerifier
) -> None:
    await verifier.verify(issuer.token(), NOW)
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await verifier.verify(issuer.token(key_id=f"made-up-{number}"), NOW)
    assert issuer.asked == 1

    fresh = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer.keys.append(public("RS256", fresh, "fresh"))
    token = issuer.token(key=fresh, key_id="fresh")
    later = NOW + BETWEEN_FETCHES
    assert (await verifier.verify(token, later)).subject == "jo-at-the-issuer"
    assert issuer.asked == 2


async def test_a_key_that_the_issuer_has_withdrawn_is_forgotten(
    issuer: Issuer, verifier: OidcVerifier
) -> None:
    token = issuer.token("ES256")
    await verifier.verify(token, NOW)
    issuer.keys = [key for key in issuer.keys if key["kid"] != "ES256"]

    with pytest.raises(Unauthenticated, match="no such key"):
        await verifier.verify(token, NOW + KEYS_KEPT + timedelta(seconds=1))


async def test_an_issuer_that_is_down_is_believed_for_hours_and_not_for_ever(
    issuer: Issuer, verifier: OidcVerifier
) -> None:
    await verifier.verify(issuer.token(), NOW)
    issuer.works = False

    assert (await verifier.verify(issuer.token(), NOW + KEYS_KEPT * 2)).subject
    with pytest.raises(IssuerUnavailable, match="OIDC_ISSUER"):
        await verifier.verify(issuer.token(), NOW + KEYS_LAST + timedelta(minutes=1))


async def test_an_issuer_that_was_never_reached_vouches_for_nobody(
    issuer: Issuer, verifier: OidcVerifier
) -> None:
    issuer.works = False
    with pytest.raises(IssuerUnavailable):
        await verifier.verify(issuer.token(), NOW)


async def test_keys_come_from_the_address_in_the_settings_where_one_stands(issuer: Issuer) -> None:
    issuer.says_it_is = "https://somebody.else"
    told = OidcVerifier(issuer.url, AUDIENCE, jwks_url=f"{issuer.url}/keys")
    untold = OidcVerifier(issuer.url, AUDIENCE)
    assert (await told.verify(issuer.token(), NOW)).subject == "jo-at-the-issuer"
    with pytest.raises(IssuerUnavailable):
        await untold.verify(issuer.token(), NOW)
    await told.aclose()
    await untold.aclose()


async def test_keys_are_not_fetched_in_the_clear_from_elsewhere() -> None:
    verifier = OidcVerifier("http://issuer.example", AUDIENCE)
    with pytest.raises(IssuerUnavailable):
        await verifier.verify(jwt.encode({"sub": "x"}, KEYS["RS256"], algorithm="RS256"), NOW)
    await verifier.aclose()


async def test_weak_keys_and_keys_for_other_uses_sign_nothing(
    issuer: Issuer, verifier: OidcVerifier
) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 -- what is refused here
    issuer.keys = [
        public("RS256", weak, "weak"),
        public("RS256", KEYS["RS256"], "for-sealing", use="enc"),
        public("RS256", KEYS["RS256"], "other", alg="RS512"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        {"kty": ["RSA"], "kid": "odd"},
        "nonsense",  # type: ignore[list-item]
    ]
    tokens = [
        issuer.token(key=weak, key_id="weak"),
        issuer.token(key_id="for-sealing"),
        issuer.token(key_id="other"),
        jwt.encode({"sub": "x"}, "secret" * 8, algorithm="HS256", headers={"kid": "secret"}),
    ]
    for token in tokens:
        with pytest.raises(Unauthenticated, match="no such key"):
            await verifier.verify(token, NOW)
