"""What becomes of a proposed personality: applied, dismissed, rolled back. Each is audited."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit, creators, personalities, proposals
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.learning import Proposal, ProposalStatus, Watch, WatchState
from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Creator, Role
from vaultcrm.domain.personality import Personality
from vaultcrm.domain.safety import Scope, Verdict
from vaultcrm.pipeline.personality import personality_or_default
from vaultcrm.workflows.change_personality import change_personality
from vaultcrm.workflows.parts import Parts

MANAGERS = (Role.MANAGER, Role.ADMIN, Role.SERVICE)
LONGEST_REASON = 500

LEARNING = Caller(SYSTEM_USER_ID, Role.SERVICE, "VaultCRM", all_creators=True)
"""Who does what learning does by itself."""

_ALREADY: Mapping[ProposalStatus, str] = {
    ProposalStatus.APPLIED: "This proposal has been applied.",
    ProposalStatus.DISMISSED: "This proposal has been dismissed.",
    ProposalStatus.ROLLED_BACK: "This proposal was applied and has been taken back.",
    ProposalStatus.SUPERSEDED: "A newer proposal, or another version, has taken this one's place.",
    ProposalStatus.PROPOSED: "This proposal has not been applied.",
}


async def find_proposal(parts: Parts, caller: Caller, proposal_id: UUID) -> Proposal:
    """A proposal for a creator whom the caller acts for; raises Forbidden or NotFound."""
    require_role(caller, *MANAGERS)
    async with parts.pool.connection() as connection:
        visible = (
            await access.all_creator_ids(connection)
            if caller.all_creators
            else sorted(caller.creator_ids)
        )
        found = await proposals.one(connection, visible, proposal_id)
    if found is None:
        raise NotFound("proposal")
    return found


async def apply_proposal(
    parts: Parts, caller: Caller, proposal_id: UUID, *, by_itself: bool = False
) -> Personality:
    """Save what is proposed as the next version, and begin to watch it.

    Raises Forbidden, NotFound, InvalidInput when the content filter would stop a part of it by now,
    or Conflict when it has been decided on or another version is in force.
    """
    proposal = await find_proposal(parts, caller, proposal_id)
    _require(proposal, ProposalStatus.PROPOSED)
    before = await base_of(parts, proposal)
    if before is None:
        async with parts.transaction() as connection:
            await proposals.decide(
                connection,
                proposal,
                ProposalStatus.SUPERSEDED,
                user_id=caller.user_id,
                now=parts.now(),
            )
        raise Conflict(
            "Another version has been saved since this was proposed. The next proposal will be "
            "based on it."
        )
    await _require_clean(parts, proposal, before)

    async def note(connection: Connection, saved: Personality) -> None:
        await _decide(
            parts,
            connection,
            caller,
            proposal,
            ProposalStatus.APPLIED,
            AuditAction.LEARNING_APPLIED,
            {"version": saved.version, "by_itself": by_itself},
            version=saved.version,
            by_itself=by_itself,
            watch=Watch(WatchState.WATCHING),
        )

    return await change_personality(
        parts,
        caller,
        proposal.creator_id,
        proposal.fields,
        based_on=proposal.base_version,
        with_it=note,
    )


async def dismiss_proposal(
    parts: Parts, caller: Caller, proposal_id: UUID, reason: str
) -> Proposal:
    """Let a proposal go, with a reason. What was dismissed is not proposed again for some weeks.

    Raises Forbidden, NotFound, InvalidInput without a reason, or Conflict when it has been decided
    on.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidInput(
            FieldProblem("reason", f"say why, in at most {LONGEST_REASON} characters")
        )
    proposal = await find_proposal(parts, caller, proposal_id)
    _require(proposal, ProposalStatus.PROPOSED)
    async with parts.transaction() as connection:
        await _decide(
            parts,
            connection,
            caller,
            proposal,
            ProposalStatus.DISMISSED,
            AuditAction.LEARNING_DISMISSED,
            {},
            reason=reason,
        )
    return await find_proposal(parts, caller, proposal_id)


