"""Rounds of traffic and kills, each followed by recovery and the checks."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psycopg

from stubs import chatwoot
from tests.faults.checks import Findings, Platforms, check, unfinished
from tests.faults.installation import CREATOR, STOPS_SENDING, Installation, Target, installation
from tests.faults.traffic import FANS, Conversation, Desk, Told, client, tell_message, traffic
from vaultcrm.db.pool import open_pool
from vaultcrm.domain.people import Role
from vaultcrm.workflows import manage_people

CHATTERS = 3
RECOVERY_SECONDS = 60
"""How long everything may take to be in its final state, from the last kill on."""
_WEIGHTS = {
    Target.WEB: 3,
    Target.WORKER: 4,
    Target.DATABASE: 3,
    Target.BACKEND: 2,
    Target.SERVER: 1,
    Target.ALL: 2,
}


@dataclass
class Report:
    """How it went. `violations` are in words, each with its round."""

    seed: int
    rounds: int = 0
    seconds: float = 0.0
    kills: Counter[Target] = field(default_factory=Counter)
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    spent: Counter[str] = field(default_factory=Counter)
    slowest_recovery: float = 0.0
    fan_messages: int = 0
    decisions: int = 0
    own_messages: int = 0


async def run_rounds(
    home: Path,
    logs: Path,
    *,
    rounds: int,
    seed: int,
    seconds_a_round: float = 2.5,
    progress: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Run so many rounds, or fewer when something does not recover; `progress` after each."""
    choice = random.Random(seed)  # noqa: S311 -- a seeded course of events
    report = Report(seed)
    told, platforms = Told(), Platforms()
    began = time.monotonic()
    async with _running_desk(home, logs, told) as desk:
        for _ in range(rounds):
            report.rounds += 1
            findings = await _round(desk, platforms, report, seconds_a_round, choice)
            fresh = [f"round {report.rounds}: {what}" for what in findings.violations]
            known = {_words(what) for what in report.violations}
            report.violations += [what for what in fresh if _words(what) not in known]
            report.states = findings.states or report.states
            report.seconds = time.monotonic() - began
            report.fan_messages = len(told.fan_texts)
            report.decisions = len(told.approved) + len(told.rejected)
            report.own_messages = len(told.written)
            progress(report)
            if not findings.states:
                break
    return report


def _words(violation: str) -> str:
    """A violation without its round: one that stays is told once."""
    return violation.partition(": ")[2]


async def _round(
    desk: Desk, platforms: Platforms, report: Report, seconds: float, choice: random.Random
) -> Findings:
    """Traffic with kills in it, recovery, the checks. No states when it did not recover."""
    place = desk.installation
    killer, actors = (random.Random(choice.random()) for _ in range(2))  # noqa: S311 -- seeded
    killing = asyncio.create_task(_kill_some(place, report, seconds, killer))
    traffic_began = time.monotonic()
    await traffic(desk, seconds, actors)
    await killing
    began = time.monotonic()
    await asyncio.to_thread(place.until_ready)
    ready = time.monotonic()
    left = await _until_quiet(place, began)
    quiet = time.monotonic()
    report.slowest_recovery = max(report.slowest_recovery, quiet - began)
    report.spent["with traffic and kills"] += int(began - traffic_began)
    report.spent["until it answers"] += int(ready - began)
    report.spent["until nothing is under way"] += int(quiet - ready)
    if left:
        return Findings([f"not finished after {RECOVERY_SECONDS} s: {left}"], Counter())
    inbox, hook = place.chatwoot, place.webhook
    platforms.note(
        await asyncio.to_thread(lambda: inbox.accepted),
        await asyncio.to_thread(lambda: hook.accepted),
    )
    await asyncio.to_thread(inbox.reset)
    await asyncio.to_thread(hook.reset)
    interruptions = sum(report.kills[target] for target in STOPS_SENDING)
    return await check(place.database_url, desk.told, platforms, interruptions=interruptions)


async def _kill_some(
    place: Installation, report: Report, seconds: float, choice: random.Random
) -> None:
    """One to three kills at random moments; the server is started again should it be the one."""
    moments = sorted(choice.uniform(0.1, 1.0) * seconds for _ in range(choice.randint(1, 3)))
    began = time.monotonic()
    for moment in moments:
        await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
        target = choice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if await asyncio.to_thread(place.kill, target, choice):
            report.kills[target] += 1
            await asyncio.to_thread(place.start)


