"""Who may do what: tokens, roles, assignments, and programs that act for chatters."""

from typing import Any

import pytest

from stubs.llm import LlmStub
from tests.support.app import RunningApp
from tests.support.world import SignedIn, Talk, conversation, rows, sign_in
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

OPEN_TO_ALL = {"/healthz", "/readyz", "/api/webhooks/{channel}/{creator_handle}"}
"""Health is for load balancers, and webhooks are signed."""
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"


def operations(app: RunningApp) -> list[tuple[str, str]]:
    """Method and path, with a value in the place of each parameter, of what the API can do."""
    return [
        (method, _filled(path))
        for path, methods in app.app.openapi()["paths"].items()
        if path not in OPEN_TO_ALL
        for method in methods
    ]


def _filled(path: str) -> str:
    return "/".join(NOWHERE if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer vcrm_wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "vcrm_without_a_scheme"},
        {"Authorization": "Bearer \u00e9\u00e8"},
    ],
)
async def test_every_operation_asks_for_a_good_token(
    app: RunningApp, headers: dict[str, str]
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    asked = operations(app)
    assert len(asked) > 20
    for method, path in asked:
        # Where the token is looked at together with the rest, the rest must be well-formed.
        body = talk.asks() if path == "/api/ai/generate" else {}
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        response = await app.client.request(
            method, path, json=None if method == "get" else body, headers=encoded
        )
        assert response.status_code == 401, f"{method} {path}: {response.text}"
        assert response.json()["type"] == "/problems/unauthenticated"
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_health_needs_no_token(app: RunningApp) -> None:
    for path in ("/healthz", "/readyz"):
        response = await app.client.get(path)
        assert (response.status_code, response.json()["status"]) == (200, "ok")
    assert (await app.client.get("/api/openapi.json")).status_code == 200
    assert (await app.client.get("/api/docs")).status_code == 200


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE users SET disabled_at = now() WHERE id = %(id)s",
        "UPDATE api_tokens SET revoked_at = now() WHERE user_id = %(id)s",
        "UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE user_id = %(id)s",
    ],
)
async def test_a_token_that_was_ended_lets_nobody_in(claude: RunningApp, ending: str) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    assert (await admin.get("/api/fans")).status_code == 200
    await rows(claude, ending, id=admin.user_id)
    assert (await admin.get("/api/fans")).status_code == 401
    assert (await admin.post("/api/ai/generate", talk.asks())).status_code == 401
    assert (await admin.post("/api/ai/generate", talk.asks(), key="k")).status_code == 401


