"""Taking a chatter's own message back: once, by whoever may, while it waits."""

from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.drafts import as_caller
from tests.support.world import SignedIn, Talk, conversation, jobs, rows, sign_in
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.domain.people import Role
from vaultcrm.workflows.deliver_message import deliver_message
from vaultcrm.workflows.take_back_message import take_back_message
from vaultcrm.workflows.write_message import OwnMessage, write_message

pytestmark = pytest.mark.anyio


async def written(app: RunningApp, person: SignedIn, talk: Talk) -> OutboxItem:
    wanted = OwnMessage(UUID(talk.creator_id), UUID(talk.conversation_id), "The set.", Money(2500))
    return (await write_message(app.parts, await as_caller(person), wanted)).item


async def test_what_is_taken_back_is_not_sent_by_its_job(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER)
    talk = await conversation(await sign_in(app, Role.MANAGER))
    item = await written(app, jo, talk)

    taken = await take_back_message(app.parts, await as_caller(jo), item.creator_id, item.id)
    await deliver_message(app.parts, item.creator_id, item.id)

    assert taken == item
    assert len(await jobs(app, "deliver_message")) == 1
    assert await rows(app, "SELECT 1 FROM messages WHERE sender = 'creator'") == []


async def test_a_message_is_taken_back_once(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER)
    item = await written(app, jo, await conversation(jo))
    caller = await as_caller(jo)
    await take_back_message(app.parts, caller, item.creator_id, item.id)

    with pytest.raises(NotFound):
        await take_back_message(app.parts, caller, item.creator_id, item.id)

    assert len(await rows(app, "SELECT 1 FROM audit_log WHERE action = 'message.taken_back'")) == 1


async def test_what_is_leaving_cannot_be_taken_back(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER)
    item = await written(app, jo, await conversation(jo))
    await rows(app, "UPDATE outbox SET delivery_status = 'sending', attempts = 1")

    with pytest.raises(Conflict, match="too late"):
        await take_back_message(app.parts, await as_caller(jo), item.creator_id, item.id)

    assert await rows(app, "SELECT 1 FROM audit_log WHERE action = 'message.taken_back'") == []


async def test_the_messages_of_a_foreign_creator_are_not_there(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER)
    item = await written(app, mary, await conversation(mary, creator="mia"))
    await conversation(mary, creator="zoe", fan="own")
    jo = await sign_in(app, Role.CHATTER, creators=["zoe"])

    with pytest.raises(NotFound):
        await take_back_message(app.parts, await as_caller(jo), item.creator_id, item.id)

    assert len(await rows(app, "SELECT 1 FROM outbox")) == 1
