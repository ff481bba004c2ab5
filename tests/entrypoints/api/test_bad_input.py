"""Whatever a caller sends, they are told which field is wrong and why, and never that we broke."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.support.accounts import ACCOUNTS
from tests.support.app import RunningApp
from tests.support.world import SignedIn, Talk, conversation, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
Body = dict[str, Any]


def good_bodies(
    talk: Talk,
    *,
    generation_id: str,
    endpoint_id: str,
    ab_test_id: str,
    item_id: str,
    template_id: str,
    proposal_id: str,
    seen: str = "2026-11-01T10:00:00Z",
    channel: str = "telegram",
) -> dict[str, Body]:
    """For each operation that takes a body, one that it would take, when asked in this order.

    `item_id` is a message that failed, `seen` when the template was last changed.
    """
    mine = {"creatorId": talk.creator_id}
    at = f"/api/conversations/{talk.conversation_id}"
    return {
        "/api/ai/generate": talk.asks(chatterId=None),
        "/api/ai/queue/claim": {"generationId": generation_id, "split": "other"},
        "/api/ai/queue/release": {"generationId": generation_id},
        "/api/ai/queue/snooze": {
            "generationId": generation_id,
            "until": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        },
        "/api/ai/approve": {
            "generationId": generation_id, "action": "modify", "modifiedMessage": "Hello!",
            "modifiedPrice": 5, "mediaIds": ["m-1"], "reason": "it is better",
            "rejectReason": "other", "sendAnyway": False,
        },
        "/api/ai/feedback": {
            "generationId": generation_id, "replied": True, "purchased": True, "revenue": 5,
            "timeToReply": 5,
        },
        "/api/ai/undo": {"generationId": generation_id},
        "/api/ai/queue/decide": {
            "decisions": [{"generationId": generation_id, "action": "reject"}],
        },
        "/api/ai/personality": {
            **mine, "personalityType": "calm", "toneDescriptors": ["warm"],
            "forbiddenWords": ["darling"], "preferredPhrases": ["hey you"],
            "emojiStyle": "rare", "systemPrompt": "Speak softly.",
        },
        "/api/ai/ab-tests": {
            **mine, "testName": "voices", "variants": variants("0", "0"),
        },
        f"/api/ai/ab-tests/{ab_test_id}/status": {**mine, "status": "running"},
        "/api/creators": {
            "handle": "theo", "displayName": "Theo", "language": "en", "region": "US",
        },
        "/api/fans": {
            **mine, "handle": "ann", "displayName": "Ann", "lifetimeValueMinor": 5,
            "currency": "USD", "notes": "likes lakes",
        },
        f"/api/fans/{talk.fan_id}/disclosure": {**mine, "shownAt": "2026-11-01T10:00:00Z"},
        "/api/conversations": {
            **mine, "fanId": talk.fan_id, "channel": "simulator", "externalRef": "second",
            "mode": "auto",
        },
        f"{at}/mode": {**mine, "mode": "auto"},
        f"{at}/care": {**mine, "care": None, "reason": "talked to him"},
        f"{at}/messages": {
            **mine, "id": "m-1", "from": "fan", "text": "Hello", "sentAt": "2026-11-01T10:00:00Z",
        },
        f"{at}/disclosure": mine,
        f"{at}/send": {
            **mine, "text": "Hi Tom.", "priceMinor": 500, "currency": "USD", "mediaIds": ["m-1"],
            "seenMessageId": None,
        },
        f"/api/deliveries/{item_id}": {**mine, "resolution": "send_again"},
        "/api/channels": {
            **mine, "channel": "telegram", "settings": ACCOUNTS["telegram"],
            "sendDelaySeconds": 5,
        },
        f"/api/channels/{channel}/pause": mine,
        f"/api/channels/{channel}/resume": mine,
        f"/api/channels/{channel}/remove": mine,
        "/api/templates": {
            **mine, "name": "hello", "category": "reply", "language": "en",
            "templateText": "Hello {fan_name}", "priceMinor": 500,
        },
        f"/api/templates/{template_id}": {
            **mine, "name": "hi", "category": "reply", "language": "en",
            "templateText": "Hi {fan_name}", "priceMinor": 500, "seen": seen,
        },
        f"/api/templates/{template_id}/archive": mine,
        f"/api/templates/{template_id}/restore": mine,
        "/api/event-endpoints": {
            **mine, "url": "https://hooks.example/x", "kinds": ["message.sent"],
            "includeText": False,
        },
        f"/api/event-endpoints/{endpoint_id}/disable": {"reason": "it has moved"},
        "/api/flags": {
            "creatorId": talk.creator_id, "name": "AI_ROLLOUT_STAGE", "value": 3, "reason": "try",
        },
        "/api/content-rules": {
            **mine, "kind": "phrase", "text": "otterfans", "category": "off_platform_contact",
            "tier": "block", "scopes": ["draft"], "reason": "A rival.",
        },
        "/api/content-rules/test": {**mine, "text": "Hello", "scope": "draft"},
        f"/api/fans/{talk.fan_id}/cooling-off": {**mine, "hours": 5, "reason": "spends much"},
        f"/api/fans/{talk.fan_id}/cooling-off/end": {**mine, "reason": "talked to him"},
        f"/api/fans/{talk.fan_id}/caps/lift": {**mine, "hours": 5, "reason": "his birthday"},
        f"/api/fans/{talk.fan_id}/caps/restore": {**mine, "reason": "it is over"},
        "/api/budgets": {
            **mine, "scope": "creator", "period": "day", "unit": "usd", "amount": 5,
            "reason": "as agreed",
        },
        f"/api/ai/generations/{generation_id}/complaint": {"complaint": False},
        f"/api/ai/learning/proposals/{proposal_id}/dismiss": {"reason": "not her"},
        # The fan is gone after this one.
        f"/api/fans/{talk.fan_id}/erasure": {**mine, "handle": "tom88", "reason": "asked for it"},
    }  # fmt: skip


def variants(*versions: str) -> list[Body]:
    """Variants of a test that compares versions of a personality."""
    return [
        {"name": f"v{place}", "weight": 1, "kind": "personality", "reference": version}
        for place, version in enumerate(versions)
    ]


class Lab:
    """A signed-in admin and a good body for each operation."""

    def __init__(self, admin: SignedIn, talk: Talk, bodies: dict[str, Body]) -> None:
        self.admin = admin
        self.talk = talk
        self.bodies = bodies

    async def send(self, path: str, content: bytes, **headers: str) -> httpx2.Response:
        sent = {**self.admin.headers, "Content-Type": "application/json", **headers}
        return await self.admin.app.client.post(path, content=content, headers=sent)

    async def refused(self, path: str, body: Any) -> list[str]:
        """The fields at fault in a body that must be refused."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await self.send(path, content)
        return fields_at_fault(response, f"{path} with {content[:200]!r}")


