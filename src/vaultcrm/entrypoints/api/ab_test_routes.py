"""`/api/ai/ab-tests`: variants side by side, added as drafts, started, ended."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import ab_tests
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
)
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Listing, Page, Place, as_sent
from vaultcrm.entrypoints.api.schemas.ab_tests import (
    AbTestDetailsOut,
    AbTestIn,
    AbTestOut,
    AbTestStatusIn,
    with_details,
    with_results,
)
from vaultcrm.entrypoints.api.writing import OneCreator, the_one, write_once
from vaultcrm.workflows.run_ab_tests import add_ab_test, change_ab_test_status

router = APIRouter(prefix="/api/ai/ab-tests", tags=["A/B tests"])

_TESTS: Listing[Record] = Listing(
    show=lambda row: as_sent(AbTestOut(**with_results(row))),
    place_of=lambda row: (row["id"],),
    kinds=(UUID,),
)


@router.get("", response_model=Page[AbTestOut])
async def list_ab_tests(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """A/B tests, the newest first, with what they have come to when they were last evaluated."""
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)

    async def read(before: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            creator_ids = await creators_asked_for(connection, caller, creator_id)
            sent = await ab_tests.list_ab_tests(
                connection, creator_ids, before=before[0] if before else None, limit=most
            )
            return await sent.answer()

    return await _TESTS.page(limit, cursor, read)


@router.post("", response_model=AbTestOut, status_code=201)
async def post_ab_test(
    request: Request, body: AbTestIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Add an A/B test as a draft, with two to six variants of one kind."""

    async def add(connection: Connection) -> Record:
        variants = [variant.as_variant() for variant in body.variants]
        test = await add_ab_test(
            connection,
            caller,
            body.creator_id,
            body.test_name,
            variants,
            parts.now(),
            body.design(),
        )
        return with_results(test)

    return await write_once(request, parts, caller, body.creator_id, AbTestOut, add)


@router.get("/{test_id}", response_model=AbTestDetailsOut)
async def get_ab_test(
    test_id: UUID, parts: PartsDep, caller: CallerDep, creator_id: OneCreator = None
) -> Response:
    """One test with its days, and with what would have been had variants been chosen otherwise."""
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        found = await (await ab_tests.find_ab_test(connection, creator_ids, test_id)).answer()
    test = AbTestDetailsOut(**with_details(the_one(found, "A/B test")))
    return json_response(test.model_dump_json(by_alias=True), 200)


@router.post("/{test_id}/status", response_model=AbTestOut)
async def post_ab_test_status(
    request: Request, test_id: UUID, body: AbTestStatusIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Start a draft or end a running test. One test of a kind runs for a creator at a time."""

    async def change(connection: Connection) -> Record:
        test = await change_ab_test_status(
            connection, caller, body.creator_id, test_id, body.status, parts.now()
        )
        return with_results(test)

    return await write_once(request, parts, caller, body.creator_id, AbTestOut, change, status=200)
