"""What goes on while processes are killed: fans write, chatters decide and write, drafts are made.

Everything that got an answer is remembered, as it is a promise; what got none may have happened or
not.
"""

import asyncio
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from stubs import chatwoot, webhook
from tests.faults.installation import CREATOR, Installation
from tests.support.webhooks import message_event, signed

FANS = 12
"""As many on each of the two channels."""
_ANSWER_SECONDS = 15.0
_PLATFORM_PATIENCE_SECONDS = 90.0
_KEY_TRIES = 4

Json = Any


@dataclass(frozen=True)
class Conversation:
    """A conversation, the id of its fan, and the platform's name for it."""

    id: str
    fan_id: str
    channel: str
    reference: str


@dataclass
class Told:
    """What was promised, over all rounds.

    `fan_texts` were taken with 2xx, each by its platform's event. `written` maps the text of a
    chatter's message to its number in its conversation, `approved` and `rejected` hold ids of
    drafts. `mischief` counts the times that a platform without idempotency was told to leave a
    call without an answer.
    """

    fan_texts: dict[str, str] = field(default_factory=dict)
    written: dict[str, tuple[str, int]] = field(default_factory=dict)
    unanswered_texts: set[str] = field(default_factory=set)
    approved: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    mischief: int = 0
    refused_webhooks: list[str] = field(default_factory=list)
    odd_answers: list[str] = field(default_factory=list)


@dataclass
class Desk:
    """Who acts, and where: `tokens` are those of chatters, the first of a program."""

    installation: Installation
    client: httpx2.AsyncClient
    service: str
    chatters: list[str]
    creator_id: str
    conversations: list[Conversation]
    told: Told
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    writing: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def ask(
        self, method: str, path: str, token: str, body: Json = None, key: str = ""
    ) -> tuple[int, Json]:
        """One request; status 0 when there was no answer."""
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        try:
            response = await self.client.request(
                method, self.installation.address + path, json=body, headers=headers
            )
        except httpx2.HTTPError:
            return 0, None
        is_json = "json" in response.headers.get("content-type", "")
        return response.status_code, response.json() if is_json else response.text


def client() -> httpx2.AsyncClient:
    """Every request on a connection of its own: who is killed takes no other's along."""
    return httpx2.AsyncClient(
        timeout=_ANSWER_SECONDS,
        trust_env=False,
        limits=httpx2.Limits(max_keepalive_connections=0, max_connections=None),
    )


async def fan_writes(desk: Desk, choice: random.Random) -> None:
    """A fan writes on one of the platforms, which tells us until we have taken it."""
    number = next(desk.numbers)
    fan = choice.randrange(1, FANS + 1)
    await tell_message(desk, fan, number, over_webhook=choice.random() < 0.5)


async def tell_message(desk: Desk, fan: int, number: int, *, over_webhook: bool) -> None:
    """One message of a fan, as its platform tells it: the same bytes again until the answer."""
    text = f"Hello, this is message number {number} of mine"
    path = "webhook" if over_webhook else "chatwoot"
    if over_webhook:
        event = message_event(text, fan=f"fan{fan}", event_id=f"evt-{number}", id=f"m-{number}")
        sign: Callable[[], tuple[bytes, dict[str, str]]]

        def sign() -> tuple[bytes, dict[str, str]]:
            return signed(event, secret=webhook.SECRET)
    else:
        told = chatwoot.message_created(text, message_id=100_000 + number, conversation=fan)
        raw = json.dumps(told).encode()

        def sign() -> tuple[bytes, dict[str, str]]:
            return raw, chatwoot.signed(raw)

    address = f"{desk.installation.address}/api/webhooks/{path}/{CREATOR}"
    async with asyncio.timeout(_PLATFORM_PATIENCE_SECONDS):
        while True:
            body, headers = sign()
            try:
                response = await desk.client.post(address, content=body, headers=headers)
            except httpx2.HTTPError:
                await asyncio.sleep(0.1)
                continue
            if response.is_success:
                desk.told.fan_texts[text] = path
                return
            if response.status_code < 500:
                desk.told.refused_webhooks.append(f"{response.status_code} {response.text[:200]}")
                return
            await asyncio.sleep(0.1)


async def draft(desk: Desk, choice: random.Random) -> None:
    """A chatter asks for a draft; some are offers."""
    place = choice.choice(desk.conversations)
    kind = "reply" if place.channel == "chatwoot" or choice.random() < 0.7 else "ppv_offer"
    body = {
        "conversationId": place.id,
        "fanId": place.fan_id,
        "creatorId": desk.creator_id,
        "generationType": kind,
    }
    await desk.ask("POST", "/api/ai/generate", desk.service, body)


