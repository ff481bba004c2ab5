"""Weekly learning: gather a week's outcomes, conclude what worked, propose, watch.

    gather (one creator, one week) ──> sums ──> all creators together ──> conclude ──> proposal
                                                                             │
                                                        examples, watch <────┘

A week begins on Monday at 00:00 UTC and is gathered once its last message's outcome is settled.
Sums of a week are written once and never changed; a conclusion is written once, with its proposal,
in one transaction. So whatever ends a run, the next one goes on from there and comes to the same.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.db.jobs import LEARN
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit, creators, examples, flags, learning, proposals
from vaultcrm.db.queries.learning import start_of
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, InvalidInput, NotFound
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.learning import (
    PHRASE,
    Finding,
    Hypothesis,
    PooledScore,
    Proposal,
    ProposalStatus,
    Scores,
    Watch,
    WatchState,
    WeekReport,
    WeekSums,
)
from vaultcrm.domain.people import SYSTEM_USER_ID, Creator
from vaultcrm.domain.personality import Personality
from vaultcrm.pipeline.learning.deciding import LEAST_MESSAGES, findings_for, pooled, together
from vaultcrm.pipeline.learning.edits import LONGEST, Edits, is_rewritten
from vaultcrm.pipeline.learning.examples import Answered, choose
from vaultcrm.pipeline.learning.phrases import MOST_NEW, MOST_TRACKED, Common, Finder, runs
from vaultcrm.pipeline.learning.proposing import Suggestion, changed, suggestions
from vaultcrm.pipeline.learning.tallying import BANDS, Batch, Tally
from vaultcrm.pipeline.learning.traits import (
    ARMS,
    TIERS,
    band_of,
    circumstances_of,
    names_of,
    pieces_of,
    traits_of,
)
from vaultcrm.pipeline.learning.watching import course, is_worse
from vaultcrm.pipeline.personality import revise
from vaultcrm.workflows.decide_proposal import (
    LEARNING,
    apply_proposal,
    new_texts,
    roll_back_proposal,
    stopped_parts,
    version_in_force,
)
from vaultcrm.workflows.parts import Parts

WEEK = timedelta(days=7)
WEEKS_REMEMBERED = 26
"""Evidence is as old as this at most; a rule that was true two years ago is not one today."""
WEEKS_AT_FIRST = 8
"""So many weeks of the past are gathered for a creator who was never learned from."""
SAMPLE = 4_000
"""Of a week's messages: in so many, phrases are looked for. They are then counted in all."""
NEW_FROM_EDITS = 10
PATIENCE = timedelta(hours=12)
"""So long a creator's conclusion waits for the sums of the others."""
WATCHED_FOR = timedelta(weeks=8)
COMPARED_WITH = timedelta(weeks=4)
"""The time before a change that the time after it is compared with."""
EXAMPLES_FROM = timedelta(days=60)
MOST_EXAMPLES_READ = 500
DISMISSED_FOR = timedelta(weeks=12)
"""What was dismissed or taken back is not proposed again for so long."""

_TIER_PLACE = {tier.value: place for place, tier in enumerate(TIERS)}
Progress = Callable[[int, int], None]
"""Is told how many messages of how many have been read."""


def monday(moment: datetime) -> date:
    """The Monday of a moment's week in UTC."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def last_settled_week(parts: Parts) -> date:
    """The last week all of whose messages have their outcome."""
    settled = parts.now() - timedelta(hours=parts.settings.attribution_hours)
    return monday(settled) - WEEK


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run has done for one creator; `proposal` is the proposal of the week, if any."""

    creator: Creator
    report: WeekReport
    proposal: Proposal | None


async def ask_to_learn(parts: Parts) -> int:
    """Ask for a job for each creator, unless one waits already; how many were asked for."""
    asked = 0
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
    for creator_id in creator_ids:
        async with parts.transaction() as connection:
            asked += await _defer(parts, connection, creator_id)
    return asked


async def _defer(parts: Parts, connection: Connection, creator_id: UUID) -> bool:
    return await parts.jobs.defer(
        connection, LEARN, queueing_lock=f"learn:{creator_id}", creator_id=str(creator_id)
    )


async def learn_one(parts: Parts, creator_id: UUID) -> None:
    """What a job does for a creator: watch, gather what is due, and conclude when all are there."""
    await watch(parts, creator_id)
    week = last_settled_week(parts)
    for due in await weeks_due(parts, creator_id, week):
        await gather(parts, creator_id, due)
    async with parts.pool.connection() as connection:
        states = await learning.states(connection, week)
        began = await learning.first_gathered(connection, week)
    waiting = [one for one, gathered, _ in states if not gathered]
    if waiting and began is not None and parts.now() < began + PATIENCE:
        return
    await conclude(parts, creator_id, week)
    for one, gathered, concluded in states:
        if one != creator_id and gathered and not concluded and not waiting:
            async with parts.transaction() as connection:
                await _defer(parts, connection, one)


