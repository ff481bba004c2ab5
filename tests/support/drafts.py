"""Waiting drafts for tests of the queue, one by one or by the hundred, and decisions on them."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2

from stubs.llm import LlmStub, Reply
from tests.support.app import RunningApp
from tests.support.world import WARM, SignedIn, Talk, candidate, rows
from vaultcrm.db.queries import access
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Caller, Credential

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
CLAIM = "/api/ai/queue/claim"
RELEASE = "/api/ai/queue/release"
SNOOZE = "/api/ai/queue/snooze"
DECIDE = "/api/ai/queue/decide"
UNDO = "/api/ai/undo"


async def drafted(
    caller: SignedIn, llm: LlmStub, talk: Talk, *, price_minor: int | None = None
) -> str:
    """The id of a waiting draft, of an offer when there is a price."""
    if price_minor is None:
        llm.script([Reply(candidates=WARM)])
        answer = await caller.made("/api/ai/generate", talk.asks())
    else:
        offer = [candidate("New photos?", price_minor=price_minor), candidate("Photos, new!")]
        llm.script([Reply(candidates=offer)])
        answer = await caller.made("/api/ai/generate", talk.asks("ppv_offer"))
    assert answer["status"] == "queued", answer
    return str(answer["generationId"])


async def copies(app: RunningApp, generation_id: str, count: int, **changes: Any) -> list[str]:
    """So many more drafts like this one, each a second younger than the one before it."""
    made = [new_id() for _ in range(count)]
    await rows(
        app,
        """
        INSERT INTO ai_message_generations
        SELECT (jsonb_populate_record(
                    g, jsonb_build_object('id', one.id,
                                          'created_at', g.created_at + one.place * '1 s'::interval)
                       || %(changes)s::jsonb)).*
        FROM ai_message_generations g,
             unnest(%(ids)s::uuid[]) WITH ORDINALITY AS one(id, place)
        WHERE g.id = %(of)s
        """,
        ids=made,
        of=generation_id,
        changes=json.dumps({name: str(value) for name, value in changes.items()}),
    )
    return [str(one) for one in made]


async def decide(caller: SignedIn, generation_id: str, action: str, **more: Any) -> httpx2.Response:
    body = {"generationId": generation_id, "action": action, **more}
    return await caller.post("/api/ai/approve", body)


async def waiting(caller: SignedIn, **query: Any) -> list[str]:
    """Ids of waiting drafts, in the order of the queue."""
    found = await caller.found("/api/ai/queue", **query)
    return [item["generationId"] for item in found["items"]]


async def claimed(caller: SignedIn, **body: Any) -> str | None:
    """The id of the draft that a claim has brought, if any."""
    held = (await caller.made(CLAIM, body))["generation"]
    return None if held is None else str(held["generationId"])


async def status_of(caller: SignedIn, generation_id: str) -> str:
    return str((await caller.found(f"/api/ai/generations/{generation_id}"))["status"])


async def age(app: RunningApp, generation_id: str, by: timedelta) -> None:
    """Let a draft have been made so much earlier."""
    await rows(
        app,
        "UPDATE ai_message_generations SET created_at = created_at - %(by)s WHERE id = %(id)s",
        by=by,
        id=generation_id,
    )


async def as_caller(person: SignedIn) -> Caller:
    """The person as workflows see them."""
    parts = person.app.parts
    async with parts.pool.connection() as connection:
        credential = Credential(user_id=person.user_id)
        caller = await (await access.find_caller(connection, credential, parts.now())).answer()
    assert caller is not None
    return caller


async def undelivered(app: RunningApp, talk: Talk) -> list[UUID]:
    """Ids of the messages of a conversation that have not left."""
    found = await rows(
        app,
        """SELECT id FROM outbox WHERE conversation_id = %(id)s AND delivery_status = 'pending'
           ORDER BY id""",
        id=talk.conversation_id,
    )
    return [row["id"] for row in found]
