"""Write the demo's history down, in the caller's transaction. Nothing of it is to be sent."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from vaultcrm.controls.limits.windows import windows_at
from vaultcrm.db.pending import Connection, run, send
from vaultcrm.db.queries import access, personalities
from vaultcrm.domain.audit import AuditAction
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.limits import EVERYBODY, TOKENS_PER_DAY
from vaultcrm.domain.personality import Personality
from vaultcrm.entrypoints.cli.demo_world.lore import load_lore
from vaultcrm.entrypoints.cli.demo_world.past import DemoHistory, PastVoice
from vaultcrm.entrypoints.cli.demo_world.places import places_of
from vaultcrm.entrypoints.cli.demo_world.rows import Rows
from vaultcrm.entrypoints.cli.demo_world.uses import link_templates

TEAM_SINCE = timedelta(days=60)

_USED_TODAY = """
    INSERT INTO limit_counters (kind, subject, window_start, used)
    VALUES (%(kind)s, %(subject)s, %(day)s, %(used)s)
    ON CONFLICT (kind, subject, window_start)
    DO UPDATE SET used = limit_counters.used + EXCLUDED.used
"""
_SEEN = """
    INSERT INTO people_seen (user_id, last_seen_at) VALUES (%(user_id)s, %(at)s)
    ON CONFLICT (user_id) DO NOTHING
"""
_ANY_DRAFT = "SELECT 1 FROM ai_message_generations LIMIT 1"


async def has_history(connection: Connection) -> bool:
    """Whether any draft was ever made here."""
    return await (await send(connection, _ANY_DRAFT, (), bool)).answer()


async def keep_history(
    connection: Connection,
    history: DemoHistory,
    creators: Mapping[str, UUID],
    now: datetime,
    zone: str = "UTC",
) -> None:
    """Write the history of a world whose conversations are there, in the caller's transaction."""
    random = Random("ids")  # noqa: S311 - no secret
    people = await _add_people(connection, creators, now, random)
    rows = Rows(await places_of(connection), people, history.voices, random)
    for person in load_lore().people:
        subject = ("user", str(people[person.email]))
        details = {"role": person.role.value, "creators": len(person.creators) or "all"}
        rows.add_audit(NIL, now - TEAM_SINCE, None, AuditAction.USER_ADDED, subject, details)
    await _keep_voices(connection, history.voices, creators, rows)
    for draft in history.drafts:
        rows.add_draft(draft)
    for answer in history.answers:
        rows.add_answer(answer)
    for reading in history.readings:
        creator_id = creators[reading.creator_handle]
        rows.add_usage(creator_id, None, "analysis", reading.model, reading.usage, reading.at)
    rows.add_alerts(creators, now)
    await rows.write(connection)
    await link_templates(connection, now)
    await _count_today(connection, history, now, zone)


async def _add_people(
    connection: Connection, creators: Mapping[str, UUID], now: datetime, random: Random
) -> dict[str, UUID]:
    """The team by e-mail, who have been here for two months."""
    since = now - TEAM_SINCE
    people: dict[str, UUID] = {}
    for person in load_lore().people:
        user_id = await access.add_user(
            connection,
            email=person.email,
            name=person.name,
            role=person.role,
            all_creators=not person.creators,
            now=since,
        ) or await access.user_by_email(connection, person.email)
        assert user_id is not None  # noqa: S101 -- it was found or made just now
        for handle in person.creators:
            await access.assign(connection, user_id, creators[handle], since)
        seen_at = now - timedelta(minutes=random.randint(2, 180))
        await run(connection, _SEEN, {"user_id": user_id, "at": seen_at})
        people[person.email] = user_id
    return people


async def _keep_voices(
    connection: Connection,
    voices: Iterable[PastVoice],
    creators: Mapping[str, UUID],
    rows: Rows,
) -> None:
    for voice in voices:
        creator_id = creators[voice.creator_handle]
        personality = Personality(
            creator_id,
            voice.version,
            voice.personality_type,
            voice.tone_descriptors,
            voice.forbidden_words,
            voice.preferred_phrases,
            voice.emoji_style,
            voice.system_prompt,
        )
        if await personalities.add_version(connection, personality, rows.leader, voice.saved_at):
            fields = ["emoji_style", "forbidden_words", "preferred_phrases", "tone_descriptors"]
            rows.add_audit(
                creator_id,
                voice.saved_at,
                rows.leader,
                AuditAction.PERSONALITY_CHANGED,
                ("personality", f"version {voice.version}"),
                {"fields": fields},
            )


async def _count_today(
    connection: Connection, history: DemoHistory, now: datetime, zone: str
) -> None:
    """What today's drafts used counts against the day's limit, as it would have."""
    day = windows_at(now, zone).day
    used = sum(draft.usage.total for draft in history.drafts if draft.at >= day)
    used += sum(reading.usage.total for reading in history.readings if reading.at >= day)
    params = {"kind": TOKENS_PER_DAY, "subject": EVERYBODY, "day": day, "used": used}
    await run(connection, _USED_TODAY, params)
