"""A/B tests through the API: what a test may compare, and the way from draft to ended."""

import asyncio
from typing import Any

import pytest

from tests.support.app import RunningApp
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role
from vaultcrm.pipeline.prompting import PROMPT_VERSIONS

pytestmark = pytest.mark.anyio

PATH = "/api/ai/ab-tests"
Json = dict[str, Any]


@pytest.fixture
async def manager(app: RunningApp) -> SignedIn:
    return await sign_in(app, Role.MANAGER)


async def creator(manager: SignedIn, handle: str = "mia") -> str:
    return (await conversation(manager, creator=handle, said=())).creator_id


def models(creator_id: str, name: str = "which model", kind: str = "model") -> Json:
    return {
        "creatorId": creator_id,
        "testName": name,
        "variants": [
            {"name": "a", "weight": 3, "kind": kind, "reference": "claude-sonnet-5-5"},
            {"name": "b", "weight": 1.5, "kind": kind, "reference": "claude-haiku-5-5"},
        ],
    }


def with_references(creator_id: str, kind: str, *references: str) -> Json:
    variants = [
        {"name": f"v{number}", "kind": kind, "reference": reference}
        for number, reference in enumerate(references)
    ]
    return {"creatorId": creator_id, "testName": new_id().hex, "variants": variants}


async def faults(caller: SignedIn, body: Json) -> list[str]:
    response = await caller.post(PATH, body)
    assert response.status_code == 422, response.text
    return [error["field"] for error in response.json()["errors"]]


async def moved(caller: SignedIn, test: Json, status: str) -> tuple[int, str]:
    """The answer's status code, and the test's status or, for a refusal, what it says it is."""
    body = {"creatorId": test["creatorId"], "status": status}
    response = await caller.post(f"{PATH}/{test['id']}/status", body)
    answer = response.json()
    return response.status_code, answer.get("currentStatus") or answer["status"]


async def test_a_test_begins_as_a_draft_with_its_variants_and_no_results(
    app: RunningApp, manager: SignedIn
) -> None:
    creator_id = await creator(manager)
    test = await manager.made(PATH, models(creator_id))
    assert (test["status"], test["kind"], test["startedAt"]) == ("draft", "model", None)
    assert [(one["name"], one["weight"]) for one in test["variants"]] == [("a", 3), ("b", 1.5)]
    counted = [(one["variant"], one["generations"], one["share"]) for one in test["results"]]
    assert counted == [("a", 0, 0.0), ("b", 0, 0.0)]
    assert (test["metric"], test["smallestEffect"]) == ("reply_rate", 0.03)
    assert (test["allocation"], test["verdict"], test["differences"]) == ("fixed", None, [])
    listed = await manager.found(PATH, creatorId=creator_id)
    assert listed == {"items": [test], "nextCursor": None}
    [trace] = await rows(app, "SELECT * FROM audit_log WHERE action = 'ab_test.added'")
    assert (trace["actor_id"], trace["subject_id"]) == (manager.user_id, test["id"])


async def test_a_name_is_given_once_for_a_creator(manager: SignedIn) -> None:
    mia, theo = await creator(manager, "mia"), await creator(manager, "theo")
    assert (await manager.post(PATH, models(mia))).status_code == 201
    assert (await manager.post(PATH, models(mia))).status_code == 409
    assert (await manager.post(PATH, models(theo))).status_code == 201


async def test_a_test_goes_from_draft_to_running_to_ended_and_no_other_way(
    app: RunningApp, manager: SignedIn
) -> None:
    test = await manager.made(PATH, models(await creator(manager)))
    steps = [
        (step, await moved(manager, test, step))
        for step in ("draft", "ended", "running", "running", "draft", "ended", "running", "ended")
    ]
    assert steps == [
        ("draft", (409, "draft")),
        ("ended", (409, "draft")),
        ("running", (200, "running")),
        ("running", (409, "running")),
        ("draft", (409, "running")),
        ("ended", (200, "ended")),
        ("running", (409, "ended")),
        ("ended", (409, "ended")),
    ]
    [ended] = (await manager.found(PATH))["items"]
    assert ended["createdAt"] < ended["startedAt"] < ended["endedAt"]
    traces = await rows(
        app, "SELECT details FROM audit_log WHERE action = 'ab_test.status_changed' ORDER BY id"
    )
    assert [trace["details"]["status"] for trace in traces] == ["running", "ended"]


