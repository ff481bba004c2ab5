"""The list of conversations: filtered, searched, caught up with, of any length."""

from datetime import timedelta

import httpx2
import pytest

from tests.entrypoints.web.browser import Page, Person, read, sign_in
from tests.support.app import RunningApp
from tests.support.world import Talk, conversation, rows
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def part(person: Person, path: str) -> httpx2.Response:
    """What htmx gets for an address."""
    return await person.client.get(path, headers={"HX-Request": "true"})


def named(page: Page) -> list[str]:
    """The fans in the list, in its order, by their first word."""
    ids = [given.get("id", "") for _, given in page.elements]
    by_id = {
        target.removeprefix("/conversations/")[:36]: label
        for label, target in page.links.items()
        if target.startswith("/conversations/")
    }
    return [by_id[one[2:]].split()[0] for one in ids if one.startswith("c-")]


async def rename(app: RunningApp, talk: Talk, name: str, handle: str | None = None) -> None:
    await rows(
        app,
        "UPDATE fans SET display_name = %(name)s, handle = COALESCE(%(handle)s, handle)"
        " WHERE id = %(id)s",
        name=name,
        handle=handle,
        id=talk.fan_id,
    )


async def waits(app: RunningApp, talk: Talk, hours: int) -> None:
    await rows(
        app,
        "UPDATE conversations SET waiting_since = %(since)s WHERE id = %(id)s",
        since=app.parts.now() - timedelta(hours=hours),
        id=talk.conversation_id,
    )