def fields_at_fault(response: httpx2.Response, what: str) -> list[str]:
    assert response.status_code == 422, f"{what}: {response.status_code} {response.text[:300]}"
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "/problems/invalid-input"
    assert all(error["reason"] for error in problem["errors"])
    return [error["field"] for error in problem["errors"]]


@pytest.fixture
async def lab(app: RunningApp) -> Lab:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    draft = await admin.made("/api/ai/generate", talk.asks())
    hook = {"url": "https://hooks.example/x", "kinds": ["message.sent"]}
    endpoint = await admin.made("/api/event-endpoints", hook)
    ab_test = {"creatorId": talk.creator_id, "testName": "first", "variants": variants("0", "0")}
    added = await admin.made("/api/ai/ab-tests", ab_test)
    own = {"creatorId": talk.creator_id, "text": "Hi!"}
    other = await conversation(admin, fan="bea")
    sent = await admin.made(f"/api/conversations/{other.conversation_id}/send", own)
    await rows(app, "UPDATE outbox SET delivery_status = 'failed'")
    template = {"creatorId": talk.creator_id, "category": "reply", "templateText": "Hi"}
    written = await admin.made("/api/templates", {**template, "name": "hi there"})
    [proposal] = await rows(
        app,
        """INSERT INTO personality_proposals (creator_id, id, week, base_version, fields, evidence,
                                              status, created_at)
           VALUES (%(creator)s, gen_random_uuid(), '2026-11-09Z', 0, '{"system_prompt": "Ask."}',
                   '{"findings": [], "messages": 0, "tested": 0}', 'proposed', now())
           RETURNING id""",
        creator=talk.creator_id,
    )
    bodies = good_bodies(
        talk,
        generation_id=draft["generationId"],
        endpoint_id=endpoint["id"],
        ab_test_id=added["id"],
        item_id=sent["messageId"],
        template_id=written["id"],
        proposal_id=str(proposal["id"]),
        seen=written["updatedAt"],
    )
    return Lab(admin, talk, bodies)


