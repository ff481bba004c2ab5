"""What chatters are told where a fan needs care: read, set by a manager, and shown."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, care, creators
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Care
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.people import Caller, Creator, Role
from vaultcrm.pipeline.guidance import DEFAULT_GUIDANCE, LONGEST_GUIDANCE, Guide, guide_for
from vaultcrm.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class Guidance:
    """A creator's text for one kind of care. `set_at` is None where it is the product's own."""

    creator_id: UUID
    kind: Care
    text: str
    set_by: str | None = None
    set_at: datetime | None = None


async def read_guidance(parts: Parts, caller: Caller, creator_id: UUID) -> tuple[Guidance, ...]:
    """The texts of a creator, one for each kind of care; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        return await _read(connection, creator_id)


async def _read(connection: Connection, creator_id: UUID) -> tuple[Guidance, ...]:
    async with connection.pipeline():
        creator_sent = await creators.get_creator(connection, creator_id)
        texts_sent = await care.guidance(connection, creator_id)
    if await creator_sent.answer() is None:
        raise NotFound("creator")
    own = {row["kind"]: row for row in await texts_sent.answer()}
    return tuple(
        Guidance(creator_id, kind, row["text"], row["set_by"], row["set_at"])
        if (row := own.get(kind.value))
        else Guidance(creator_id, kind, DEFAULT_GUIDANCE[kind])
        for kind in Care
    )


async def set_guidance(
    parts: Parts, caller: Caller, creator_id: UUID, kind: Care, text: str | None
) -> tuple[Guidance, ...]:
    """Set what chatters of a creator are told, or, with None, go back to the product's own text.

    Returns all texts of the creator. Raises Forbidden for a chatter, NotFound, or InvalidInput.
    """
    require_creator(caller, creator_id)
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    if text is not None:
        text = text.strip()
        if not text:
            raise InvalidInput(FieldProblem("text", "write what chatters are to do"))
        if len(text) > LONGEST_GUIDANCE:
            raise InvalidInput(FieldProblem("text", f"at most {LONGEST_GUIDANCE:,} characters"))
    now = parts.now()
    async with parts.transaction() as connection:
        if await (await creators.get_creator(connection, creator_id)).answer() is None:
            raise NotFound("creator")
        await care.set_guidance(connection, creator_id, kind, text, user_id=caller.user_id, now=now)
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=caller.user_id,
                action=AuditAction.CARE_GUIDANCE_CHANGED,
                subject_type="care_guidance",
                subject_id=kind.value,
                at=now,
                details={"own_text": text is not None},
            ),
        )
        return await _read(connection, creator_id)


async def guide(connection: Connection, creator: Creator, kind: Care | None) -> Guide | None:
    """What a chatter of this creator is told; None, and no statement, where nobody needs care."""
    if kind is None:
        return None
    texts = {
        row["kind"]: row["text"]
        for row in await (await care.guidance(connection, creator.id)).answer()
    }
    return guide_for(kind, texts.get(kind.value), creator.region)