async def test_a_token_that_ends_later_is_good_until_then(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    await rows(app, "UPDATE api_tokens SET expires_at = now() + interval '1 hour'")
    assert (await admin.get("/api/fans")).status_code == 200


async def test_a_token_is_stored_as_nothing_that_would_let_one_in(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    [stored] = await rows(app, "SELECT * FROM api_tokens")
    assert admin.token not in str(stored)
    assert admin.token.encode() not in stored["token_hash"]


def reads(talk: Talk) -> list[tuple[str, dict[str, Any]]]:
    """What can be read of one creator's: paths with their query."""
    return [
        ("/api/ai/personality", {"creatorId": talk.creator_id}),
        ("/api/ai/queue", {"creatorId": talk.creator_id}),
        ("/api/ai/queue/claims", {"creatorId": talk.creator_id}),
        ("/api/deliveries", {"creatorId": talk.creator_id}),
        ("/api/channels", {"creatorId": talk.creator_id}),
        ("/api/fans", {"creatorId": talk.creator_id}),
        (f"/api/fans/{talk.fan_id}", {}),
        ("/api/conversations", {"creatorId": talk.creator_id}),
        (f"/api/conversations/{talk.conversation_id}", {}),
        (talk.messages, {}),
        ("/api/templates", {"creatorId": talk.creator_id}),
        ("/api/flags", {"creatorId": talk.creator_id}),
    ]


def writes(talk: Talk) -> list[tuple[str, dict[str, Any]]]:
    """What a chatter can change of one creator's: paths with a good body."""
    mine = {"creatorId": talk.creator_id}
    at = f"/api/conversations/{talk.conversation_id}"
    return [
        ("/api/ai/generate", talk.asks()),
        ("/api/fans", {**mine, "handle": "new", "displayName": "New"}),
        (f"/api/fans/{talk.fan_id}/disclosure", mine),
        ("/api/conversations", {**mine, "fanId": talk.fan_id, "externalRef": "second"}),
        (f"{at}/mode", {**mine, "mode": "off"}),
        (f"{at}/care", {**mine, "care": "distress", "reason": "I feel it"}),
        (talk.messages, talk.says("Hello?")),
        (f"{at}/send", {**mine, "text": "Hi Tom."}),
        (f"/api/deliveries/{NOWHERE}", {**mine, "resolution": "sent"}),
        ("/api/ai/queue/claim", mine),
    ]


async def test_what_belongs_to_a_creator_does_not_exist_for_a_chatter_who_is_not_assigned(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    other = await conversation(manager, creator="theo", fan="ann")
    stranger = await sign_in(claude, Role.CHATTER, creators=["theo"])
    draft = await manager.made("/api/ai/generate", talk.asks())

    for path, query in (*reads(talk), (f"/api/ai/generations/{draft['generationId']}", {})):
        assert (await stranger.get(path, **query)).status_code == 404, path
    for path, body in writes(talk):
        assert (await stranger.post(path, body)).status_code == 404, path
    for path, body in (
        ("/api/ai/approve", {"generationId": draft["generationId"], "action": "reject"}),
        ("/api/ai/feedback", {"generationId": draft["generationId"], "replied": True}),
        ("/api/ai/queue/claim", {"generationId": draft["generationId"]}),
        ("/api/ai/queue/release", {"generationId": draft["generationId"]}),
        ("/api/ai/queue/snooze", {"generationId": draft["generationId"], "until": None}),
        ("/api/ai/undo", {"generationId": draft["generationId"]}),
    ):
        assert (await stranger.post(path, body)).status_code == 404, path
    decisions = [{"generationId": draft["generationId"], "action": "reject"}]
    bulk = await stranger.made("/api/ai/queue/decide", {"decisions": decisions})
    unknown = await stranger.made(
        "/api/ai/queue/decide", {"decisions": [{**decisions[0], "generationId": NOWHERE}]}
    )
    assert (bulk["succeeded"], bulk["failed"]) == (0, 1)
    assert bulk["results"][0]["problem"] == unknown["results"][0]["problem"]
    assert bulk["results"][0]["generation"] is None
    assert len(llm.requests) == 1
    for path, query in reads(other):
        assert (await stranger.get(path, **query)).status_code == 200, path


async def test_the_lists_of_a_chatter_hold_what_their_creators_have_and_nothing_else(
    claude: RunningApp,
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    theo = await conversation(manager, creator="theo", fan="ann")
    await manager.made("/api/ai/generate", talk.asks())
    stranger = await sign_in(claude, Role.CHATTER, creators=[])
    assigned = await sign_in(claude, Role.CHATTER, creators=["theo"])
    for path in ("/api/creators", "/api/fans", "/api/conversations", "/api/templates"):
        assert (await stranger.found(path))["items"] == [], path
    for path in ("/api/ai/queue", "/api/ai/queue/claims", "/api/deliveries", "/api/channels"):
        assert (await stranger.found(path))["items"] == [], path
    assert [item["id"] for item in (await assigned.found("/api/fans"))["items"]] == [theo.fan_id]
    assert [item["handle"] for item in (await assigned.found("/api/creators"))["items"]] == ["theo"]


async def test_nobody_but_a_program_drafts_in_the_name_of_another(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    chatter = await sign_in(claude, Role.CHATTER)
    service = await sign_in(claude, Role.SERVICE)
    talk = await conversation(admin)
    body = talk.asks(chatterId=str(chatter.user_id))

    for key in (None, "k-1"):
        assert (await admin.post("/api/ai/generate", body, key=key)).status_code == 403
    assert llm.requests == []
    for caller in (chatter, service):
        answer = await caller.made("/api/ai/generate", body)
        assert answer["chatterId"] == str(chatter.user_id)


@pytest.mark.parametrize("chatter_id", [NOWHERE, "disabled"])
async def test_a_program_cannot_act_for_a_chatter_who_is_not_there(
    claude: RunningApp, llm: LlmStub, chatter_id: str
) -> None:
    service = await sign_in(claude, Role.SERVICE)
    talk = await conversation(service)
    if chatter_id == "disabled":
        chatter = await sign_in(claude, Role.CHATTER)
        await rows(
            claude, "UPDATE users SET disabled_at = now() WHERE id = %(id)s", id=chatter.user_id
        )
        chatter_id = str(chatter.user_id)
    response = await service.post("/api/ai/generate", talk.asks(chatterId=chatter_id))
    assert response.status_code == 404
    assert llm.requests == []


async def test_what_only_some_roles_may_do_is_refused_to_the_others(app: RunningApp) -> None:
    people = {role: await sign_in(app, role) for role in Role}
    talk = await conversation(people[Role.MANAGER])
    mine = {"creatorId": talk.creator_id}
    managing = {Role.MANAGER, Role.ADMIN, Role.SERVICE}
    flag = {"name": "AI_ROLLOUT_STAGE", "value": 3, "reason": "try it"}
    care = {**mine, "care": None, "reason": "talked to him"}

    async def allowed(path: str, body_of: Any) -> set[Role]:
        answers = {role: await caller.post(path, body_of(role)) for role, caller in people.items()}
        assert {answer.status_code for answer in answers.values()} <= {200, 201, 403}
        return {role for role, answer in answers.items() if answer.is_success}

    creators = await allowed("/api/creators", lambda role: {"handle": role, "displayName": role})
    templates = await allowed(
        "/api/templates",
        lambda role: {**mine, "name": role, "category": "reply", "templateText": "Hi"},
    )
    voices = await allowed("/api/ai/personality", lambda _: {**mine, "emojiStyle": "none"})
    relieved = await allowed(f"/api/conversations/{talk.conversation_id}/care", lambda _: care)
    assert creators == templates == voices == relieved == managing
    assert await allowed("/api/flags", lambda _: flag) == {Role.ADMIN}
    read = {role for role, caller in people.items() if (await caller.get("/api/audit")).is_success}
    assert read == {Role.MANAGER, Role.ADMIN}


async def test_only_admins_read_what_happened_to_the_whole_installation(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    manager = await sign_in(app, Role.MANAGER)
    await admin.made("/api/flags", {"name": "AI_ROLLOUT_STAGE", "value": 3, "reason": "try it"})

    async def actions(caller: SignedIn, **query: str) -> set[str]:
        return {item["action"] for item in (await caller.found("/api/audit", **query))["items"]}

    assert "flag.changed" in await actions(admin)
    assert await actions(manager) == set()
    assert (await manager.get("/api/audit", creatorId=str(NIL))).status_code == 404