def test_every_operation_that_takes_a_body_is_tried_here() -> None:
    from vaultcrm.entrypoints.asgi import create_app

    talk = Talk("{creator_id}", "mia", "{fan_id}", "{conversation_id}")
    paths: dict[str, Any] = create_app().openapi()["paths"]
    taking = {
        path
        for path, methods in paths.items()
        if "application/json"
        in methods.get("post", {}).get("requestBody", {"content": {}})["content"]
    }
    tried = good_bodies(
        talk,
        generation_id="{generation_id}",
        endpoint_id="{endpoint_id}",
        ab_test_id="{test_id}",
        item_id="{item_id}",
        template_id="{template_id}",
        proposal_id="{proposal_id}",
        channel="{channel}",
    )
    assert taking == tried.keys()


async def test_the_bodies_that_the_other_tests_spoil_are_good(lab: Lab) -> None:
    for path, body in lab.bodies.items():
        response = await lab.admin.post(path, body)
        assert response.is_success, f"{path}: {response.text}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "missing"),
        (b"{", "JSON"),
        (b'{"a": 1,}', "JSON"),
        (b"\xff\xfe\xfa", "JSON"),
        (b'{"text": "\xe9"}', "JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "JSON"),
        (b"[" * 50_000, "JSON"),
        (b'"text"', "object"),
        (b"[]", "object"),
        (b"17", "object"),
        (b"true", "object"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(
    lab: Lab, content: bytes, said: str
) -> None:
    for path in lab.bodies:
        response = await lab.send(path, content)
        assert fields_at_fault(response, path) == ["body"]
        assert said in response.json()["errors"][0]["reason"]


async def test_null_is_no_body(lab: Lab) -> None:
    for path in lab.bodies:
        assert await lab.refused(path, None) == ["body"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_does_not_say_that_it_is_json_is_refused(
    lab: Lab, content_type: str
) -> None:
    for path, body in lab.bodies.items():
        content = json.dumps(body).encode()
        response = await lab.send(path, content, **{"Content-Type": content_type})
        assert fields_at_fault(response, path) == ["body"]
        assert "application/json" in response.json()["errors"][0]["reason"]


async def test_a_field_that_nobody_knows_is_an_error_and_not_a_silence(lab: Lab) -> None:
    for path, body in lab.bodies.items():
        assert await lab.refused(path, {**body, "modifedMessage": "x"}) == ["modifedMessage"]


async def test_the_name_of_an_unknown_field_is_answered_whatever_it_holds(lab: Lab) -> None:
    for path, body in lab.bodies.items():
        halves = json.dumps(body)[:-1].encode() + b', "\\ud800": 1}'
        assert await lab.refused(path, halves) == ["body"]
        [long] = await lab.refused(path, {**body, "x" * 100_000: 1})
        assert len(long) < 1000


def fields(lab: Lab) -> Iterator[tuple[str, Body, str]]:
    for path, body in lab.bodies.items():
        for name in body:
            yield path, body, name


WRONG_FOR_ALL: list[Any] = [{}, [1, {"a": 2}], {"a": [1]}]


async def test_a_value_of_the_wrong_kind_is_refused_with_the_name_of_its_field(lab: Lab) -> None:
    for path, body, name in fields(lab):
        for wrong in WRONG_FOR_ALL:
            if wrong == [] and isinstance(body[name], list):
                continue
            found = await lab.refused(path, {**body, name: wrong})
            assert found, f"{path} {name}"
            assert all(field.split(".")[0] == name for field in found), f"{path} {name}: {found}"


async def test_a_text_that_cannot_be_stored_is_refused(lab: Lab) -> None:
    """PostgreSQL takes no NUL, and half of a surrogate pair is no character."""
    for path, body, name in fields(lab):
        if not isinstance(body[name], str | list):
            continue
        for written in (b'"a\\u0000b"', b'"\\ud800"', b'"\\udfff x"'):
            value = b"[" + written + b"]" if isinstance(body[name], list) else written
            found = await lab.refused(path, _with_raw(body, name, value))
            assert all(field.split(".")[0] == name for field in found), f"{path} {name}: {found}"


async def test_a_flags_text_that_cannot_be_stored_is_refused(lab: Lab) -> None:
    body = {"name": "AI_ROLLOUT_CREATOR", "value": "mia", "reason": "try"}
    for written in (b'"a\\u0000b"', b'"\\ud800"'):
        found = await lab.refused("/api/flags", _with_raw(body, "value", written))
        assert found[0].startswith("value")


@pytest.mark.parametrize("written", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 4000])
async def test_a_number_that_is_none_is_refused(lab: Lab, written: bytes) -> None:
    for path, body, name in fields(lab):
        if (path, name) == ("/api/flags", "value") or isinstance(body[name], bool):
            continue
        found = await lab.refused(path, _with_raw(body, name, written))
        assert all(field.split(".")[0] == name for field in found), f"{path} {name}: {found}"


@pytest.mark.parametrize("written", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1", b"true"])
async def test_a_flag_takes_no_number_that_is_none(lab: Lab, written: bytes) -> None:
    for name in ("AI_PPV_APPROVAL_THRESHOLD", "AI_RATE_LIMIT_PER_HOUR", "AI_AUTO_SEND_THRESHOLD"):
        body = {"name": name, "value": 1, "reason": "try"}
        found = await lab.refused("/api/flags", _with_raw(body, "value", written))
        assert found[0].startswith("value")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AI_ROLLOUT_STAGE", 0),
        ("AI_ROLLOUT_STAGE", 5),
        ("AI_AUTO_SEND_THRESHOLD", 101),
        ("AI_MAX_TOKENS_PER_MESSAGE", 511),
        ("AI_MAX_TOKENS_PER_MESSAGE", 1025),
        ("ENABLE_AI_CHAT", "perhaps"),
        ("ANTHROPIC_API_KEY", "stolen"),
        ("AI_ROLLOUT_STAGE", "x" * 20_000),
    ],
)
async def test_a_flag_keeps_to_its_bounds_and_secrets_are_no_flags(
    lab: Lab, name: str, value: Any
) -> None:
    found = await lab.refused("/api/flags", {"name": name, "value": value, "reason": "try"})
    assert found[0].split(".")[0] in {"name", "value"}
    assert await rows(lab.admin.app, "SELECT * FROM flag_overrides") == []


async def test_what_holds_for_all_cannot_be_set_for_one_creator(lab: Lab) -> None:
    body = {"creatorId": lab.talk.creator_id, "name": "AI_MAX_TOKENS_PER_DAY", "value": 5}
    assert await lab.refused("/api/flags", {**body, "reason": "try"}) == ["creatorId"]


def _with_raw(body: Body, name: str, written: bytes) -> bytes:
    """The body as JSON, with one value written as it is given, which need not be JSON."""
    mark = json.dumps("<here>").encode()
    return json.dumps({**body, name: "<here>"}).encode().replace(mark, written)


async def test_texts_are_refused_that_are_empty_blank_or_too_long(lab: Lab) -> None:
    must_say_something = {
        "handle", "displayName", "name", "text", "templateText", "modifiedMessage", "id",
        "channel", "externalRef", "personalityType", "testName",
    }  # fmt: skip
    for path, body, name in fields(lab):
        if not isinstance(body[name], str):
            continue
        wrong = ["x" * 100_000]
        if name in must_say_something or (path.endswith(("care", "flags")) and name == "reason"):
            wrong += ["", "   ", "\n\t"]
        for text in wrong:
            assert await lab.refused(path, {**body, name: text}) == [name], f"{path} {name}"


async def test_lists_of_texts_are_refused_that_are_too_long(lab: Lab) -> None:
    path = "/api/ai/personality"
    for name in ("toneDescriptors", "forbiddenWords", "preferredPhrases"):
        for wrong in ([""], ["x" * 100_000], [f"w{i}" for i in range(2000)]):
            found = await lab.refused(path, {"creatorId": lab.talk.creator_id, name: wrong})
            assert all(field.split(".")[0] == name for field in found)


async def test_a_line_is_one_line(lab: Lab) -> None:
    for name in ("handle", "displayName"):
        for text in ("a\nb", "a\x1b[31mb", "a\x7fb"):
            body = {**lab.bodies["/api/creators"], name: text}
            assert await lab.refused("/api/creators", body) == [name]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("generationType", "poem"),
        ("action", "approved"),
        ("mode", "AUTO"),
        ("care", "sad"),
        ("from", "chatter"),
        ("category", "poem"),
        ("emojiStyle", "many"),
        ("currency", "usd"),
        ("currency", "DOLLAR"),
        ("language", "English"),
        ("region", "us"),
        ("lifetimeValueMinor", -1),
        ("lifetimeValueMinor", 10**15),
        ("lifetimeValueMinor", 1.5),
        ("priceMinor", -1),
        ("revenue", -1),
        ("timeToReply", -1),
        ("modifiedPrice", -1),
        ("rejectReason", "ugly"),
        ("split", "urgent"),
        ("until", "tomorrow"),
        ("until", "2026-11-01T10:00:00"),
        ("decisions", []),
        ("mediaIds", ["m"] * 21),
        ("resolution", "lost"),
        ("sendDelaySeconds", -1),
        ("sendDelaySeconds", 3601),
        ("seenMessageId", "the last one"),
        ("modifiedPrice", 10**9),
        ("sentAt", "yesterday"),
        ("sentAt", "2026-11-01T10:00:00"),
        ("sentAt", "0001-01-01T00:00:00+14:00"),
        ("sentAt", "9999-12-31T23:59:59-14:00"),
        ("sentAt", 10**18),
        ("shownAt", "0001-01-01T00:00:00+14:00"),
        ("creatorId", "mia"),
        ("creatorId", 17),
        ("fanId", "not-a-uuid"),
        ("conversationId", ""),
        ("generationId", "{}"),
        ("chatterId", "me"),
    ],
)
async def test_a_value_out_of_range_is_refused_with_the_name_of_its_field(
    lab: Lab, name: str, wrong: Any
) -> None:
    tried = [(path, body) for path, body in lab.bodies.items() if name in body]
    assert tried
    for path, body in tried:
        assert await lab.refused(path, {**body, name: wrong}) == [name], path


