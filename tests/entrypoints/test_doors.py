"""Every route with every role, with a stranger to the creator, and with nobody.

Routes come from the OpenAPI document and the console's routers, what they take from the same
places, and what is expected from `vaultcrm.entrypoints.doors`. A route that is missing there fails
the first test; one whose workflow disagrees with it, or that lets a stranger in, the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from tests.entrypoints.web.browser import Browser, sign_in_path
from tests.support.app import RunningApp
from tests.support.fixtures import app
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.alerts import creator_subject
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role, TokenScope
from vaultcrm.entrypoints import doors
from vaultcrm.entrypoints.doors import Door
from vaultcrm.entrypoints.web import console
from vaultcrm.entrypoints.web.frame.sessions import COOKIE, csrf_of
from vaultcrm.workflows.manage_people import add_token_for_user

__all__ = ["app"]

pytestmark = pytest.mark.anyio

MINE, THEIRS = "theo", "mia"
SECRETS = ("Mia", "Tom88", "a word between the two of us", "mia-only")
"""What only those who act for Mia may read."""
UNTRIED = frozenset({"GET /live"})
"""Answers for as long as somebody listens; who is let in is decided as on every other page."""

Ids = Mapping[str, str]


def api_routes(app: RunningApp) -> set[str]:
    """Those of the document, and those that it leaves out."""
    documented = {
        f"{method.upper()} {path}"
        for path, methods in app.app.openapi()["paths"].items()
        for method in methods
    }
    included = (getattr(each, "original_router", None) for each in app.app.routes)
    return documented | {
        f"{method} {route.path}"
        for router in included
        if router is not None
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


def console_routes() -> dict[str, APIRoute]:
    return {
        f"{method} {route.path}": route
        for router in console.ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


async def test_every_route_has_a_door_and_every_door_a_route(app: RunningApp) -> None:
    routes = api_routes(app) | set(console_routes())

    assert routes ^ (set(doors.API) | set(doors.CONSOLE) | doors.OPEN) == set()
    assert set(doors.OPEN).isdisjoint(set(doors.API) | set(doors.CONSOLE))
    assert all(isinstance(door.scope, TokenScope) for door in doors.API.values())


@cache
def pages() -> dict[str, Any]:
    """The console's routes as a document, which the product itself does not publish."""
    known = FastAPI()
    for router in console.ROUTERS:
        known.include_router(router)
    return known.openapi()


@dataclass
class Asked:
    """One request that is well-formed and names things of one creator."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None


class Requests:
    """Requests made from an OpenAPI document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def ask(self, name: str, ids: Ids) -> Asked:
        """A request that holds what it must, and a creator wherever it may name one."""
        method, path = name.split(" ")
        operation = self.document["paths"][path][method.lower()]
        query = {
            each["name"]: self._value(each["name"], each["schema"], ids)
            for each in operation.get("parameters", [])
            if each["in"] == "query" and (each.get("required") or each["name"] in NAMING)
        }
        if method == "GET":
            query |= MORE.get(name, {})
        asked = Asked(method, filled(path, ids), query)
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if "schema" in content and content["schema"].get("type") != "string":
                asked.body = self._value("", content["schema"], ids)
        if isinstance(asked.body, dict):
            asked.body |= MORE.get(name, {})
        return asked

    def _value(self, name: str, schema: dict[str, Any], ids: Ids) -> Any:
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        if name in ids and schema.get("type") != "array":
            return ids[name]
        for choice in schema.get("anyOf", schema.get("oneOf", schema.get("allOf", []))):
            if choice.get("type") != "null":
                return self._value(name, choice, ids)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        match schema.get("type"):
            case "object":
                wanted = {*schema.get("required", ()), *NAMING}
                return {
                    key: self._value(key, each, ids)
                    for key, each in schema.get("properties", {}).items()
                    if key in wanted
                }
            case "array":
                return [self._value(name, schema["items"], ids)]
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
        if schema.get("format") == "date-time":
            return "2030-01-01T00:00:00Z"
        return f"a {name} {new_id().hex}"[: schema.get("maxLength", 60)]


NAMING = frozenset({"creatorId", "creator", "creator_id", "subject"})
"""What a request may say beyond what it must."""

MORE: Mapping[str, dict[str, Any]] = {
    "POST /api/ai/queue/snooze": {"until": None},
    "POST /api/ai/ab-tests": {
        "variants": [{"name": name, "kind": "model", "reference": f"model-{name}"} for name in "ab"]
    },
    "POST /api/event-endpoints": {"url": "http://127.0.0.1:9/more"},
    "POST /api/budgets": {"scope": "creator"},
    "POST /budgets": {"amount": "5", "reason": "why"},
    "POST /api/flags": {"name": "AI_AUTO_SEND_THRESHOLD", "value": 90},
    "PUT /api/disclosure": {"language": "en", "version": 0, "text": "AI helps {creator} to write."},
    "GET /channels/new": {"kind": "telegram"},
    "POST /channels/new": {
        "kind": "telegram",
        "botToken": "123456789:AAtHe-token-of-a-bot-that-nobody-has",
    },
}
"""What cannot be told from a schema."""

