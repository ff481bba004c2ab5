"""Message templates: found and filled in by whoever writes, made and kept by managers.

`add_template`, `change_template` and `archive_template` run in the caller's transaction, with
their audit entries.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from psycopg.errors import UniqueViolation

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import audit, templates
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, Role
from vaultcrm.domain.template import (
    LONGEST_NAME,
    LONGEST_TEXT,
    TemplateDraft,
    place_of,
    read_template,
    render_template_text,
)
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts

MANAGERS = (Role.MANAGER, Role.ADMIN, Role.SERVICE)
GREATEST_PRICE = 10**12
_LANGUAGE = re.compile("[a-z]{2}")


@dataclass(frozen=True, slots=True)
class TemplateCard:
    """A template to choose from. `price` is shown in the creator's usual currency."""

    id: UUID
    name: str
    category: GenerationType
    language: str
    text: str
    price: Money | None


@dataclass(frozen=True, slots=True)
class FilledTemplate:
    """A template filled in for one fan, with its price in their currency.

    `missing` names the variables that stand unfilled in the text, which so cannot be sent yet.
    """

    text: str
    price: Money | None
    missing: tuple[str, ...]


async def find_templates(
    parts: Parts, caller: Caller, creator_id: UUID, search: str, limit: int = 8
) -> tuple[TemplateCard, ...]:
    """A creator's templates that fit some words best, or with "" the most used ones.

    Raises NotFound for a creator whom the caller may not see.
    """
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection, connection.pipeline():
        sent = await templates.matching_templates(connection, creator_id, search.strip(), limit)
        currency_sent = await templates.currency_of(connection, creator_id)
        found = [templates.as_template(record) for record in await sent.answer()]
        currency = await currency_sent.answer()
    return tuple(
        TemplateCard(
            id=one.id,
            name=one.draft.name,
            category=one.draft.category,
            language=one.draft.language,
            text=one.draft.text,
            price=_price(one.draft, currency),
        )
        for one in found
    )


async def fill_template(
    parts: Parts, caller: Caller, template_id: UUID, conversation_id: UUID
) -> FilledTemplate:
    """Fill a template in for the fan of a conversation, and count the use.

    Raises NotFound for a conversation that is not the caller's to see, and for a template that is
    archived or not of the same creator.
    """
    now = parts.now()
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        fan_sent = await templates.filled_for(connection, creator_ids, conversation_id)
        fan = await fan_sent.answer()
        if fan is None:
            raise NotFound("conversation")
        used = await (
            await templates.count_use(connection, fan.creator_id, template_id, now)
        ).answer()
    if not used:
        raise NotFound("template")
    draft = templates.as_template(used[0]).draft
    filled = render_template_text(draft.text, fan.facts, now)
    return FilledTemplate(filled.text, _price(draft, fan.currency), filled.missing)


def _price(draft: TemplateDraft, currency: str) -> Money | None:
    return None if draft.price_minor is None else Money(draft.price_minor, currency)


# ---- what managers do


async def add_template(
    connection: Connection, caller: Caller, creator_id: UUID, draft: TemplateDraft, now: datetime
) -> Record:
    """Add a template and return its record.

    Raises Forbidden for a chatter, NotFound, InvalidInput naming each field at fault, or Conflict
    when the creator has a template of that name.
    """
    draft = _checked(caller, creator_id, draft)
    added = await (await templates.add_template(connection, creator_id, draft, now)).answer()
    if not added:
        raise await _name_taken(connection, creator_id, draft.name)
    await _record(connection, caller, added[0], AuditAction.TEMPLATE_ADDED, now)
    return added[0]