async def test_a_field_that_is_needed_is_named_when_it_is_missing(lab: Lab) -> None:
    schemas = lab.admin.app.app.openapi()["components"]["schemas"]
    paths = lab.admin.app.app.openapi()["paths"]
    for path, body in lab.bodies.items():
        template = next(
            known for known in paths if _same(known, path) and "requestBody" in paths[known]["post"]
        )
        content = paths[template]["post"]["requestBody"]["content"]["application/json"]
        needed = schemas[content["schema"]["$ref"].rpartition("/")[2]].get("required", [])
        for name in needed:
            rest = {key: value for key, value in body.items() if key != name}
            assert await lab.refused(path, rest) == [name]


def _same(template: str, path: str) -> bool:
    parts, others = template.split("/"), path.split("/")
    return len(parts) == len(others) and all(
        part == other or part.startswith("{") for part, other in zip(parts, others, strict=True)
    )


async def test_an_id_that_nothing_has_is_not_found(lab: Lab) -> None:
    for path, body in lab.bodies.items():
        for name in body:
            if name not in {"creatorId", "fanId", "conversationId", "generationId"}:
                continue
            response = await lab.admin.post(path, {**body, name: NOWHERE})
            assert response.status_code == 404, f"{path} {name}: {response.text}"
            assert response.json()["type"] == "/problems/not-found"
    for path, body in lab.bodies.items():
        for known in (lab.talk.fan_id, lab.talk.conversation_id):
            if known in path:
                response = await lab.admin.post(path.replace(known, NOWHERE), body)
                assert response.status_code == 404, path


