"""Conclude a week: what worked for a creator, the change of voice that follows, new examples.

    sums of all creators together ──> findings ──> proposal ──> applied, where the flag says so
                                          └──────> examples for the prompt

A conclusion is written once, with its proposal, in one transaction.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit, creators, examples, flags, learning, proposals
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, InvalidInput, NotFound
from vaultcrm.domain.learning import (
    PHRASE,
    Finding,
    Hypothesis,
    PooledScore,
    ProposalStatus,
    Scores,
    WeekReport,
)
from vaultcrm.domain.people import SYSTEM_USER_ID, Creator
from vaultcrm.domain.personality import Personality
from vaultcrm.pipeline.learning.deciding import LEAST_MESSAGES, findings_for, pooled, together
from vaultcrm.pipeline.learning.examples import Answered, choose
from vaultcrm.pipeline.learning.proposing import Suggestion, changed, suggestions
from vaultcrm.pipeline.learning.weeks import WEEK, WEEKS_REMEMBERED
from vaultcrm.pipeline.personality import revise
from vaultcrm.workflows.decide_proposal import (
    LEARNING,
    apply_proposal,
    new_texts,
    stopped_parts,
    version_in_force,
)
from vaultcrm.workflows.parts import Parts

EXAMPLES_FROM = timedelta(days=60)
MOST_EXAMPLES_READ = 500
DISMISSED_FOR = timedelta(weeks=12)
"""What was dismissed or taken back is not proposed again for so long."""


async def conclude(parts: Parts, creator_id: UUID, week: date) -> None:
    """Say what worked for a creator up to a week, propose what follows, choose examples.

    Does nothing more where that is done; what was to be applied by itself is applied if it was not.
    """
    now = parts.now()
    async with parts.pool.connection() as connection:
        creator = await (await creators.get_creator(connection, creator_id)).answer()
        if creator is None:
            raise NotFound("creator")
        pool = await _pool(connection, week, now)
        own, messages = await _cumulative(connection, creator_id, week)
        voice = await version_in_force(connection, creator_id)
        everyone = await access.all_creator_ids(connection)
        unwanted = await _unwanted(connection, creator_id, now)
    report = WeekReport(week, messages, 0, False, ())
    wanted: list[Suggestion] = []
    if messages >= LEAST_MESSAGES:
        findings, tested = findings_for(own, pool, len(everyone))
        report = WeekReport(week, messages, tested, True, tuple(findings))
        wanted = await _acceptable(parts, creator, voice, findings, unwanted)
    fields = changed(voice, wanted)
    rested = tuple(dict.fromkeys(one for each in wanted for one in each.findings))
    shown = await _examples(parts, creator, voice)
    async with parts.transaction() as connection:
        if await learning.conclude(connection, creator_id, report, now):
            if await learning.is_last(connection, creator_id, week):
                await examples.replace_all(connection, creator_id, shown, now)
            if fields:
                await _propose(connection, creator_id, voice, fields, rested, report, now)
    await _apply_by_itself(parts, creator, week)


async def _pool(connection: Connection, week: date, now: datetime) -> dict[Hypothesis, PooledScore]:
    """All creators together up to a week; the first to ask puts them together, for everybody."""
    found = await learning.pool_of(connection, week)
    if found is None:
        scores: list[Scores] = []
        for creator_id in await access.all_creator_ids(connection):
            own, _ = await _cumulative(connection, creator_id, week)
            scores.append({k: v for k, v in own.items() if not k.arm.startswith(PHRASE)})
        await learning.keep_pool(connection, week, pooled(scores), now)
        found = await learning.pool_of(connection, week)
    return found or {}


async def _cumulative(connection: Connection, creator_id: UUID, week: date) -> tuple[Scores, int]:
    since = week - (WEEKS_REMEMBERED - 1) * WEEK
    scores: Scores = {}
    messages = 0
    for _, sums in await learning.weeks(connection, creator_id, since, week):
        scores = together(scores, sums.scores)
        messages += sums.messages
    return scores, messages


async def _unwanted(connection: Connection, creator_id: UUID, now: datetime) -> set[str]:
    """What people have dismissed or taken back lately, by its texts."""
    found: set[str] = set()
    sent = await proposals.listed(connection, [creator_id], most=WEEKS_REMEMBERED)
    for one in await sent.answer():
        declined = one.status in {ProposalStatus.DISMISSED, ProposalStatus.ROLLED_BACK}
        if declined and one.decided_at is not None and one.decided_at > now - DISMISSED_FOR:
            found |= set(one.fields.get("preferred_phrases", ()))
            found |= set(str(one.fields.get("system_prompt", "")).split("\n"))
            found.add(str(one.fields.get("emoji_style", "")))
    return found


async def _acceptable(
    parts: Parts,
    creator: Creator,
    voice: Personality,
    findings: Sequence[Finding],
    unwanted: set[str],
) -> list[Suggestion]:
    """The suggestions that the content filter lets through, that a personality can hold beside each
    other, and that nobody has declined.
    """
    kept: list[Suggestion] = []
    for one in suggestions(voice, findings):
        texts = new_texts(changed(voice, [one]), voice)
        news = {one.add_phrase, f"- {one.line}", str(one.emoji_style or "")} - {"", "- "}
        declined = bool(news) and news <= unwanted
        if declined or await stopped_parts(parts, creator, voice, texts):
            continue
        try:
            revise(voice, changed(voice, [*kept, one]))
        except InvalidInput:
            continue
        kept.append(one)
    return kept


async def _examples(parts: Parts, creator: Creator, voice: Personality) -> list[examples.Candidate]:
    now = parts.now()
    async with parts.pool.connection() as connection:
        found = await examples.candidates(
            connection, creator.id, now - EXAMPLES_FROM, now, MOST_EXAMPLES_READ
        )
    unclean = set(await stopped_parts(parts, creator, voice, [one.text for one in found]))
    by_id = {one.message_id: one for one in found}
    answered = [
        Answered(one.message_id, one.text, one.fan_id, one.fan_name, one.time_to_reply, one.sent_at)
        for one in found
    ]
    return [by_id[one.key] for one in choose(answered, now, lambda text: text not in unclean)]


async def _propose(
    connection: Connection,
    creator_id: UUID,
    voice: Personality,
    fields: dict[str, Any],
    findings: Sequence[Finding],
    report: WeekReport,
    now: datetime,
) -> None:
    proposal_id = await proposals.add(
        connection,
        creator_id=creator_id,
        week=report.week,
        base_version=voice.version,
        fields=fields,
        findings=findings,
        messages=report.messages,
        tested=report.tested,
        now=now,
    )
    if proposal_id is None:
        return
    await audit.record(
        connection,
        AuditEntry(
            creator_id=creator_id,
            actor_id=SYSTEM_USER_ID,
            action=AuditAction.LEARNING_PROPOSED,
            subject_type="personality_proposal",
            subject_id=str(proposal_id),
            at=now,
            details={"week": report.week.isoformat(), "fields": sorted(fields)},
        ),
    )


async def _apply_by_itself(parts: Parts, creator: Creator, week: date) -> None:
    """Apply the week's proposal where the flag says so. A version that somebody has saved meanwhile
    goes first, and the proposal is superseded.
    """
    async with parts.pool.connection() as connection:
        overrides = await flags.overrides(connection, creator.id)
        sent = await proposals.listed(
            connection, [creator.id], most=1, status=ProposalStatus.PROPOSED
        )
        waiting = await sent.answer()
    allowed = effective_flags(parts.settings, Overrides(*overrides)).learning_applies
    if allowed and waiting and waiting[0].week == week:
        try:
            await apply_proposal(parts, LEARNING, waiting[0].id, by_itself=True)
        except (Conflict, InvalidInput):
            return