async def weeks_due(
    parts: Parts, creator_id: UUID, until: date, since: date | None = None
) -> list[date]:
    """The weeks up to `until` whose sums are not kept: all after the last that are, or `since`."""
    oldest = until - WEEKS_REMEMBERED * WEEK
    async with parts.pool.connection() as connection:
        kept = [week for week, _ in await learning.weeks(connection, creator_id, oldest, until)]
    if since is not None:
        first = max(since, oldest)
    elif kept:
        first = max(kept) + WEEK
    else:
        first = until - (WEEKS_AT_FIRST - 1) * WEEK
    found = []
    while first <= until:
        if first not in kept:
            found.append(first)
        first += WEEK
    return found


# ---- gathering


async def gather(
    parts: Parts, creator_id: UUID, week: date, on_progress: Progress | None = None
) -> None:
    """Read a week's messages and keep their sums; nothing if they are kept already.

    Two passes: one over a sample, for phrases that are common, one over all.
    """
    start, end = start_of(week), start_of(week) + WEEK
    async with parts.transaction() as connection:
        if await learning.weeks(connection, creator_id, week, week):
            return
        earlier = await learning.weeks(
            connection, creator_id, week - WEEKS_REMEMBERED * WEEK, week - WEEK
        )
        size, currency = await learning.week_size(connection, creator_id, start, end)
        known = _tracked(earlier)
        fresh, edited = await _new_phrases(connection, creator_id, start, end, size, known)
        tally = Tally([*known, *fresh, *edited])
        await _tally(connection, creator_id, start, end, tally, currency, size, on_progress)
        edits, new_edits = Edits(known), Edits(edited)
        async for before, after, fan in _decided(connection, creator_id, start, end):
            edits.add(before, after)
            if not _chooses(fan):
                new_edits.add(before, after)
        sums = WeekSums(
            tally.messages,
            tally.offers,
            edits.drafts,
            edits.modified,
            {**tally.scores(currency), **edits.scores(), **new_edits.scores()},
        )
        await learning.keep_week(connection, creator_id, week, sums, parts.now())


def _tracked(earlier: Sequence[tuple[date, WeekSums]]) -> list[str]:
    """The phrases that earlier weeks asked about, the longest asked first."""
    arms = dict.fromkeys(one.arm for _, sums in earlier for one in sums.scores)
    return [arm.removeprefix(PHRASE) for arm in arms if arm.startswith(PHRASE)][:MOST_TRACKED]


def _chooses(fan: UUID) -> bool:
    """Whether what people did to drafts for this fan only says which phrases to ask about.

    The other half answers, so that no phrase is asked about because of its own answer.
    """
    return fan.int % 2 == 0