async def test_an_id_that_nothing_has_is_not_found_when_read(lab: Lab) -> None:
    for path in ("fans", "conversations", "ai/generations"):
        assert (await lab.admin.get(f"/api/{path}/{NOWHERE}")).status_code == 404
    assert (await lab.admin.get(f"/api/conversations/{NOWHERE}/messages")).status_code == 404
    for path in (
        "/api/ai/personality", "/api/ai/queue", "/api/fans", "/api/conversations",
        "/api/templates", "/api/flags", "/api/audit", "/api/ai/ab-tests", "/api/ai/metrics",
        "/api/ai/queue/claims", "/api/deliveries", "/api/channels",
    ):  # fmt: skip
        assert (await lab.admin.get(path, creatorId=NOWHERE)).status_code == 404, path
    body = {**lab.bodies["/api/conversations"], "channel": "pigeon"}
    assert (await lab.admin.post("/api/conversations", body)).status_code == 404


LISTS = (
    "/api/creators", "/api/fans", "/api/conversations", "/api/templates", "/api/ai/queue",
    "/api/audit", "/api/ai/ab-tests", "/api/alerts", "/api/deliveries",
)  # fmt: skip


def cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "wrong",
    [
        "x",
        "é",
        "%%%",
        "A" * 301,
        cursor([]),
        cursor({}),
        cursor(None),
        cursor(5),
        cursor([5]),
        cursor([float("inf")] * 3),
        cursor(["x"]),
        cursor(["x", "y"]),
        cursor(["x", "y", "z"]),
        cursor(["99999999999999999999", "2026-01-01T00:00:00+00:00", NOWHERE]),
        cursor(["1", "2026-01-01T00:00:00", NOWHERE]),
        cursor(["0001-01-01T00:00:00+14:00", NOWHERE]),
        cursor(["2026-01-01T00:00:00", NOWHERE]),
        cursor([NOWHERE, NOWHERE, NOWHERE, NOWHERE]),
    ],
)
async def test_a_cursor_that_no_page_gave_out_is_refused(lab: Lab, wrong: str) -> None:
    for path in (*LISTS, lab.talk.messages):
        response = await lab.admin.get(path, cursor=wrong)
        assert fields_at_fault(response, path) == ["cursor"]


