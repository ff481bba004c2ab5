"""People, creators, fans and conversations for tests, made through the doors that the product has.

mary = await sign_in(app, Role.MANAGER)
talk = await conversation(mary, said=["Hey, how are you?"])
answer = await mary.post("/api/ai/generate", talk.asks("reply"))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2

from tests.support.app import RunningApp
from tests.support.guarantee import give_guarantee
from vaultcrm.db.queries import access
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role
from vaultcrm.workflows import manage_people

Json = Any

WARM: tuple[dict[str, Any], ...] = (
    {
        "message": "Hey you, I was just thinking about you! How was your day?",
        "suggested_price_minor": None,
        "reasoning": "Warm and short.",
        "self_rating": 100,
    },
    {
        "message": "Hey you, I was just thinking about you! How was your morning?",
        "suggested_price_minor": None,
        "reasoning": "Warm and short too.",
        "self_rating": 90,
    },
)
"""Candidates that the policy lets go by themselves: sure, alike, harmless and free."""


def candidate(message: str, *, price_minor: int | None = None, rating: int = 95) -> dict[str, Any]:
    """One candidate as a model writes it."""
    return {
        "message": message,
        "suggested_price_minor": price_minor,
        "reasoning": "It fits.",
        "self_rating": rating,
    }


@dataclass(frozen=True)
class SignedIn:
    """A caller with a token. Bodies and answers are JSON."""

    app: RunningApp
    user_id: UUID
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str, **params: Any) -> httpx2.Response:
        return await self.app.client.get(path, params=params, headers=self.headers)

    async def post(
        self, path: str, body: Json = None, *, key: str | None = None, **headers: str
    ) -> httpx2.Response:
        """`key` is the Idempotency-Key."""
        sent = {**self.headers, **headers, **({} if key is None else {"Idempotency-Key": key})}
        return await self.app.client.post(path, json=body, headers=sent)

    async def made(self, path: str, body: Json) -> Json:
        """The answer to a POST that must succeed."""
        response = await self.post(path, body)
        assert response.status_code in {200, 201}, response.text
        return response.json()

    async def found(self, path: str, **params: Any) -> Json:
        """The answer to a GET that must succeed."""
        response = await self.get(path, **params)
        assert response.status_code == 200, response.text
        return response.json()


async def sign_in(
    app: RunningApp, role: Role, *, creators: Sequence[str] | None = None, name: str = ""
) -> SignedIn:
    """A new person with a token; `creators` are handles, None means that they may see all."""
    pool, now = app.parts.pool, app.parts.now()
    name = name or f"{role.value}-{new_id().hex[-8:]}"
    if role is Role.SERVICE:
        token = await manage_people.add_token_for_service(pool, name, now)
        async with pool.connection() as connection:
            user_id = await access.service_by_name(connection, name)
    else:
        email = f"{name.lower().replace(' ', '.')}@example.com"
        await manage_people.add_user(
            pool,
            email=email,
            name=name,
            role=role,
            all_creators=creators is None,
            creator_handles=list(creators or ()),
            now=now,
        )
        token = await manage_people.add_token_for_user(pool, email, now)
        async with pool.connection() as connection:
            user_id = await access.user_by_email(connection, email)
    assert user_id is not None
    return SignedIn(app, user_id, token)


@dataclass(frozen=True)
class Talk:
    """A conversation of one fan with one creator."""

    creator_id: str
    creator_handle: str
    fan_id: str
    conversation_id: str

    def asks(self, generation_type: str = "reply", **more: Any) -> dict[str, Any]:
        """The body that asks for a draft."""
        return {
            "creatorId": self.creator_id,
            "fanId": self.fan_id,
            "conversationId": self.conversation_id,
            "generationType": generation_type,
            **more,
        }

    def says(self, text: str, **more: Any) -> dict[str, Any]:
        """The body that stores a message of the fan's."""
        known = {"creatorId": self.creator_id, "id": new_id().hex, "from": "fan", "text": text}
        return known | more

    @property
    def messages(self) -> str:
        """The path of the conversation's messages."""
        return f"/api/conversations/{self.conversation_id}/messages"


async def conversation(
    caller: SignedIn,
    *,
    creator: str = "mia",
    fan: str = "tom88",
    said: Sequence[str] = ("Hey, how are you?",),
    value_minor: int = 1200,
    disclosed: bool = True,
    channel: str = "simulator",
    mode: str = "auto",
) -> Talk:
    """A conversation in which the fan has said something; the creator is made if need be."""
    creator_id = await _creator_id(caller, creator)
    made = await caller.made(
        "/api/fans",
        {
            "creatorId": creator_id,
            "handle": fan,
            "displayName": fan.title(),
            "lifetimeValueMinor": value_minor,
        },
    )
    fan_id = made["id"]
    if disclosed:
        await caller.made(f"/api/fans/{fan_id}/disclosure", {"creatorId": creator_id})
    opened = await caller.made(
        "/api/conversations",
        {"creatorId": creator_id, "fanId": fan_id, "channel": channel, "mode": mode},
    )
    talk = Talk(creator_id, creator, fan_id, opened["id"])
    for text in said:
        await caller.made(talk.messages, talk.says(text))
    return talk


async def _creator_id(caller: SignedIn, handle: str) -> str:
    body = {"handle": handle, "displayName": handle.title()}
    response = await caller.post("/api/creators", body)
    if response.status_code == 201:
        made = str(response.json()["id"])
        # Whoever tests what leaves by itself tests other rules than that there is a guarantee.
        await give_guarantee(caller.app, made)
        return made
    creators = (await caller.found("/api/creators", limit=200))["items"]
    return next(str(one["id"]) for one in creators if one["handle"] == handle)


async def set_flag(admin: SignedIn, name: str, value: Any, creator_id: str | None = None) -> None:
    """Override a flag; the value None takes the override away."""
    body = {"creatorId": creator_id, "name": name, "value": value, "reason": "for this test"}
    await admin.made("/api/flags", body)


async def jobs(app: RunningApp, name: str) -> list[dict[str, Any]]:
    """Jobs of one name, oldest first."""
    statement = "SELECT * FROM procrastinate_jobs WHERE task_name = %(name)s ORDER BY id"
    return await rows(app, statement, name=name)


async def rows(app: RunningApp, statement: str, **params: Any) -> list[dict[str, Any]]:
    """What is in the database, row by row, asked as the owner of the tables."""
    async with app.parts.pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE NONE")
        cursor = await connection.execute(statement, params)
        if cursor.description is None:
            return []
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


async def counters(app: RunningApp) -> Mapping[tuple[str, str], int]:
    """What is used of each limit, by kind and subject."""
    found = await rows(app, "SELECT kind, subject, used FROM limit_counters")
    return {(row["kind"], row["subject"]): row["used"] for row in found if row["used"]}


def own_details(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An audit entry's details without the name of the request that it came from."""
    return {name: value for name, value in entry["details"].items() if name != "request_id"}