async def decide(desk: Desk, choice: random.Random) -> None:
    """A chatter takes the next draft and decides it, lets it go, or thinks better of it."""
    chatter = choice.choice(desk.chatters)
    status, held = await desk.ask("POST", "/api/ai/queue/claim", chatter, {})
    generation = held.get("generation") if status == 200 else None
    if generation is None:
        await asyncio.sleep(0.05)
        return
    id_ = str(generation["generationId"])
    what = choice.choices(["approve", "modify", "reject", "leave"], [5, 3, 1, 1])[0]
    if what == "leave":
        return
    body: dict[str, Any] = {"generationId": id_, "action": what, "sendAnyway": True}
    if what == "modify":
        body["modifiedMessage"] = f"Let me say it my own way, number {next(desk.numbers)}"
    key = f"decide-{next(desk.numbers)}"
    status, answer = await _insist(desk, "/api/ai/approve", chatter, body, key)
    if status == 200:
        (desk.told.rejected if what == "reject" else desk.told.approved).add(id_)
        if what != "reject" and choice.random() < 0.2:
            await _undo(desk, chatter, id_)
    elif status == 0:
        desk.told.unsure.add(id_)
    elif status not in {409, 422, 503}:
        desk.told.odd_answers.append(f"approve {status} {str(answer)[:200]}")


async def _undo(desk: Desk, chatter: str, id_: str) -> None:
    status, _ = await desk.ask("POST", "/api/ai/undo", chatter, {"generationId": id_})
    if status in {0, 200, 503}:
        # It waits again, or may wait, and somebody else may decide it.
        desk.told.approved.discard(id_)
        desk.told.unsure.add(id_)


async def write(desk: Desk, choice: random.Random) -> None:
    """A chatter writes a message of their own; messages of one conversation one after the other."""
    place = choice.choice(desk.conversations)
    chatter = choice.choice(desk.chatters)
    async with desk.writing[place.id]:
        number = next(desk.numbers)
        text = f"A few words of my own for you, number {number}"
        body = {"creatorId": desk.creator_id, "text": text}
        path = f"/api/conversations/{place.id}/send"
        status, answer = await _insist(desk, path, chatter, body, f"write-{number}")
        if status == 200:
            desk.told.written[text] = (place.id, number)
        elif status in {0, 409, 503}:
            desk.told.unanswered_texts.add(text)
        else:
            desk.told.odd_answers.append(f"send {status} {str(answer)[:200]}")


async def _insist(desk: Desk, path: str, token: str, body: Json, key: str) -> tuple[int, Json]:
    """Ask again with the same key while there is no answer, as a careful client does."""
    status, answer = 0, None
    for _ in range(_KEY_TRIES):
        status, answer = await desk.ask("POST", path, token, body, key)
        if status not in {0, 503}:
            break
        await asyncio.sleep(0.3)
    return status, answer


async def misbehave(desk: Desk, choice: random.Random) -> None:
    """One of the platforms has a bad moment with its next message."""
    if choice.random() < 0.5:
        steps: list[webhook.Step] = [
            webhook.Drop(choice.random()),
            webhook.FailAfter(),
            webhook.Refuse(503),
            webhook.Refuse(429, 1),
        ]
        await asyncio.to_thread(desk.installation.webhook.behave, choice.choice(steps))
    elif choice.random() < 0.5:
        desk.told.mischief += 1
        lost: list[chatwoot.Step] = [
            chatwoot.Hang(choice.random()),
            chatwoot.Drop(),
            chatwoot.FailAfter(),
        ]
        await asyncio.to_thread(desk.installation.chatwoot.behave, choice.choice(lost))
    else:
        await asyncio.to_thread(desk.installation.chatwoot.behave, chatwoot.RateLimit(1))
    await asyncio.sleep(0.5)


Act = Callable[[Desk, random.Random], Awaitable[None]]
_ACTS: tuple[tuple[Act, int, float], ...] = (
    (fan_writes, 3, 0.15),
    (draft, 2, 0.1),
    (decide, 4, 0.03),
    (write, 2, 0.15),
    (misbehave, 1, 0.2),
)
"""What goes on at once: so many of each, with so long a breath between two."""


async def traffic(desk: Desk, seconds: float, choice: random.Random) -> None:
    """All of it for so long; what is begun is brought to its end."""
    stop = asyncio.Event()
    actors = [
        asyncio.create_task(_act(act, desk, stop, breath, random.Random(choice.random())))  # noqa: S311 -- a seeded course of events
        for act, count, breath in _ACTS
        for _ in range(count)
    ]
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.gather(*actors)


async def _act(
    act: Act, desk: Desk, stop: asyncio.Event, breath: float, choice: random.Random
) -> None:
    while not stop.is_set():
        await act(desk, choice)
        await asyncio.sleep(breath * choice.random() * 2)