async def _until_quiet(place: Installation, began: float) -> list[str]:
    """What is still not finished when the patience ends; [] when all is."""
    left = ["nothing was seen"]
    while left and time.monotonic() < began + RECOVERY_SECONDS:
        try:
            left = await unfinished(place.database_url)
        except psycopg.Error as error:
            left = [f"the database does not answer: {error}"]
        if left:
            await asyncio.sleep(0.25)
    return left


@asynccontextmanager
async def _running_desk(home: Path, logs: Path, told: Told) -> AsyncIterator[Desk]:
    """The installation, started, with its people, its creator and two dozen conversations."""
    with installation(home, logs) as place:
        place.start()
        await asyncio.to_thread(place.until_ready)
        service, chatters = await _hire(place)
        async with client() as asking:
            creator_id = await _set_up(place, asking, service)
            desk = Desk(place, asking, service, chatters, creator_id, [], told)
            for fan in range(1, FANS + 1):
                await tell_message(desk, fan, next(desk.numbers), over_webhook=True)
                await tell_message(desk, fan, next(desk.numbers), over_webhook=False)
            left = await _until_quiet(place, time.monotonic())
            if left:
                raise RuntimeError(f"the first messages are not worked through: {left}")
            desk.conversations = await _conversations(desk)
            yield desk


async def _hire(place: Installation) -> tuple[str, list[str]]:
    """A program and some chatters; their tokens."""
    pool = await open_pool(place.database_url, 2)
    try:
        async with pool.connection() as connection:
            found = await (await connection.execute("SELECT now()")).fetchone()
        assert found is not None
        now = found[0]
        tokens = []
        for number in range(CHATTERS):
            email = f"chatter{number}@example.com"
            await manage_people.add_user(
                pool,
                email=email,
                name=f"Chatter {number}",
                role=Role.CHATTER,
                all_creators=True,
                creator_handles=[],
                now=now,
            )
            tokens.append(await manage_people.add_token_for_user(pool, email, now))
        return await manage_people.add_token_for_service(pool, "faults", now), tokens
    finally:
        await pool.close()


async def _set_up(place: Installation, asking: httpx2.AsyncClient, service: str) -> str:
    """The creator and her account on the platform without idempotency; the creator's id."""
    headers = {"Authorization": f"Bearer {service}"}
    creator = {"handle": CREATOR, "displayName": CREATOR.title()}
    made = await asking.post(f"{place.address}/api/creators", json=creator, headers=headers)
    made.raise_for_status()
    account = {
        "creatorId": made.json()["id"],
        "channel": "chatwoot",
        "settings": {
            "accountId": chatwoot.ACCOUNT_ID,
            "inboxId": chatwoot.INBOX_ID,
            "apiAccessToken": chatwoot.TOKEN,
            "webhookSecret": chatwoot.SECRET,
            "baseUrl": place.chatwoot.url,
        },
    }
    connected = await asking.post(f"{place.address}/api/channels", json=account, headers=headers)
    connected.raise_for_status()
    return str(made.json()["id"])


async def _conversations(desk: Desk) -> list[Conversation]:
    """All of them. Half of the fans have been told that AI writes, so that drafts leave by
    themselves there; a third of the conversations takes drafts only.
    """
    connection = await psycopg.AsyncConnection.connect(desk.installation.database_url)
    async with connection:
        cursor = await connection.execute(
            "SELECT id::text, fan_id::text, channel, external_ref FROM conversations ORDER BY id"
        )
        found = [Conversation(*row) for row in await cursor.fetchall()]
    for number, place in enumerate(found):
        creator = {"creatorId": desk.creator_id}
        if number % 2 == 0:
            path = f"/api/fans/{place.fan_id}/disclosure"
            await desk.ask("POST", path, desk.service, creator)
        if number % 3 == 0:
            path = f"/api/conversations/{place.id}/mode"
            await desk.ask("POST", path, desk.service, {**creator, "mode": "draft_only"})
    return found