async def roll_back_proposal(
    parts: Parts, caller: Caller, proposal_id: UUID, *, by_itself: bool = False
) -> Personality:
    """Save a version with the fields that the proposal changed as they were before.

    Raises Forbidden, NotFound, or Conflict when the proposal is not in force any more.
    """
    proposal = await find_proposal(parts, caller, proposal_id)
    _require(proposal, ProposalStatus.APPLIED)
    async with parts.pool.connection() as connection:
        current = await version_in_force(connection, proposal.creator_id)
        before = await _version(connection, proposal.creator_id, proposal.base_version)
    if before is None or current.version != proposal.applied_version:
        raise Conflict(
            "Another version is in force by now. Go back to an older one under Personalities."
        )

    async def note(connection: Connection, saved: Personality) -> None:
        await _decide(
            parts,
            connection,
            caller,
            proposal,
            ProposalStatus.ROLLED_BACK,
            AuditAction.LEARNING_ROLLED_BACK,
            {"version": saved.version, "by_itself": by_itself},
        )

    return await change_personality(
        parts,
        caller,
        proposal.creator_id,
        {name: getattr(before, name) for name in proposal.fields},
        based_on=current.version,
        with_it=note,
    )


async def base_of(parts: Parts, proposal: Proposal) -> Personality | None:
    """The voice that a proposal would change; None when another one is in force by now."""
    async with parts.pool.connection() as connection:
        current = await version_in_force(connection, proposal.creator_id)
    return current if current.version == proposal.base_version else None


async def version_in_force(connection: Connection, creator_id: UUID) -> Personality:
    stored = await (await personalities.current(connection, creator_id)).answer()
    return personality_or_default(stored, creator_id)


async def stopped_parts(
    parts: Parts, creator: Creator, voice: Personality, texts: list[str]
) -> list[str]:
    """Those of some texts that the content filter would not simply let through in a draft."""
    own_rules = await parts.rule_book.of_creator(creator, parts.pool)
    return [
        text
        for text in texts
        if parts.content_filter.check(
            text,
            Scope.DRAFT,
            forbidden_words=voice.forbidden_words,
            region=creator.region,
            own_rules=own_rules,
        ).verdict
        is not Verdict.ALLOW
    ]


def new_texts(fields: Mapping[str, Any], before: Personality) -> list[str]:
    """What a proposal writes that was not there before: phrases, and lines of instruction."""
    phrases = fields.get("preferred_phrases", ())
    lines = str(fields.get("system_prompt", "")).split("\n")
    known = {*before.preferred_phrases, *before.system_prompt.split("\n")}
    return [text for text in (*phrases, *lines) if text.strip() and text not in known]


async def _require_clean(parts: Parts, proposal: Proposal, before: Personality) -> None:
    async with parts.pool.connection() as connection:
        creator = await (await creators.get_creator(connection, proposal.creator_id)).answer()
    if creator is None:
        raise NotFound("creator")
    texts = new_texts(proposal.fields, before)
    for text in await stopped_parts(parts, creator, before, texts):
        raise InvalidInput(
            FieldProblem("fields", f"the content filter stops “{text}” by now: dismiss this")
        )


async def _version(connection: Connection, creator_id: UUID, version: int) -> Personality | None:
    if version == 0:
        return personality_or_default(None, creator_id)
    saved = await (await personalities.saved_version(connection, creator_id, version)).answer()
    return None if saved is None else saved.voice


def _require(proposal: Proposal, status: ProposalStatus) -> None:
    if proposal.status is not status:
        raise Conflict(
            _ALREADY[proposal.status],
            status=proposal.status.value,
            decided_by=proposal.decided_by,
            decided_at=proposal.decided_at,
        )


async def _decide(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    proposal: Proposal,
    status: ProposalStatus,
    action: AuditAction,
    details: dict[str, Any],
    *,
    reason: str = "",
    version: int | None = None,
    by_itself: bool = False,
    watch: Watch | None = None,
) -> None:
    """Move a proposal on, or raise Conflict when somebody was first."""
    now = parts.now()
    moved = await proposals.decide(
        connection,
        proposal,
        status,
        user_id=caller.user_id,
        now=now,
        reason=reason,
        version=version,
        by_itself=by_itself,
        watch=watch,
    )
    if not moved:
        raise Conflict("Somebody has decided on this proposal at the same moment.")
    await audit.record(
        connection,
        AuditEntry(
            creator_id=proposal.creator_id,
            actor_id=caller.user_id,
            action=action,
            subject_type="personality_proposal",
            subject_id=str(proposal.id),
            at=now,
            details={"week": proposal.week.isoformat(), **details},
        ),
    )