@pytest.mark.parametrize("wrong", ["0", "-1", "201", "many", "1.5", "", "9" * 30])
async def test_a_page_has_between_one_and_two_hundred_items(lab: Lab, wrong: str) -> None:
    for path in (*LISTS, lab.talk.messages):
        response = await lab.admin.get(path, limit=wrong)
        assert fields_at_fault(response, path) == ["limit"]


async def test_an_id_in_a_path_or_a_query_that_is_none_is_refused(lab: Lab) -> None:
    for path in ("/api/fans/tom", "/api/conversations/1", "/api/conversations/%00/messages"):
        assert len(fields_at_fault(await lab.admin.get(path), path)) == 1
    for path in ("/api/fans", "/api/ai/queue", "/api/ai/personality"):
        response = await lab.admin.get(path, creatorId="mia")
        assert fields_at_fault(response, path) == ["creatorId"]
    response = await lab.admin.get("/api/ai/personality")
    assert fields_at_fault(response, "no creator") == ["creatorId"]


async def test_a_setting_of_a_channel_is_a_text_a_number_or_yes_or_no(lab: Lab) -> None:
    body = lab.bodies["/api/channels"]
    for written in (b'"a\\u0000b"', b'"\\ud800"', b"{}", b"[1]", b"null", b"NaN", b"1e999", b"1.5"):
        given = {**ACCOUNTS["telegram"], "botToken": "<here>"}
        content = json.dumps({**body, "settings": given}).encode()
        found = await lab.refused("/api/channels", content.replace(b'"<here>"', written))
        assert all(field.split(".")[0] in {"settings", "body"} for field in found), written


async def test_each_of_many_decisions_is_checked_before_any_is_made(lab: Lab) -> None:
    good = {"generationId": NOWHERE, "action": "reject"}
    path = "/api/ai/queue/decide"
    found = await lab.refused(path, {"decisions": [good, {**good, "action": "burn"}]})
    assert found == ["decisions.1.action"]
    assert await lab.refused(path, {"decisions": [good] * 101}) == ["decisions"]


async def test_a_search_of_the_queue_that_makes_no_sense_is_refused(lab: Lab) -> None:
    for name, wrong in (
        ("split", "urgent"), ("waitingMinutes", "-1"), ("waitingMinutes", "long"),
        ("unclaimed", "perhaps"), ("waitingMinutes", "9" * 30),
    ):  # fmt: skip
        response = await lab.admin.get("/api/ai/queue", **{name: wrong})
        assert fields_at_fault(response, name) == [name]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_more_than_a_megabyte_is_refused(lab: Lab, chunked: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(16):
            yield b"x" * 100_000

    webhook = "/api/webhooks/webhook/mia"
    for path in (*lab.bodies, webhook):
        content = parts() if chunked else b"x" * 1_600_000
        sent = {**lab.admin.headers, "Content-Type": "application/json"}
        response = await lab.admin.app.client.post(path, content=content, headers=sent)
        assert response.status_code == 413, f"{path}: {response.status_code}"
        assert response.headers["content-type"] == "application/problem+json"


async def test_what_the_api_does_not_have_is_answered_as_a_problem(lab: Lab) -> None:
    for method, path, status in (
        ("GET", "/api/nothing", 404),
        ("DELETE", "/api/fans", 405),
        ("GET", "/api/ai/generate", 405),
    ):
        response = await lab.admin.app.client.request(method, path, headers=lab.admin.headers)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == status
