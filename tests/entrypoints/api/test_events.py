"""Admins say which systems are told of what, try them, and send again what did not arrive."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.app import RunningApp
from tests.support.receiver import Receiver, serve_receiver
from tests.support.worker import run_jobs
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

ENDPOINTS = "/api/event-endpoints"
DELIVERIES = "/api/event-deliveries"
ALL_KINDS = [
    "generation.queued", "generation.decided", "message.sent", "message.failed", "alert.raised",
    "audit.sealed",
]  # fmt: skip
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve_receiver() as served:
        yield served


@pytest.fixture
async def admin(app: RunningApp) -> SignedIn:
    return await sign_in(app, Role.ADMIN)


async def added(admin: SignedIn, receiver: Receiver, **changes: Any) -> dict[str, Any]:
    body = {"url": receiver.url, "kinds": ALL_KINDS, **changes}
    endpoint: dict[str, Any] = await admin.made(ENDPOINTS, body)
    receiver.secret = endpoint["secret"]
    return endpoint


async def dead(admin: SignedIn, receiver: Receiver) -> tuple[dict[str, Any], dict[str, Any]]:
    """An endpoint, and a ping to it that was tried in vain for the last time."""
    endpoint = await added(admin, receiver)
    receiver.answers = [500]
    delivery = await admin.made(f"{ENDPOINTS}/{endpoint['id']}/test", {})
    await rows(admin.app, "UPDATE event_deliveries SET attempts = 7")
    await run_jobs(admin.app)
    return endpoint, delivery


async def test_an_endpoint_is_added_and_its_secret_is_shown_this_once(
    admin: SignedIn, receiver: Receiver
) -> None:
    made = await added(admin, receiver)
    [shown] = (await admin.found(ENDPOINTS))["items"]

    assert made["secret"].startswith("whsec_")
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert (shown["creatorId"], shown["kinds"]) == (None, ALL_KINDS)
    assert (shown["includeText"], shown["disabledAt"]) == (False, None)
    audit = await admin.found("/api/audit")
    assert audit["items"][0]["action"] == "event_endpoint.added"
    assert made["secret"] not in str(audit)


async def test_each_endpoint_has_a_secret_of_its_own(admin: SignedIn, receiver: Receiver) -> None:
    first, second = await added(admin, receiver), await added(admin, receiver)
    assert first["secret"] != second["secret"]


async def test_a_ping_goes_the_way_of_every_event(
    app: RunningApp, admin: SignedIn, receiver: Receiver
) -> None:
    endpoint = await added(admin, receiver)
    response = await admin.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    assert response.status_code == 201
    waiting = response.json()
    await run_jobs(app)
    [delivered] = (await admin.found(DELIVERIES, status="delivered"))["items"]

    assert (waiting["status"], waiting["attempts"]) == ("pending", 0)
    assert (delivered["id"], delivered["attempts"]) == (waiting["id"], 1)
    [call] = receiver.heard
    assert (call.verified, call.id, call.event) == (True, waiting["id"], waiting["payload"])
    assert call.event["type"] == "ping"


async def test_a_dead_delivery_is_listed_with_its_error_and_sent_again_when_somebody_asks(
    app: RunningApp, admin: SignedIn, receiver: Receiver
) -> None:
    _, delivery = await dead(admin, receiver)
    [listed] = (await admin.found(DELIVERIES, status="dead"))["items"]
    receiver.answers = [200]

    revived = await admin.made(f"{DELIVERIES}/{delivery['id']}/retry", {})
    await run_jobs(app)

    assert (listed["id"], listed["lastError"]) == (delivery["id"], "It answered 500.")
    assert (revived["status"], revived["attempts"]) == ("pending", 0)
    assert (await admin.found(DELIVERIES, status="dead"))["items"] == []
    assert {call.id for call in receiver.heard} == {delivery["id"]}
    actions = [entry["action"] for entry in (await admin.found("/api/audit"))["items"]]
    assert "event_delivery.retried" in actions


async def test_only_what_is_dead_is_sent_again(
    app: RunningApp, admin: SignedIn, receiver: Receiver
) -> None:
    endpoint = await added(admin, receiver)
    delivery = await admin.made(f"{ENDPOINTS}/{endpoint['id']}/test", {})
    for status in ("pending", "delivered"):
        response = await admin.post(f"{DELIVERIES}/{delivery['id']}/retry")
        assert (response.status_code, response.json()["currentStatus"]) == (409, status)
        await run_jobs(app)
    assert len(receiver.heard) == 1


async def test_a_disabled_endpoint_hears_no_more_and_can_be_neither_tried_nor_retried(
    app: RunningApp, admin: SignedIn, receiver: Receiver
) -> None:
    endpoint, delivery = await dead(admin, receiver)
    told = len(receiver.heard)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    waiting = await admin.made(f"{path}/test", {})

    disabled = await admin.made(f"{path}/disable", {"reason": "It has moved."})
    again = await admin.made(f"{path}/disable", {"reason": "Another reason."})
    await run_jobs(app)

    assert disabled["disabledReason"] == "It has moved."
    assert again == disabled
    assert len(receiver.heard) == told
    found = {one["id"]: one for one in (await admin.found(DELIVERIES, status="dead"))["items"]}
    assert found[waiting["id"]]["lastError"] == "The endpoint is disabled: It has moved."
    for refused in (f"{path}/test", f"{DELIVERIES}/{delivery['id']}/retry"):
        response = await admin.post(refused)
        assert (response.status_code, response.json()["currentStatus"]) == (409, "disabled")
    actions = [entry["action"] for entry in (await admin.found("/api/audit"))["items"]]
    assert actions.count("event_endpoint.disabled") == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hooks.example/x", "https"),
        ("http://10.0.0.5/x", "https"),
        ("http://169.254.169.254/latest", "https"),
        ("http://127.0.0.1.hooks.example/x", "https"),
        ("http://2130706433/x", "https"),
        ("http://0.0.0.0/x", "https"),
        ("ftp://hooks.example/x", "https"),
        ("file:///etc/passwd", "https"),
        ("hooks.example/x", "https"),
        ("https://", "https"),
        ("https:///x", "https"),
        ("https://user@hooks.example/x", "user"),
        ("https://user:word@hooks.example/x", "user"),
        ("https://@hooks.example/x", "user"),
        ("http://127.0.0.1@hooks.example/x", "user"),
        ("https://hooks.example\\@127.0.0.1/x", "ASCII"),
        ("https://hooks.example/a b", "ASCII"),
        ("https://hooks.example/\u00e9", "ASCII"),
        ("https://hooks.example/x#part", "#"),
        ("https://hooks.example:99999/x", "address"),
        ("https://[::1/x", "address"),
    ],
)
async def test_an_address_to_which_events_must_not_go_is_refused(
    admin: SignedIn, url: str, said: str
) -> None:
    response = await admin.post(ENDPOINTS, {"url": url, "kinds": ["message.sent"]})
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["field"] == "url"
    assert said in error["reason"]
    assert await rows(admin.app, "SELECT 1 FROM event_endpoints") == []


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example",
        "https://hooks.example:8443/a/b?c=d",
        "HTTPS://hooks.example/x",
        "http://localhost:9000/x",
        "http://127.0.0.1/x",
        "http://127.8.9.1:1/x",
        "http://[::1]:9000/x",
    ],
)
async def test_https_anywhere_and_http_to_this_machine_are_taken(admin: SignedIn, url: str) -> None:
    made = await admin.made(ENDPOINTS, {"url": url, "kinds": ["message.sent"]})
    assert made["url"] == url


@pytest.mark.parametrize(
    "kinds", [[], ["message.lost"], ["ping"], ["message.sent", "message.sent"], "message.sent"]
)
async def test_kinds_that_cannot_be_chosen_are_refused(admin: SignedIn, kinds: Any) -> None:
    body = {"url": "https://hooks.example/x", "kinds": kinds}
    response = await admin.post(ENDPOINTS, body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].split(".")[0] == "kinds"


async def test_only_admins_manage_endpoints(app: RunningApp, admin: SignedIn) -> None:
    body = {"url": "https://hooks.example/x", "kinds": ["message.sent"]}
    made = await admin.made(ENDPOINTS, body)
    for role in (Role.CHATTER, Role.MANAGER, Role.SERVICE):
        caller = await sign_in(app, role)
        answers = [
            await caller.get(ENDPOINTS),
            await caller.get(DELIVERIES),
            await caller.post(ENDPOINTS, body),
            await caller.post(f"{ENDPOINTS}/{made['id']}/test"),
            await caller.post(f"{ENDPOINTS}/{made['id']}/disable", {"reason": "No."}),
            await caller.post(f"{DELIVERIES}/{NOWHERE}/retry"),
        ]
        assert [answer.status_code for answer in answers] == [403] * 6, role


async def test_an_admin_of_some_creators_sees_and_adds_endpoints_of_those_alone(
    app: RunningApp, admin: SignedIn, receiver: Receiver
) -> None:
    mia, theo = await conversation(admin), await conversation(admin, creator="theo")
    of_all = await added(admin, receiver)
    of_theo = await added(admin, receiver, creatorId=theo.creator_id)
    ping = await admin.made(f"{ENDPOINTS}/{of_theo['id']}/test", {})
    narrow = await sign_in(app, Role.ADMIN, creators=["mia"])

    own = await added(narrow, receiver, creatorId=mia.creator_id)
    body = {"url": receiver.url, "kinds": ["message.sent"]}
    wide = await narrow.post(ENDPOINTS, body)
    foreign = await narrow.post(ENDPOINTS, {**body, "creatorId": theo.creator_id})
    hidden = [await narrow.post(f"{ENDPOINTS}/{one['id']}/test") for one in (of_all, of_theo)] + [
        await narrow.post(f"{DELIVERIES}/{ping['id']}/retry")
    ]

    assert [one["id"] for one in (await narrow.found(ENDPOINTS))["items"]] == [own["id"]]
    assert (await narrow.found(DELIVERIES))["items"] == []
    assert (wide.status_code, foreign.status_code) == (403, 404)
    assert [answer.status_code for answer in hidden] == [404] * 3


@pytest.mark.parametrize("creator_id", [NOWHERE, str(NIL)])
async def test_an_endpoint_of_a_creator_who_is_not_there_is_refused(
    admin: SignedIn, creator_id: str
) -> None:
    body = {"creatorId": creator_id, "url": "https://hooks.example/x", "kinds": ["message.sent"]}
    assert (await admin.post(ENDPOINTS, body)).status_code == 404


async def test_what_is_not_there_is_not_found(admin: SignedIn) -> None:
    answers = [
        await admin.post(f"{ENDPOINTS}/{NOWHERE}/test"),
        await admin.post(f"{ENDPOINTS}/{NOWHERE}/disable", {"reason": "No."}),
        await admin.post(f"{DELIVERIES}/{NOWHERE}/retry"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 3


async def test_the_same_request_with_the_same_key_has_one_effect(
    app: RunningApp, admin: SignedIn, receiver: Receiver
) -> None:
    body = {"url": receiver.url, "kinds": ["message.sent"]}
    made = [(await admin.post(ENDPOINTS, body, key="one")).json() for _ in range(2)]
    test = f"{ENDPOINTS}/{made[0]['id']}/test"
    pings = [(await admin.post(test, key="two")).json() for _ in range(2)]
    other = await admin.post(ENDPOINTS, {**body, "includeText": True}, key="one")

    assert made[0] == made[1]
    assert pings[0] == pings[1]
    assert other.status_code == 422
    assert len(await rows(app, "SELECT 1 FROM event_endpoints")) == 1
    assert len(await rows(app, "SELECT 1 FROM event_deliveries")) == 1


async def test_the_pages_of_endpoints_and_deliveries_hold_every_row_once(
    app: RunningApp, admin: SignedIn, receiver: Receiver
) -> None:
    for _ in range(5):
        endpoint = await added(admin, receiver)
        await admin.made(f"{ENDPOINTS}/{endpoint['id']}/test", {})
    for path, descending in ((ENDPOINTS, False), (DELIVERIES, True)):
        found: list[str] = []
        cursor: str | None = None
        while True:
            asked = {"limit": 2, **({} if cursor is None else {"cursor": cursor})}
            page = await admin.found(path, **asked)
            found += [item["id"] for item in page["items"]]
            if (cursor := page["nextCursor"]) is None:
                break
        assert len(found) == 5
        assert found == sorted(set(found), reverse=descending)
        assert (await admin.get(path, cursor="nonsense")).status_code == 422
    assert (await admin.get(DELIVERIES, status="lost")).status_code == 422


async def test_endpoints_that_are_added_at_once_get_numbers_of_their_own(
    app: RunningApp, admin: SignedIn
) -> None:
    body = {"url": "https://hooks.example/x", "kinds": ["message.sent"]}
    made = await asyncio.gather(*(admin.made(ENDPOINTS, body) for _ in range(8)))
    assert len({one["id"] for one in made}) == 8
    found = await rows(app, "SELECT number FROM event_endpoints ORDER BY number")
    assert [row["number"] for row in found] == list(range(1, 9))


async def test_an_installation_that_has_had_all_its_endpoints_says_so(
    app: RunningApp, admin: SignedIn
) -> None:
    body = {"url": "https://hooks.example/x", "kinds": ["message.sent"]}
    await admin.made(ENDPOINTS, body)
    await rows(app, "UPDATE event_endpoints SET number = 65535")
    response = await admin.post(ENDPOINTS, body)
    assert response.status_code == 409
    assert "65,535" in response.json()["detail"]