async def _new_phrases(
    connection: Connection,
    creator_id: UUID,
    start: datetime,
    end: datetime,
    size: int,
    known: list[str],
) -> tuple[list[str], list[str]]:
    """Phrases to take up: common in messages, and common among what people changed."""
    room = MOST_TRACKED - len(known)
    if room <= 0:
        return [], []
    said, removed, added = Common(), Common(), Common()
    share = min(256, max(1, 256 * SAMPLE // max(size, 1)))
    rows = learning.stream(connection, learning.TEXTS, creator_id, start, end, share=share)
    async for batch in rows:
        for text, fan, name in batch:
            said.add(runs(pieces_of(text, names_of(name))), fan.int)
    async for before, after, fan in _decided(connection, creator_id, start, end):
        if before != after and _chooses(fan) and not is_rewritten(before, after):
            old, new = set(runs(before, 1, LONGEST)), set(runs(after, 1, LONGEST))
            removed.add(old - new, fan.int)
            added.add(new - old, fan.int)
    edited: list[str] = []
    for common in (removed, added):
        seen = frozenset({*known, *edited})
        edited += common.chosen(NEW_FROM_EDITS, known=seen, least_share=0.03)
    edited = edited[:room]
    taken = frozenset({*known, *edited})
    return said.chosen(min(MOST_NEW, room - len(edited)), known=taken), edited


async def _decided(
    connection: Connection, creator_id: UUID, start: datetime, end: datetime
) -> AsyncIterator[tuple[list[str], list[str], UUID]]:
    """Drafts as they were written and as they were sent, in pieces, with the fan."""
    async for batch in learning.stream(connection, learning.DECIDED, creator_id, start, end):
        for before, after, fan, name in batch:
            names = names_of(name)
            was = pieces_of(before, names)
            yield was, was if before == after else pieces_of(after, names), fan


async def _tally(
    connection: Connection,
    creator_id: UUID,
    start: datetime,
    end: datetime,
    tally: Tally,
    currency: str,
    size: int,
    on_progress: Progress | None,
) -> None:
    finder = Finder([name.removeprefix(PHRASE) for name in tally.names[len(ARMS) :]])
    kinds: dict[str | None, GenerationType | None] = {kind.value: kind for kind in GenerationType}
    read = 0
    async for rows in learning.stream(connection, learning.OUTCOMES, creator_id, start, end):
        batch = Batch()
        for text, name, tier, sent_at, price, priced_in, replied, bought, revenue, kind in rows:
            pieces = pieces_of(text, frozenset())
            names = names_of(name)
            band = band_of(price, priced_in, currency)
            arms = traits_of(text, pieces, names)
            arms += circumstances_of(tier, band, sent_at, kinds.get(kind))
            if finder.phrases:
                if not names.isdisjoint(pieces):
                    pieces = pieces_of(text, names)
                arms += [len(ARMS) + place for place in finder.in_(pieces)]
            stratum = _TIER_PLACE[tier] * BANDS + band
            batch.add(stratum, arms, replied, bought, revenue if priced_in == currency else 0)
        tally.add(batch)
        read += len(rows)
        if on_progress is not None:
            on_progress(read, size)


# ---- concluding


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


# ---- watching


async def watch(parts: Parts, creator_id: UUID) -> None:
    """Compare what came after an applied proposal with what was before it; take it back if it does
    worse and was applied by itself, else say so.
    """
    async with parts.pool.connection() as connection:
        watched = await proposals.under_watch(connection, creator_id)
    for proposal in watched:
        seen = await _look(parts, proposal)
        async with parts.transaction() as connection:
            await proposals.note_watch(connection, proposal, seen)
        if seen.state is WatchState.WORSE and proposal.by_itself:
            try:
                await roll_back_proposal(parts, LEARNING, proposal.id, by_itself=True)
            except Conflict:
                continue


async def _look(parts: Parts, proposal: Proposal) -> Watch:
    now, applied_at = parts.now(), proposal.decided_at
    if applied_at is None:
        raise NotFound("time of the application")
    before = applied_at - COMPARED_WITH
    courses = []
    async with parts.pool.connection() as connection:
        current = await version_in_force(connection, proposal.creator_id)
        if current.version != proposal.applied_version:
            known = Watch(WatchState.OVERTAKEN) if proposal.watch is None else proposal.watch
            return replace(known, state=WatchState.OVERTAKEN, looked_at=now)
        _, currency = await learning.week_size(connection, proposal.creator_id, before, now)
        for name in proposals.FIGURES:
            earlier, later = [
                await proposals.moments(
                    connection, proposal.creator_id, name, start, end, currency=currency, now=now
                )
                for start, end in ((before, applied_at), (applied_at, now))
            ]
            compared = course(name, astuple(earlier), astuple(later))
            if compared is not None:
                courses.append(compared)
    if is_worse(courses):
        state = WatchState.WORSE
    else:
        state = WatchState.KEPT if now > applied_at + WATCHED_FOR else WatchState.WATCHING
    return Watch(state, tuple(courses), now)


# ---- from a terminal


async def learn_now(
    parts: Parts,
    handle: str | None = None,
    since: date | None = None,
    on_progress: Callable[[Creator, date, int, int], None] | None = None,
) -> list[Learned]:
    """All of it at once: gather every creator's weeks, then conclude for one or for all.

    `since` also gathers weeks from that day's on that were never gathered. Raises NotFound for a
    handle that no creator has.
    """
    week = last_settled_week(parts)
    async with parts.pool.connection() as connection:
        everyone = [
            found
            for one in await access.all_creator_ids(connection)
            if (found := await (await creators.get_creator(connection, one)).answer()) is not None
        ]
    chosen = [one for one in everyone if handle is None or one.handle == handle]
    if not chosen:
        raise NotFound("creator")
    first = None if since is None else since - timedelta(days=since.weekday())
    for one in everyone:
        for due in await weeks_due(parts, one.id, week, first):

            def show(read: int, size: int, one: Creator = one, due: date = due) -> None:
                if on_progress is not None:
                    on_progress(one, due, read, size)

            await gather(parts, one.id, due, show)
    learned = []
    for one in chosen:
        await watch(parts, one.id)
        await conclude(parts, one.id, week)
        async with parts.pool.connection() as connection:
            sent = await learning.latest_reports(connection, [one.id])
            report = (await sent.answer())[one.id]
            listed = await (await proposals.listed(connection, [one.id], most=1)).answer()
        proposal = listed[0] if listed and listed[0].week == week else None
        learned.append(Learned(one, report, proposal))
    return learned
