"""What every route needs: the parts of this process, the caller, and an answer given only once."""

import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import Response

from vaultcrm.adapters.identity.oidc import looks_like_jwt
from vaultcrm.controls.auth import (
    bearer_token,
    credential_from_header,
    hash_token,
    require_creator,
    require_scope,
)
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, creators, idempotency
from vaultcrm.db.row_scope import see_as
from vaultcrm.domain.errors import (
    Conflict,
    FieldProblem,
    InvalidInput,
    NotFound,
    Unauthenticated,
)
from vaultcrm.domain.people import Caller, Credential
from vaultcrm.entrypoints import doors
from vaultcrm.entrypoints.api.problems import MEDIA_TYPE
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts, Receipt

LONGEST_KEY = 255


def parts_of(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


def credential_of(request: Request) -> Credential:
    """The bearer token as one of ours, not looked at yet; raises Unauthenticated without one."""
    return credential_from_header(request.headers.get("authorization"), doors.scope_of(request))


async def known_credential_of(request: Request) -> Credential:
    """Who asks: one of our tokens, not looked at yet, or the user of a JWT, which is verified.

    Raises Unauthenticated when there is none, and IssuerUnavailable.
    """
    parts = parts_of(request)
    token = bearer_token(request.headers.get("authorization"))
    if parts.identities is not None and looks_like_jwt(token):
        now = parts.now()
        identity = await parts.identities.verify(token, now)
        user_id = await parts.known_identities.user_of(parts.pool, identity, now)
        credential = Credential(user_id=user_id, needs=doors.scope_of(request))
        request.state.credential = credential
        return credential
    token_hash = hash_token(token)
    parts.token_uses.note(token_hash, parts.now())
    request.state.credential = credential = Credential(
        token_hash=token_hash, needs=doors.scope_of(request)
    )
    return credential


async def caller_of(request: Request) -> Caller:
    """The caller behind the bearer token, whom this route is for.

    Raises Unauthenticated, and Forbidden for another role or a token without the scope.
    """
    parts = parts_of(request)
    credential = await known_credential_of(request)
    async with parts.pool.unscoped() as connection:
        sent = await access.find_caller(connection, credential, parts.now())
        caller = await sent.answer()
    if caller is None:
        raise Unauthenticated("This token is unknown, expired or revoked. Make a new one.")
    see_as(caller)
    request.state.caller = caller
    require_scope(caller, credential.needs)
    doors.require_open(request, caller)
    return caller


async def creators_asked_for(
    connection: Connection, caller: Caller, creator_id: UUID | None
) -> list[UUID]:
    """The one creator that is asked for, or all that the caller may see.

    Raises NotFound for a creator that is not there or not the caller's.
    """
    if creator_id is None:
        return await visible_creators(connection, caller)
    require_creator(caller, creator_id)
    if await (await creators.get_creator(connection, creator_id)).answer() is None:
        raise NotFound("creator")
    return [creator_id]


# Coroutines, although they wait for nothing: FastAPI hands a plain function to another thread.
async def _parts(request: Request) -> Parts:
    return parts_of(request)


async def _credential(request: Request) -> Credential:
    return await known_credential_of(request)


PartsDep = Annotated[Parts, Depends(_parts)]
CallerDep = Annotated[Caller, Depends(caller_of)]
CredentialDep = Annotated[Credential, Depends(_credential)]


def json_response(body: str, status_code: int = 200) -> Response:
    return Response(body, status_code, media_type="application/json")


async def once(
    request: Request,
    parts: Parts,
    user_id: UUID,
    work: Callable[[Receipt | None], Awaitable[Response]],
) -> Response:
    """Do the work of a POST, or repeat the answer that the same `Idempotency-Key` got before.

    Raises InvalidInput when the key is malformed or was used for another request, and Conflict
    while the first request is still being worked on.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return await work(None)
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidInput(
            FieldProblem("Idempotency-Key", f"must have 1 to {LONGEST_KEY} printable characters")
        )
    body = await request.body()
    fingerprint = hashlib.sha256(request.url.path.encode() + b"\n" + body).digest()
    receipt = Receipt(user_id, key, parts.now())
    async with parts.pool.connection() as connection:
        held = await idempotency.hold(connection, user_id, key, fingerprint, receipt.held_since)
        stored = None if held else await idempotency.read(connection, user_id, key)
    if not held:
        return _repeat(stored, fingerprint)
    try:
        return await work(receipt)
    except BaseException:
        async with parts.pool.connection() as connection:
            await idempotency.release(connection, user_id, key, receipt.held_since)
        raise


def _repeat(stored: idempotency.StoredAnswer | None, fingerprint: bytes) -> Response:
    if stored is not None and stored.request_hash != fingerprint:
        raise InvalidInput(
            FieldProblem("Idempotency-Key", "was used for another request; take a new key")
        )
    if stored is None or stored.response is None or stored.status_code is None:
        raise Conflict("The first request with this Idempotency-Key is still being worked on.")
    response = json_response(stored.response, stored.status_code)
    if stored.status_code >= HTTPStatus.BAD_REQUEST:
        response.headers["content-type"] = MEDIA_TYPE
    response.headers["Idempotency-Replayed"] = "true"
    return response