SPENT = frozenset(
    {
        "POST /account/sessions/{session_id}",
        "POST /account/tokens/{token_id}/revoke",
        "POST /team/programs/{token_id}/revoke",
        "POST /conversations/{conversation_id}/undo",
        "POST /personalities/{creator_id}/roll-back",
        "POST /api/channels/{channel}/remove",
    }
)
"""What these name is nobody's, or is gone once somebody has sent it: 404 says nothing of roles."""


def filled(path: str, ids: Ids) -> str:
    """The path with ids in the place of its parameters."""
    return "/".join(ids[part[1:-1]] if part.startswith("{") else part for part in path.split("/"))


async def world(app: RunningApp) -> dict[str, str]:
    """Everything that Mia has, by the names that routes give it, and an admin for everybody."""
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada, creator=THEIRS, said=[SECRETS[2]])
    await conversation(ada, creator=MINE, fan="ann")
    mia = {"creatorId": talk.creator_id}
    draft = await ada.made("/api/ai/generate", talk.asks("welcome"))
    template = await ada.made(
        "/api/templates",
        {**mia, "name": "hello", "category": "welcome", "templateText": "Welcome, {fan_name}!"},
    )
    rule = await ada.made(
        "/api/content-rules",
        {**mia, "kind": "phrase", "text": "pineapple", "category": "spam", "reason": "try"},
    )
    said = {**mia, "text": "Hello there"}
    await ada.made(f"/api/conversations/{talk.conversation_id}/send", said)
    [item] = (await ada.found("/api/deliveries", **mia))["items"]
    [message] = await rows(
        app,
        """INSERT INTO message_outcomes (creator_id, id, conversation_id, fan_id, author, tier,
               sent_at, settled_at, replied, purchased, revenue_minor, refunded_minor,
               currencies_differ, updated_at)
           VALUES (%(creator)s, gen_random_uuid(), %(conversation)s, %(fan)s, 'chatter', 'low',
                   now(), now(), false, false, 0, 0, false, now()) RETURNING id""",
        creator=talk.creator_id,
        conversation=talk.conversation_id,
        fan=talk.fan_id,
    )
    endpoint = await ada.made(
        "/api/event-endpoints",
        {**mia, "url": "http://127.0.0.1:9/mia-only", "kinds": ["alert.raised"]},
    )
    delivery = await ada.made(f"/api/event-endpoints/{endpoint['id']}/test", {})
    [alert] = await rows(
        app,
        """INSERT INTO alerts (id, kind, subject, severity, message, details, raised_at)
           VALUES (gen_random_uuid(), 'message_uncertain', %(subject)s, 'warning', 'mia-only',
                   '{}',
                   now()) RETURNING id""",
        subject=creator_subject(UUID(talk.creator_id)),
    )
    test = await ada.made(
        "/api/ai/ab-tests",
        {
            **mia,
            "testName": "which",
            "variants": [
                {"name": name, "kind": "model", "reference": "claude-sonnet-5-5"} for name in "ab"
            ],
        },
    )
    [proposal] = await rows(
        app,
        """INSERT INTO personality_proposals (creator_id, id, week, base_version, fields, evidence,
                                              status, created_at)
           VALUES (%(creator)s, gen_random_uuid(), '2026-11-09Z', 0, '{"system_prompt": "Ask."}',
                   '{"findings": [], "messages": 0, "tested": 0}', 'proposed', now())
           RETURNING id""",
        creator=talk.creator_id,
    )
    ids = {
        "creator": talk.creator_id,
        "fan": talk.fan_id,
        "conversation": talk.conversation_id,
        "generation": draft["generationId"],
        "template": template["id"],
        "rule": rule["id"],
        "test": test["id"],
        "proposal": str(proposal["id"]),
        "item": item["id"],
        "message": str(message["id"]),
        "user": str(ada.user_id),
        "session": str(new_id()),
        "token": str(new_id()),
        "alert": str(alert["id"]),
        "endpoint": endpoint["id"],
        "delivery": delivery["id"],
    }
    named = {f"{name}_id": value for name, value in ids.items()}
    camel = {f"{name}Id": value for name, value in ids.items()}
    words = {
        "channel": "simulator",
        "name": "AI_ROLLOUT_STAGE",
        "subject": talk.creator_id,
        "creator": talk.creator_id,
        "fan": talk.fan_id,
    }
    return {**named, **camel, **words}


class Caller:
    """Somebody with a role, at the API with a token and, but for a program, in the console."""

    def __init__(self, app: RunningApp, api: SignedIn, role: Role, browser: Browser | None) -> None:
        self.app = app
        self.api = api
        self.role = role
        self.browser = browser

    async def ask(self, asked: Asked) -> httpx2.Response:
        if asked.path.startswith("/api/"):
            return await self.app.client.request(
                asked.method,
                asked.path,
                params=asked.query,
                json=asked.body,
                headers=self.api.headers,
            )
        assert self.browser is not None
        client = self.browser.client
        if asked.method == "GET":
            return await client.get(asked.path, params=asked.query)
        csrf = csrf_of(self.app.parts, client.cookies[COOKIE])
        sent = {**(asked.body or {}), "csrf": csrf}
        return await client.post(asked.path, params=asked.query, data=sent)


