"""The wordings of the disclosure, by creator and language: read, tried, and set by a manager."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, creators, disclosures
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.disclosure import Wording
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.people import Caller, Creator, Role
from vaultcrm.domain.safety import Scope
from vaultcrm.pipeline.disclosure import check_wording, languages
from vaultcrm.workflows.parts import Parts

MANAGERS = (Role.MANAGER, Role.ADMIN, Role.SERVICE)


@dataclass(frozen=True, slots=True)
class WordingInForce:
    """What a creator's fans are told in one language. `changed_at` and `changed_by` are None for
    the wording that comes with the product (`wording.version` 0).
    """

    wording: Wording
    name: str
    shipped: str
    changed_at: datetime | None = None
    changed_by: str | None = None


async def read_wordings(
    parts: Parts, caller: Caller, creator_id: UUID
) -> tuple[WordingInForce, ...]:
    """The wording in force in each language; raises NotFound for a creator who is not there."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        await _creator(connection, creator_id)
        return await _in_force(connection, creator_id)


async def set_wording(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    wording: Wording,
    now: datetime,
) -> tuple[WordingInForce, ...]:
    """Let a wording hold from the next disclosure on, and return all of them; in the caller's
    transaction. `wording.version` is the one that was in force when it was changed, which it
    follows; the same text as that one changes nothing.

    Raises Forbidden for a chatter, NotFound, InvalidInput (see `check_wording`), or Conflict when
    somebody else has set another one in the meantime.
    """
    require_creator(caller, creator_id)
    require_role(caller, *MANAGERS)
    text = await _checked(parts, connection, creator_id, wording.language, wording.text)
    before = await _in_force(connection, creator_id)
    known = next(one.wording for one in before if one.wording.language == wording.language)
    if known == Wording(wording.language, wording.version, text):
        return before
    following = Wording(wording.language, wording.version + 1, text)
    if not await disclosures.add_wording(connection, creator_id, following, caller.user_id, now):
        raise Conflict(
            "Somebody else has changed this wording in the meantime. Read it and try again.",
            status="changed",
        )
    await audit.record(
        connection,
        AuditEntry(
            creator_id=creator_id,
            actor_id=caller.user_id,
            action=AuditAction.DISCLOSURE_WORDED,
            subject_type="disclosure_wording",
            subject_id=following.language,
            at=now,
            details={"language": following.language, "version": following.version},
        ),
    )
    return await _in_force(connection, creator_id)


async def check_text(
    parts: Parts, caller: Caller, creator_id: UUID, language: str, text: str
) -> None:
    """Raise InvalidInput for a text that cannot be a wording, with all that is wrong with it."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        await _checked(parts, connection, creator_id, language, text)


async def _checked(
    parts: Parts, connection: Connection, creator_id: UUID, language: str, text: str
) -> str:
    creator = await _creator(connection, creator_id)
    own_rules = await parts.rule_book.newest(creator_id, connection)
    report = parts.content_filter.check(
        text, Scope.CHATTER, region=creator.region, own_rules=own_rules
    )
    return check_wording(language, text, report)


async def _creator(connection: Connection, creator_id: UUID) -> Creator:
    creator = await (await creators.get_creator(connection, creator_id)).answer()
    if creator is None:
        raise NotFound("creator")
    return creator


async def _in_force(connection: Connection, creator_id: UUID) -> tuple[WordingInForce, ...]:
    rows = await (await disclosures.wordings(connection, creator_id)).answer()
    own = {row["language"]: row for row in rows}
    return tuple(
        WordingInForce(
            Wording(code, row["version"], row["text"]),
            known.name,
            known.shipped.text,
            row["changed_at"],
            row["changed_by"],
        )
        if (row := own.get(code))
        else WordingInForce(known.shipped, known.name, known.shipped.text)
        for code, known in languages().items()
    )
