"""Templates as the composer finds and fills them, and as two managers change them at once."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.world import SignedIn, Talk, conversation, rows, sign_in
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, Role
from vaultcrm.domain.template import TemplateDraft
from vaultcrm.workflows.manage_templates import (
    FilledTemplate,
    archive_template,
    change_template,
    fill_template,
    find_templates,
)

pytestmark = pytest.mark.anyio


def caller_of(person: SignedIn, role: Role = Role.MANAGER) -> Caller:
    return Caller(person.user_id, role, "Mary", all_creators=True)


async def template(
    person: SignedIn, talk: Talk, name: str, text: str = "Hi", **more: object
) -> str:
    body = {"creatorId": talk.creator_id, "name": name, "category": "reply", "templateText": text}
    return str((await person.made("/api/templates", {**body, **more}))["id"])


async def found(app: RunningApp, person: SignedIn, talk: Talk, search: str) -> list[str]:
    cards = await find_templates(app.parts, caller_of(person), UUID(talk.creator_id), search)
    return [card.name for card in cards]


async def test_a_template_is_found_by_how_it_begins_then_by_what_it_holds(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary)
    await template(mary, talk, "Good night", "Sleep well")
    await template(mary, talk, "A warm night", "Hello")
    await template(mary, talk, "Later", "See you at NIGHT, 100% sure")
    await template(mary, talk, "Night owl")
    await template(mary, talk, "Other")

    assert await found(app, mary, talk, "night") == [
        "Night owl", "A warm night", "Good night", "Later",
    ]  # fmt: skip
    assert await found(app, mary, talk, "0% s") == ["Later"]
    assert await found(app, mary, talk, "_") == []
    assert await found(app, mary, talk, "reply") == [
        "A warm night", "Good night", "Later", "Night owl", "Other",
    ]  # fmt: skip


async def test_what_is_used_most_is_offered_first_and_what_is_archived_never(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary)
    for name in ("a", "b"):
        await template(mary, talk, name, priceMinor=500)
    used = UUID(await template(mary, talk, "c", priceMinor=500))
    await fill_template(app.parts, caller_of(mary), used, UUID(talk.conversation_id))
    away = await template(mary, talk, "d")
    await mary.made(f"/api/templates/{away}/archive", {"creatorId": talk.creator_id})

    cards = await find_templates(app.parts, caller_of(mary), UUID(talk.creator_id), "", limit=2)

    assert [(card.name, card.price) for card in cards] == [("c", Money(500)), ("a", Money(500))]
    assert cards[0].category is GenerationType.REPLY


async def test_a_template_is_filled_in_with_what_is_known_of_the_fan_and_counted(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary, said=[])
    now = app.parts.now()
    for text, price, days in (("old", 900, 40), ("new", 2500, 6), ("unsold", 7000, 1)):
        sent = {"from": "creator", "sentAt": (now - timedelta(days=days, hours=1)).isoformat()}
        await mary.made(talk.messages, talk.says(text, **sent))
        await rows(
            app,
            """UPDATE messages SET price_minor = %(price)s, currency = 'USD',
                      purchased_at = CASE WHEN text <> 'unsold' THEN sent_at END
               WHERE text = %(text)s""",
            price=price,
            text=text,
        )
    await rows(
        app,
        "UPDATE conversations SET last_fan_message_at = %(at)s",
        at=now - timedelta(days=3, hours=5),
    )
    text = (
        "{fan_name}, {creator_name}: {last_purchase} {days_since_last_purchase} "
        "{days_since_last_message}"
    )
    told = UUID(await template(mary, talk, "all", text, priceMinor=1200))
    caller, where = caller_of(mary), UUID(talk.conversation_id)

    filled = await fill_template(app.parts, caller, told, where)

    assert filled == FilledTemplate("Tom88, Mia: $25.00 6 3", Money(1200), ())
    await asyncio.gather(*(fill_template(app.parts, caller, told, where) for _ in range(9)))
    [stored] = await rows(app, "SELECT usage_count, performance_stats FROM ai_message_templates")
    today = now.date().isoformat()
    assert stored == {"usage_count": 10, "performance_stats": {"usesByDay": {today: 10}}}


async def test_uses_of_days_that_no_chart_shows_any_more_are_forgotten(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary)
    told = UUID(await template(mary, talk, "hi"))
    today = app.parts.now().date()
    kept, gone = today - timedelta(days=29), today - timedelta(days=30)
    await rows(
        app,
        """UPDATE ai_message_templates SET performance_stats = jsonb_build_object(
               'sent', 4, 'usesByDay', jsonb_build_object(%(kept)s::text, 2, %(gone)s::text, 3))""",
        kept=kept.isoformat(),
        gone=gone.isoformat(),
    )

    await fill_template(app.parts, caller_of(mary), told, UUID(talk.conversation_id))

    [stored] = await rows(app, "SELECT performance_stats FROM ai_message_templates")
    uses = {kept.isoformat(): 2, today.isoformat(): 1}
    assert stored["performance_stats"] == {"sent": 4, "usesByDay": uses}


async def test_what_nobody_can_fill_in_is_named_and_left_in_the_text(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary)
    told = UUID(await template(mary, talk, "thanks", "For {last_purchase}, {fan_name|you}!"))

    filled = await fill_template(app.parts, caller_of(mary), told, UUID(talk.conversation_id))

    assert filled == FilledTemplate("For {last_purchase}, Tom88!", None, ("last_purchase",))


async def test_a_template_is_filled_in_only_for_fans_of_the_same_creator_and_of_the_caller(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER)
    mia, theo = await conversation(mary), await conversation(mary, creator="theo")
    told = UUID(await template(mary, mia, "hi"))
    ann = Caller(new_id(), Role.CHATTER, "Ann", False, frozenset({UUID(theo.creator_id)}))

    for caller, talk in ((caller_of(mary), theo), (ann, mia)):
        with pytest.raises(NotFound):
            await fill_template(app.parts, caller, told, UUID(talk.conversation_id))
    with pytest.raises(NotFound):
        await find_templates(app.parts, ann, UUID(mia.creator_id), "")
    await mary.made(f"/api/templates/{told}/archive", {"creatorId": mia.creator_id})
    with pytest.raises(NotFound):
        await fill_template(app.parts, caller_of(mary), told, UUID(mia.conversation_id))
    [stored] = await rows(app, "SELECT usage_count FROM ai_message_templates")
    assert stored == {"usage_count": 0}


async def test_of_two_people_who_save_one_version_one_is_told_of_the_other(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary)
    told = UUID(await template(mary, talk, "hi"))
    [before] = await rows(app, "SELECT updated_at FROM ai_message_templates")

    async def save(text: str) -> str | None:
        draft = TemplateDraft("hi", GenerationType.REPLY, "en", text)
        try:
            async with app.parts.transaction() as connection:
                await change_template(
                    connection,
                    caller_of(mary),
                    UUID(talk.creator_id),
                    told,
                    draft,
                    seen=before["updated_at"],
                    now=before["updated_at"],  # even a clock that stands still
                )
        except Conflict as refused:
            return refused.status
        return "saved"

    saved = await asyncio.gather(*(save(f"text {number}") for number in range(4)))

    assert sorted(map(str, saved)) == ["changed", "changed", "changed", "saved"]
    [after] = await rows(app, "SELECT template_text, updated_at FROM ai_message_templates")
    assert after["template_text"] == f"text {saved.index('saved')}"
    assert after["updated_at"] > before["updated_at"]
    changes = await rows(app, "SELECT 1 FROM audit_log WHERE action = 'template.changed'")
    assert len(changes) == 1


async def test_archiving_twice_is_one_change(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary)
    told = UUID(await template(mary, talk, "hi"))
    for archived in (True, True, False, False):
        async with app.parts.transaction() as connection:
            await archive_template(
                connection,
                caller_of(mary),
                UUID(talk.creator_id),
                told,
                archived,
                app.parts.now(),
            )
    written = await rows(
        app, "SELECT action FROM audit_log WHERE subject_type = 'template' ORDER BY id"
    )
    assert [entry["action"] for entry in written] == [
        "template.added", "template.archived", "template.restored",
    ]  # fmt: skip