async def test_one_test_of_a_kind_runs_for_a_creator(manager: SignedIn) -> None:
    mia, theo = await creator(manager, "mia"), await creator(manager, "theo")
    first = await manager.made(PATH, models(mia, "first"))
    second = await manager.made(PATH, models(mia, "second"))
    other_kind = await manager.made(PATH, with_references(mia, "prompt", *PROMPT_VERSIONS))
    other_creator = await manager.made(PATH, models(theo))
    assert await moved(manager, first, "running") == (200, "running")
    assert await moved(manager, second, "running") == (409, "draft")
    assert await moved(manager, other_kind, "running") == (200, "running")
    assert await moved(manager, other_creator, "running") == (200, "running")
    assert await moved(manager, first, "ended") == (200, "ended")
    assert await moved(manager, second, "running") == (200, "running")


async def test_of_tests_that_are_started_at_once_one_runs(
    app: RunningApp, manager: SignedIn
) -> None:
    mia = await creator(manager)
    tests = [await manager.made(PATH, models(mia, f"test {n}")) for n in range(6)]
    answers = await asyncio.gather(*(moved(manager, test, "running") for test in tests))
    assert sorted(code for code, _ in answers) == [200, 409, 409, 409, 409, 409]
    running = await rows(app, "SELECT 1 FROM ai_ab_tests WHERE status = 'running'")
    assert len(running) == 1


async def test_a_variant_names_a_template_of_the_same_creator(
    app: RunningApp, manager: SignedIn
) -> None:
    mia, theo = await creator(manager, "mia"), await creator(manager, "theo")
    ids = {}
    for name, owner in (("one", mia), ("two", mia), ("old", mia), ("foreign", theo)):
        body = {"creatorId": owner, "name": name, "category": "reply", "templateText": "Hello"}
        ids[name] = (await manager.made("/api/templates", body))["id"]
    await rows(app, "UPDATE ai_message_templates SET archived_at = now() WHERE name = 'old'")

    made = await manager.made(PATH, with_references(mia, "template", ids["one"], ids["two"]))
    assert [one["reference"] for one in made["variants"]] == [ids["one"], ids["two"]]
    for wrong in (ids["foreign"], ids["old"], new_id().hex, "hello"):
        body = with_references(mia, "template", ids["one"], wrong)
        assert await faults(manager, body) == ["variants.1.reference"]


async def test_a_variant_names_a_version_that_the_personality_has(manager: SignedIn) -> None:
    mia = await creator(manager)
    for style in ("none", "rare"):
        await manager.made("/api/ai/personality", {"creatorId": mia, "emojiStyle": style})
    made = await manager.made(PATH, with_references(mia, "personality", "0", "1", "02"))
    assert [one["reference"] for one in made["variants"]] == ["0", "1", "2"]
    for wrong in ("3", "-1", "1.0", "two", "²", "9" * 10, "9" * 100):
        body = with_references(mia, "personality", wrong, "1")
        assert await faults(manager, body) == ["variants.0.reference"]


async def test_two_variants_have_two_names_and_one_kind(manager: SignedIn) -> None:
    body = models(await creator(manager))
    first, second = body["variants"]
    twice = {**body, "variants": [first, {**second, "name": "a"}]}
    assert await faults(manager, twice) == ["variants.1.name"]
    mixed = {**body, "variants": [first, {**second, "kind": "prompt"}]}
    assert await faults(manager, mixed) == ["variants.1.kind"]


@pytest.mark.parametrize("count", [0, 1, 7, 200])
async def test_a_test_has_two_to_six_variants(manager: SignedIn, count: int) -> None:
    body = with_references(await creator(manager), "model", *["m"] * count)
    assert await faults(manager, body) == ["variants"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("weight", 0),
        ("weight", -1),
        ("weight", 10**9),
        ("weight", True),
        ("weight", "3"),
        ("weight", None),
        ("kind", "colour"),
        ("name", ""),
        ("name", "x" * 300),
        ("name", "a\nb"),
        ("reference", " "),
        ("reference", "a\x00b"),
        ("share", 3),
    ],
)
async def test_what_a_variant_cannot_be_is_refused_with_the_name_of_its_field(
    manager: SignedIn, name: str, wrong: Any
) -> None:
    body = models(await creator(manager))
    first, second = body["variants"]
    spoiled = {**body, "variants": [first, {**second, name: wrong}]}
    assert await faults(manager, spoiled) == [f"variants.1.{name}"]