async def test_each_filter_lists_those_whom_it_names(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talks = {
        fan: await conversation(jo.api, fan=fan, said=["Hi"])
        for fan in ("ann", "ben", "cem", "dan")
    }
    await rows(app, "UPDATE conversations SET unread_count = 0, waiting_since = NULL")
    await rows(app, "UPDATE fans SET last_seen_at = NULL")
    now = app.parts.now()
    await waits(app, talks["ann"], 1)
    for statement in (
        "UPDATE conversations SET unread_count = 2 WHERE fan_id = %(ben)s",
        "UPDATE conversations SET care = 'distress' WHERE fan_id = %(cem)s",
        "UPDATE fans SET last_seen_at = %(now)s WHERE id = %(dan)s",
        "UPDATE fans SET tier = 'whale' WHERE id IN (%(ann)s, %(dan)s)",
    ):
        await rows(app, statement, now=now, **{fan: talk.fan_id for fan, talk in talks.items()})

    listed = {
        asked: named(await jo.open(f"/inbox?{asked}"))
        for asked in (
            "show=waiting",
            "show=unread",
            "show=online",
            "show=care",
            "tier=whale",
            "show=online&tier=whale",
            "show=care&tier=whale",
        )
    }

    assert listed == {
        "show=waiting": ["Ann"],
        "show=unread": ["Ben"],
        "show=online": ["Dan"],
        "show=care": ["Cem"],
        "tier=whale": ["Dan", "Ann"],
        "show=online&tier=whale": ["Dan"],
        "show=care&tier=whale": [],
    }
    assert "Nobody calls for care" in (await jo.open("/inbox?show=care&tier=whale")).text


async def test_who_waits_longest_stands_first_among_those_who_wait(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    for fan, hours in (("ann", 2), ("ben", 30), ("cem", 9)):
        await waits(app, await conversation(jo.api, fan=fan), hours)

    page = await jo.open("/inbox?show=waiting")

    assert named(page) == ["Ben", "Cem", "Ann"]


async def test_a_fan_is_found_by_how_a_word_of_name_or_handle_begins(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    for number, (name, handle) in enumerate(
        (
            ("Wolfgang-Maximilian von Hohenstein", "wolfi_88"),
            ("ليلى الحداد", "layla.h"),
            ("O'Brien 🌻", "sunny@flower"),
        )
    ):
        talk = await conversation(jo.api, fan=f"fan{number}")
        await rename(app, talk, name, handle)

    found = {}
    for search in (
        "wolf",
        "HOHEN",
        "max von",
        "88",
        "الحداد",
        "layla",
        "brien",
        "flow",
        "ang",
        "zz",
    ):
        page = await jo.open(f"/inbox?q={search}")
        found[search] = named(page)

    wolf, layla, brien = ["Wolfgang-Maximilian"], ["ليلى"], ["O'Brien"]
    assert found == {
        "wolf": wolf,
        "HOHEN": wolf,
        "max von": wolf,
        "88": wolf,
        "الحداد": layla,
        "layla": layla,
        "brien": brien,
        "flow": brien,
        "ang": [],
        "zz": [],
    }
    told = "No word of a name or handle begins with “zz”"
    assert told in (await jo.open("/inbox?q=zz")).text


@pytest.mark.parametrize("search", ["'", "' | 'a':*", "\\", "&", ":*", "<->", "%25", "("])
async def test_no_sign_in_a_search_is_an_instruction(app: RunningApp, search: str) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    await rename(app, await conversation(jo.api), "Tom")

    page = read(await jo.client.get("/inbox", params={"q": search}))

    assert page.status == 200
    assert named(page) in ([], ["Tom"])


async def test_pages_go_back_the_way_they_came(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api, fan="first")
    await rows(
        app,
        """
        WITH more AS (
            INSERT INTO fans (creator_id, id, handle, display_name, tier, lifetime_value_minor,
                              currency, notes, created_at)
            SELECT %(creator)s, gen_random_uuid(), 'fan' || n, 'Fan' || n, 'low', 0, 'USD', '',
                   %(now)s
            FROM generate_series(100, 219) n
            RETURNING id, handle
        )
        INSERT INTO conversations (creator_id, id, fan_id, channel, external_ref, mode,
                                   unread_count, created_at, last_message_at)
        SELECT %(creator)s, gen_random_uuid(), id, 'simulator', handle, 'auto', 0, %(now)s,
               %(now)s - right(handle, 3)::integer * '1 s'::interval
        FROM more
        """,
        creator=talk.creator_id,
        now=app.parts.now() - timedelta(hours=1),
    )

    first = await jo.open("/inbox")
    second = await jo.open(first.link("Older"))
    third = await jo.open(second.link("Older"))
    back = await jo.open(third.link("Newer"))

    assert [len(named(page)) for page in (first, second, third)] == [50, 50, 21]
    assert "Newer" not in first.links
    assert "Older" not in third.links
    assert named(back) == named(second)
    assert named(await jo.open(back.link("Newer"))) == named(first)
    assert len({*named(first), *named(second), *named(third)}) == 121


async def test_the_list_keeps_its_place_beside_an_open_conversation(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    await conversation(jo.api, fan="ann")
    ben = await conversation(jo.api, fan="ben")
    await rows(app, "UPDATE fans SET tier = 'whale' WHERE id = %(id)s", id=ben.fan_id)

    page = await jo.open((await jo.open("/inbox?tier=whale")).link("Ben"))

    assert named(page) == ["Ben"]
    current = [given.get("id") for _, given in page.elements if given.get("aria-current") == "true"]
    assert f"c-{ben.conversation_id}" in current


async def test_a_list_that_has_not_changed_is_not_sent_again(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    shown = await jo.open("/inbox")
    [again] = [given["hx-get"] for _, given in shown.elements if given.get("id") == "list"]

    same = await part(jo, again)
    await jo.api.made(talk.messages, talk.says("And another thing"))
    other = await part(jo, again)

    assert (same.status_code, same.text) == (204, "")
    assert other.status_code == 200
    assert "And another thing" in other.text
    assert "<html" not in other.text
    assert "hx-replace-url" not in other.headers


async def test_what_a_list_was_narrowed_to_outlives_a_reload(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)

    alone = await part(jo, "/inbox?show=waiting&q=tom")
    beside = await part(jo, f"/inbox?show=waiting&open={talk.conversation_id}")

    assert alone.headers["hx-replace-url"] == "/inbox?show=waiting&q=tom"
    address = f"/conversations/{talk.conversation_id}?show=waiting"
    assert beside.headers["hx-replace-url"] == address


async def test_a_foreign_creator_cannot_be_listed(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    foreign = await conversation(mary.api, creator="mia")
    await conversation(mary.api, creator="zoe", fan="own")
    jo = await sign_in(app, Role.CHATTER, name="Jo", creators=["zoe"])

    assert (await jo.open(f"/inbox?creator={foreign.creator_id}")).status == 404
    assert named(await jo.open("/inbox?q=tom88")) == []
