"""Rules of a creator's own for the content filter: read, add, remove, take back, try."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import content_rules
from vaultcrm.domain.safety import SafetyReport
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Page, Place, listing
from vaultcrm.entrypoints.api.schemas.content_rules import (
    ContentRuleIn,
    ContentRuleOut,
    TryTextIn,
    TryTextOut,
)
from vaultcrm.entrypoints.api.schemas.generations import FindingOut, SafetyOut
from vaultcrm.entrypoints.api.writing import OneCreator, write_once
from vaultcrm.workflows.manage_content_rules import (
    MANAGERS,
    add_rule,
    remove_rule,
    restore_rule,
    try_text,
)
from vaultcrm.workflows.parts import Receipt

router = APIRouter(prefix="/api", tags=["Content rules"])

_RULES = listing(ContentRuleOut, creator_id=UUID, id=UUID)


@router.get("/content-rules", response_model=Page[ContentRuleOut])
async def list_rules(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 200,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """Rules in force, by creator, the oldest first."""
    require_role(caller, *MANAGERS)

    async def read(after: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            creator_ids = await creators_asked_for(connection, caller, creator_id)
            place = (after[0], after[1]) if after else None
            sent = await content_rules.listed(connection, creator_ids, most, after=place)
            return await sent.answer()

    return await _RULES.page(limit, cursor, read)


@router.post("/content-rules", response_model=ContentRuleOut, status_code=201)
async def add(
    request: Request, body: ContentRuleIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Add a rule. It holds for every text that is checked from now on."""
    require_role(caller, *MANAGERS)

    async def work(connection: Connection) -> Record:
        return await add_rule(connection, caller, body.creator_id, body.draft, parts.now())

    return await write_once(request, parts, caller, body.creator_id, ContentRuleOut, work)


@router.post("/content-rules/test")
async def test(body: TryTextIn, parts: PartsDep, caller: CallerDep) -> TryTextOut:
    """What the filter says about a text now, with the creator's rules and without. Nothing is
    saved.
    """
    tried = await try_text(parts, caller, body.creator_id, body.text, body.scope)
    return TryTextOut(
        with_rules=_report(tried.with_rules), without_rules=_report(tried.without_rules)
    )


@router.delete("/content-rules/{rule_id}", status_code=204)
async def remove(rule_id: UUID, parts: PartsDep, caller: CallerDep) -> None:
    """Take a rule out of force. It can be taken back."""
    async with parts.transaction() as connection:
        await remove_rule(connection, caller, rule_id, parts.now())


@router.post("/content-rules/{rule_id}/restore", response_model=ContentRuleOut)
async def restore(request: Request, rule_id: UUID, parts: PartsDep, caller: CallerDep) -> Response:
    """Put a removed rule in force again."""

    async def work(receipt: Receipt | None) -> Response:
        async with parts.transaction() as connection:
            record = await restore_rule(connection, caller, rule_id, parts.now())
            answer = ContentRuleOut(**record).model_dump_json(by_alias=True)
            if receipt is not None:
                await receipt.store(connection, answer)
        return json_response(answer)

    return await once(request, parts, caller.user_id, work)


def _report(report: SafetyReport) -> SafetyOut:
    return SafetyOut(
        verdict=report.verdict,
        score=report.score,
        findings=[FindingOut.of(finding) for finding in report.findings],
    )