async def callers(app: RunningApp, handle: str) -> dict[Role, Caller]:
    """Somebody of each role who acts for this creator alone."""
    found = {}
    for role in Role:
        name = f"{role.value}-of-{handle}"
        named = None if role is Role.SERVICE else [handle]
        api = await sign_in(app, role, creators=named, name=name)
        browser = None
        if role is Role.SERVICE:
            await rows(app, CONFINED, id=api.user_id, handle=handle)
        else:
            browser = Browser(app, raises=False)
            await browser.open(await sign_in_path(app, name))
        found[role] = Caller(app, api, role, browser)
    return found


CONFINED = """
    WITH confined AS (UPDATE users SET all_creators = false WHERE id = %(id)s)
    INSERT INTO creator_assignments (user_id, creator_id, created_at)
    SELECT %(id)s, id, now() FROM creators WHERE handle = %(handle)s
"""
"""A program for one creator, which no command makes yet: what it may do is decided all the same."""

SIGNED_OUT = "POST /sign-out"


async def requests(app: RunningApp) -> tuple[dict[str, tuple[Door, Asked]], Ids]:
    """A request of each route that names Mia's things, wherever it can."""
    ids = await world(app)
    api, web = Requests(app.app.openapi()), Requests(pages())
    asked = {name: (door, api.ask(name, ids)) for name, door in doors.API.items()}
    asked |= {
        name: (door, web.ask(name, ids))
        for name, door in doors.CONSOLE.items()
        if name not in UNTRIED and name != SIGNED_OUT
    }
    return asked, ids


async def test_no_role_comes_through_a_door_that_is_not_for_it_and_each_through_its_own(
    app: RunningApp,
) -> None:
    asked, _ = await requests(app)
    people = await callers(app, THEIRS)
    wrong = []
    for name in [name for name, (door, _) in asked.items() if door.whole]:
        _, request = asked.pop(name)
        for role, caller in people.items():
            if role is not Role.SERVICE and (await caller.ask(request)).status_code != 403:
                wrong.append(f"{name} is open to a {role.value} for some creators")
        await rows(app, "UPDATE users SET all_creators = true WHERE role = 'admin'")
        if not lets_in(name, (await people[Role.ADMIN].ask(request)).status_code):
            wrong.append(f"{name} is closed to an admin for every creator")
        await rows(app, "UPDATE users SET all_creators = false WHERE role = 'admin'")
    for closed in (True, False):
        for name, (door, request) in asked.items():
            for role, caller in people.items():
                if (role in door.roles) is closed or (not door.scope and role is Role.SERVICE):
                    continue
                status = (await caller.ask(request)).status_code
                if not (status == 403 if closed else lets_in(name, status)):
                    wrong.append(f"{name} answers {status} to a {role.value}")
    assert wrong == []


def lets_in(name: str, status: int) -> bool:
    """Whether somebody came through the door, whatever became of what they wanted there."""
    return status < 500 and status not in {401, 403, *(() if name in SPENT else (404,))}


async def test_a_stranger_to_a_creator_finds_nothing_of_theirs_at_any_door(
    app: RunningApp,
) -> None:
    asked, _ = await requests(app)
    people = await callers(app, MINE)
    wrong = []
    for name, (door, request) in asked.items():
        for role, caller in people.items():
            if role not in door.roles or (not door.scope and role is Role.SERVICE):
                continue
            answer = await caller.ask(request)
            if door.names and answer.status_code != 404:
                wrong.append(f"{name} answers {answer.status_code} to a {role.value}")
            if answer.status_code >= 500 or any(told in answer.text for told in SECRETS):
                wrong.append(f"{name} tells a {role.value} of what is not theirs")
    assert wrong == []


async def test_nobody_who_is_not_signed_in_comes_through_any_door(app: RunningApp) -> None:
    asked, _ = await requests(app)
    wrong = []
    for name, (door, request) in asked.items():
        answer = await app.client.request(
            request.method,
            request.path,
            params=request.query,
            **({"json": request.body} if door.scope else {"data": request.body}),
        )
        sent_away = answer.headers.get("location", "").startswith("/sign-in")
        if not (answer.status_code == 401 if door.scope else sent_away):
            wrong.append(f"{name} answers {answer.status_code} to nobody")
    assert wrong == []


async def test_a_token_opens_the_doors_of_its_scopes_and_no_others(app: RunningApp) -> None:
    asked, _ = await requests(app)
    admin = await sign_in(app, Role.ADMIN, name="Root")
    wrong = []
    for scope in TokenScope:
        token = await add_token_for_user(
            app.parts.pool, "root@example.com", app.parts.now(), scopes=[scope]
        )
        caller = Caller(app, SignedIn(app, admin.user_id, token), Role.ADMIN, None)
        for name in doors.API:
            door, request = asked[name]
            if door.scope is not scope:
                answer = await caller.ask(request)
                if answer.status_code != 403 or scope.value not in answer.json()["detail"]:
                    wrong.append(f"{name} answers {answer.status_code} to {scope.value}")
    assert wrong == []