async def test_tests_are_for_managers_and_of_their_creators(
    app: RunningApp, manager: SignedIn
) -> None:
    mia, theo = await creator(manager, "mia"), await creator(manager, "theo")
    test = await manager.made(PATH, models(theo))
    chatter = await sign_in(app, Role.CHATTER)
    assert (await chatter.get(PATH)).status_code == 403
    assert (await chatter.post(PATH, models(mia))).status_code == 403
    assert (await moved(chatter, test, "running"))[0] == 403

    own = await sign_in(app, Role.MANAGER, creators=["mia"])
    assert (await own.found(PATH))["items"] == []
    assert (await own.get(PATH, creatorId=theo)).status_code == 404
    assert (await own.post(PATH, models(theo, "mine"))).status_code == 404
    assert (await moved(own, test, "running"))[0] == 404
    assert (await moved(own, {**test, "creatorId": mia}, "running"))[0] == 404


async def test_tests_come_in_pages_the_newest_first(manager: SignedIn) -> None:
    mia, theo = await creator(manager, "mia"), await creator(manager, "theo")
    made = [await manager.made(PATH, models((mia, theo)[n % 2], f"test {n}")) for n in range(5)]
    seen, cursor = [], None
    while True:
        page = await manager.found(PATH, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        if (cursor := page["nextCursor"]) is None:
            break
    assert seen == list(reversed(made))


async def test_a_start_again_with_the_same_key_is_answered_as_it_was(manager: SignedIn) -> None:
    test = await manager.made(PATH, models(await creator(manager)))
    path, body = f"{PATH}/{test['id']}/status", {"creatorId": test["creatorId"]}
    first = await manager.post(path, {**body, "status": "running"}, key="k-1")
    again = await manager.post(path, {**body, "status": "running"}, key="k-1")
    assert (first.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_what_decides_a_test_is_said_when_it_is_added(manager: SignedIn) -> None:
    body = models(await creator(manager)) | {
        "metric": "revenue_per_message",
        "smallestEffect": 25,
        "allocation": "thompson",
        "guardrails": {"rejections": 0.1},
    }
    test = await manager.made(PATH, body)
    told = (test["metric"], test["smallestEffect"], test["allocation"])
    assert told == ("revenue_per_message", 25, "thompson")
    found = await manager.found(f"{PATH}/{test['id']}")
    assert found == test | {"whatIf": [], "series": []}
    for wrong in ({"metric": "luck"}, {"smallestEffect": 0}, {"guardrails": {"rejections": 0}}):
        assert (await manager.post(PATH, body | {"testName": "x"} | wrong)).status_code == 422


async def test_a_started_test_shares_fans_out_by_its_weights(manager: SignedIn) -> None:
    test = await manager.made(PATH, models(await creator(manager)))
    assert await moved(manager, test, "running") == (200, "running")
    found = await manager.found(f"{PATH}/{test['id']}")
    assert [round(one["share"], 4) for one in found["results"]] == [0.6667, 0.3333]


async def test_prompts_and_models_are_those_that_there_are(manager: SignedIn) -> None:
    mia = await creator(manager)
    assert await faults(manager, with_references(mia, "prompt", *PROMPT_VERSIONS, "1")) == [
        f"variants.{len(PROMPT_VERSIONS)}.reference"
    ]
    retired = with_references(mia, "model", "claude-sonnet-5-5", "claude-3-5-sonnet-20241022")
    assert await faults(manager, retired) == ["variants.1.reference"]


async def test_templates_of_one_test_are_of_one_category_and_short_enough_to_begin_from(
    app: RunningApp, manager: SignedIn
) -> None:
    mia, ids = await creator(manager), {}
    for name, category, text in (
        ("reply", "reply", "Hello"),
        ("thanks", "thank_you", "Thanks"),
        ("long", "reply", "a" * 1_001),
    ):
        body = {"creatorId": mia, "name": name, "category": category, "templateText": text}
        ids[name] = (await manager.made("/api/templates", body))["id"]
    for wrong in ("thanks", "long"):
        body = with_references(mia, "template", ids["reply"], ids[wrong])
        assert await faults(manager, body) == ["variants.1.reference"]
    gone = await manager.made(PATH, with_references(mia, "template", ids["reply"], ids["reply"]))
    await rows(app, "UPDATE ai_message_templates SET archived_at = now()")
    path, start = f"{PATH}/{gone['id']}/status", {"creatorId": mia, "status": "running"}
    assert (await manager.post(path, start)).status_code == 422