async def change_template(
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    template_id: UUID,
    draft: TemplateDraft,
    *,
    seen: datetime,
    now: datetime,
) -> Record:
    """Change a template as it was at `seen`, its `updated_at` then, and return its record.

    Raises what `add_template` does, and Conflict with `status="changed"` when somebody has changed
    it since.
    """
    draft = _checked(caller, creator_id, draft)
    try:
        async with connection.transaction():
            sent = await templates.change_template(
                connection, creator_id, template_id, draft, seen=seen, now=now
            )
            changed = await sent.answer()
    except UniqueViolation:
        raise await _name_taken(connection, creator_id, draft.name) from None
    if not changed:
        now_there = await (
            await templates.get_template(connection, [creator_id], template_id)
        ).answer()
        if not now_there:
            raise NotFound("template")
        raise Conflict(
            "Somebody has changed this template since you opened it. Read it and apply your "
            "change anew.",
            status="changed",
            decided_at=now_there[0]["updated_at"],
        )
    await _record(connection, caller, changed[0], AuditAction.TEMPLATE_CHANGED, now)
    return changed[0]


async def archive_template(
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    template_id: UUID,
    archived: bool,
    now: datetime,
) -> Record:
    """Put a template away, or with False take it back, and return its record.

    One that is so already stays as it is. Raises Forbidden for a chatter, or NotFound.
    """
    require_role(caller, *MANAGERS)
    require_creator(caller, creator_id)
    sent = await templates.set_archived(connection, creator_id, template_id, archived, now)
    changed = await sent.answer()
    if changed:
        action = AuditAction.TEMPLATE_ARCHIVED if archived else AuditAction.TEMPLATE_RESTORED
        await _record(connection, caller, changed[0], action, now)
        return changed[0]
    there = await (await templates.get_template(connection, [creator_id], template_id)).answer()
    if not there:
        raise NotFound("template")
    return there[0]


def _checked(caller: Caller, creator_id: UUID, draft: TemplateDraft) -> TemplateDraft:
    """The draft as it is stored."""
    require_role(caller, *MANAGERS)
    require_creator(caller, creator_id)
    draft = replace(draft, name=draft.name.strip())
    problems = tuple(problems_of(draft))
    if problems:
        raise InvalidInput(*problems)
    return draft


def problems_of(draft: TemplateDraft) -> Iterator[FieldProblem]:
    """Everything that is wrong with what was typed, field by field."""
    if not draft.name.strip():
        yield FieldProblem("name", "give it a name, so that it can be found")
    elif len(draft.name) > LONGEST_NAME:
        yield FieldProblem("name", f"at most {LONGEST_NAME} characters")
    elif any(unicodedata.category(sign) == "Cc" for sign in draft.name):
        yield FieldProblem("name", "must be one line")
    if not _LANGUAGE.fullmatch(draft.language):
        yield FieldProblem("language", "two small letters, such as en or de")
    if draft.price_minor is not None and not 0 <= draft.price_minor <= GREATEST_PRICE:
        yield FieldProblem("priceMinor", "is not a price")
    if not draft.text.strip():
        yield FieldProblem("templateText", "write the message")
    elif len(draft.text) > LONGEST_TEXT:
        yield FieldProblem("templateText", f"at most {LONGEST_TEXT:,} characters")
    for problem in read_template(draft.text)[1]:
        place = place_of(draft.text, problem.start)
        yield FieldProblem("templateText", f"{place}: {problem.reason}")


async def _name_taken(connection: Connection, creator_id: UUID, name: str) -> Conflict:
    there = await (await templates.template_named(connection, creator_id, name)).answer()
    if there and there[0]["archived_at"] is not None:
        return Conflict(
            f"An archived template of this creator is named {name}. Restore it, or choose another "
            "name.",
            status="name_taken",
        )
    return Conflict(f"This creator has a template named {name} already.", status="name_taken")


async def _record(
    connection: Connection, caller: Caller, template: Record, action: AuditAction, now: datetime
) -> None:
    await audit.record(
        connection,
        AuditEntry(
            creator_id=template["creator_id"],
            actor_id=caller.user_id,
            action=action,
            subject_type="template",
            subject_id=str(template["id"]),
            at=now,
            details={"category": template["category"], "language": template["language"]},
        ),
    )
