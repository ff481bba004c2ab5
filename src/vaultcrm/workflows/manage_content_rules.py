"""Rules of a creator's own for the content filter: added, removed, taken back and tried.

`add_rule`, `remove_rule` and `restore_rule` run in the caller's transaction, with their audit
entries. From its commit on every text is checked against the new rules, in every process.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.errors import UniqueViolation

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import audit, content_rules, creators, personalities
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.content_rules import (
    MOST_RULES,
    NO_RULES,
    ContentRule,
    RuleDraft,
    RuleKind,
)
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.people import Caller, Role
from vaultcrm.domain.safety import SafetyReport, Scope
from vaultcrm.pipeline.safety.own_rules import checked, text_problem, together_problem
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts

MANAGERS = (Role.MANAGER, Role.ADMIN, Role.SERVICE)


async def add_rule(
    connection: Connection, caller: Caller, creator_id: UUID, draft: RuleDraft, now: datetime
) -> Record:
    """Add a rule and return its record.

    Raises Forbidden for a chatter, NotFound, InvalidInput naming each field at fault, or Conflict
    when the creator has the same rule or as many as there may be.
    """
    require_role(caller, *MANAGERS)
    require_creator(caller, creator_id)
    draft = checked(draft)
    await _change(connection, creator_id)
    await _make_room(connection, creator_id, draft)
    rule_id = await content_rules.add(connection, creator_id, draft, caller.user_id, now)
    if rule_id is None:
        raise _same()
    return await _changed(
        connection, caller, creator_id, rule_id, AuditAction.CONTENT_RULE_ADDED, now
    )


async def remove_rule(
    connection: Connection, caller: Caller, rule_id: UUID, now: datetime
) -> Record:
    """Take a rule out of force and return its record; one that is out stays so.

    Raises Forbidden for a chatter, or NotFound.
    """
    there = await _find(connection, caller, rule_id)
    creator_id = there["creator_id"]
    await _change(connection, creator_id)
    if not await content_rules.remove(connection, creator_id, rule_id, caller.user_id, now):
        return there
    return await _changed(
        connection, caller, creator_id, rule_id, AuditAction.CONTENT_RULE_REMOVED, now
    )


async def restore_rule(
    connection: Connection, caller: Caller, rule_id: UUID, now: datetime
) -> Record:
    """Put a removed rule in force again and return its record; one in force stays so.

    Raises Forbidden for a chatter, NotFound, or what `add_rule` raises: another version may have
    other limits, and others may have added rules since.
    """
    there = await _find(connection, caller, rule_id)
    creator_id = there["creator_id"]
    if there["removed_at"] is None:
        return there
    draft = checked(content_rules.read_draft(there))
    await _change(connection, creator_id)
    await _make_room(connection, creator_id, draft)
    try:
        async with connection.transaction():
            restored = await content_rules.restore(connection, creator_id, rule_id)
    except UniqueViolation:
        raise _same() from None
    if not restored:
        return await _find(connection, caller, rule_id)
    return await _changed(
        connection, caller, creator_id, rule_id, AuditAction.CONTENT_RULE_RESTORED, now
    )


@dataclass(frozen=True, slots=True)
class TriedText:
    """What the filter says about one text, with the creator's own rules and without them."""

    with_rules: SafetyReport
    without_rules: SafetyReport


async def try_text(
    parts: Parts, caller: Caller, creator_id: UUID, text: str, scope: Scope
) -> TriedText:
    """Check a text as it would be checked now. Nothing is saved.

    Raises Forbidden for a chatter, or NotFound.
    """
    require_role(caller, *MANAGERS)
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            creator_sent = await creators.get_creator(connection, creator_id)
            voice_sent = await personalities.current(connection, creator_id)
        creator, voice = await creator_sent.answer(), await voice_sent.answer()
        if creator is None:
            raise NotFound("creator")
        own_rules = await parts.rule_book.of_creator(creator, connection)
    with_rules, without = (
        parts.content_filter.check(
            text,
            scope,
            forbidden_words=() if voice is None else voice.forbidden_words,
            region=creator.region,
            own_rules=rules,
        )
        for rules in (own_rules, NO_RULES)
    )
    return TriedText(with_rules, without)


async def _find(connection: Connection, caller: Caller, rule_id: UUID) -> Record:
    """A rule of a creator of the caller's; raises Forbidden or NotFound."""
    require_role(caller, *MANAGERS)
    creator_ids = await visible_creators(connection, caller)
    found = await (await content_rules.get_rule(connection, creator_ids, rule_id)).answer()
    if not found:
        raise NotFound("content rule")
    return found[0]


async def _change(connection: Connection, creator_id: UUID) -> None:
    if not await content_rules.note_change(connection, creator_id):
        raise NotFound("creator")


async def _make_room(connection: Connection, creator_id: UUID, draft: RuleDraft) -> None:
    """Raise Conflict or InvalidInput when the creator's rules and this one are too many."""
    rules = await (await content_rules.in_force(connection, creator_id)).answer()
    if len(rules) >= MOST_RULES:
        raise Conflict(
            f"A creator may have {MOST_RULES} rules, and this one has them. Remove one first.",
            status="full",
        )
    if draft.kind is not RuleKind.PATTERN:
        return
    if why := together_problem([*_patterns(rules), draft.text]):
        raise InvalidInput(FieldProblem("text", why))


def _patterns(rules: tuple[ContentRule, ...]) -> list[str]:
    """The patterns that can be compiled; others make every text wait for a person anyway."""
    return [
        rule.draft.text
        for rule in rules
        if rule.draft.kind is RuleKind.PATTERN and text_problem(rule.draft) is None
    ]


def _same() -> Conflict:
    return Conflict(
        "This creator has the same rule already: same kind, category and text.", status="same"
    )


async def _changed(
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    rule_id: UUID,
    action: AuditAction,
    now: datetime,
) -> Record:
    """The rule as it is after the change, which is audited."""
    rule: Record = (
        await (await content_rules.get_rule(connection, [creator_id], rule_id)).answer()
    )[0]
    await audit.record(
        connection,
        AuditEntry(
            creator_id=creator_id,
            actor_id=caller.user_id,
            action=action,
            subject_type="content_rule",
            subject_id=str(rule_id),
            at=now,
            details={"kind": rule["kind"], "category": rule["category"], "tier": rule["tier"]},
        ),
    )
    return rule
