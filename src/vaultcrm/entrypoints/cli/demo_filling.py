"""Fill an empty installation with the demo world, through the same doors that real data takes."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.queries import access, conversations, creators, queue, templates
from vaultcrm.db.queries.queue import Selection
from vaultcrm.domain.channels import EventKind, InboundEvent
from vaultcrm.domain.errors import Conflict, DrafterError, LimitExceeded
from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Credential, Role
from vaultcrm.domain.template import TemplateDraft
from vaultcrm.entrypoints.cli.demo_world.build import build_world
from vaultcrm.entrypoints.cli.demo_world.experiments import add_experiments
from vaultcrm.entrypoints.cli.demo_world.history import build_history
from vaultcrm.entrypoints.cli.demo_world.keeping import has_history, keep_history
from vaultcrm.entrypoints.cli.demo_world.learned import learn_in_demo
from vaultcrm.entrypoints.cli.demo_world.scores import calibrate_demo
from vaultcrm.entrypoints.cli.demo_world.spending import set_budgets
from vaultcrm.entrypoints.cli.demo_world.staging import stage_demo
from vaultcrm.entrypoints.cli.demo_world.worked import keep_work
from vaultcrm.entrypoints.cli.demo_world.world import DemoPersonality, DemoTemplate, DemoWorld
from vaultcrm.workflows.attribute_outcomes import attribute_outcomes
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.import_conversations import import_conversations
from vaultcrm.workflows.manage_people import add_user
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.receive_message import receive_event
from vaultcrm.workflows.set_flag import set_flag

Say = Callable[[str], None]

DEMO_EMAIL = "demo@vaultcrm.example"
DEMO_FLAGS = {
    "AI_ROLLOUT_STAGE": 3,
    "AI_AUTO_SEND_THRESHOLD": 65,
    "AI_AUTO_SEND_RISK": 0.15,
    "AI_MAX_TOKENS_PER_DAY": 200_000,
}
"""So that some simple replies leave by themselves, the rest waits in the queue, and a day's history
leaves tokens for whoever tries it out. A month of one small team guarantees no more than 15 %."""
ASKED = "Can I ask you something? Is this really you, or is it an AI?"
ASKED_ID = "demo-asks"
OPENED = timedelta(days=60)
"""So long the creators have been here."""


async def fill(parts: Parts, say: Say) -> None:
    """Make the demo's user, creators, fans, messages, templates, history and waiting drafts.

    Every part can be made twice, so a run that was interrupted is taken up again; a filled demo is
    left as it is. Raises Conflict when there is data of somebody else's.
    """
    caller = await _demo_user(parts)
    if await _has_drafts(parts):
        return
    world = build_world(now=parts.now())
    found = {
        personality.creator_handle: await _add_creator(parts, personality)
        for personality in world.personalities
    }
    say("Writing months of conversations")
    lines = list(_import_lines(world, parts.now() - OPENED))
    await import_conversations(
        parts.pool, lines, content_filter=parts.content_filter, now=parts.now()
    )
    for template in world.templates:
        await _add_template(parts, template)
    for name, value in DEMO_FLAGS.items():
        await set_flag(
            parts, caller, creator_id=None, name=name, value=value, reason="set by the demo"
        )
    say("Remembering a month of drafts")
    await _remember(parts, world, found)
    await set_budgets(parts, caller, next(iter(found.values())))
    async with parts.transaction() as connection:
        await add_experiments(connection, next(iter(found.values())), parts.now())
    async with parts.transaction() as connection:
        await stage_demo(connection, parts.now())
    await calibrate_demo(parts)
    await learn_in_demo(parts, next(iter(found.values())))
    say("Drafting answers for the fans who wait")
    await _draft(parts, caller, world, say)
    await _ask(parts, world, found)


async def _demo_user(parts: Parts) -> Caller:
    """The demo's admin, made in an installation that is still empty."""
    async with parts.pool.connection() as connection:
        user_id = await access.user_by_email(connection, DEMO_EMAIL)
        creators = await access.all_creator_ids(connection)
    if user_id is None:
        if creators:
            raise Conflict(
                "This installation holds data already, and the demo would mix with it. Name "
                "another folder: vaultcrm demo --home FOLDER, with DATABASE_URL unset."
            )
        await add_user(
            parts.pool,
            email=DEMO_EMAIL,
            name="You",
            role=Role.ADMIN,
            all_creators=True,
            creator_handles=[],
            now=parts.now(),
        )
    async with parts.pool.connection() as connection:
        user_id = await access.user_by_email(connection, DEMO_EMAIL)
        sent = await access.find_caller(connection, Credential(user_id=user_id), parts.now())
        caller = await sent.answer()
    assert caller is not None  # noqa: S101 -- it was found or made just now
    return caller


async def _has_drafts(parts: Parts) -> bool:
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
        selection = Selection(tuple(creator_ids), SYSTEM_USER_ID)
        return bool(await queue.page(connection, selection, now=parts.now(), limit=1))


async def _add_creator(parts: Parts, demo: DemoPersonality) -> UUID:
    """The creator's id; the voice comes with the history."""
    async with parts.pool.connection() as connection:
        await creators.add_creator(
            connection,
            handle=demo.creator_handle,
            display_name=demo.display_name,
            language=demo.language,
            region=demo.region,
            now=parts.now() - OPENED,
        )
        sent = await creators.creator_by_handle(connection, demo.creator_handle)
        creator = await sent.answer()
    assert creator is not None  # noqa: S101 -- it was found or made just now
    return creator.id


async def _remember(parts: Parts, world: DemoWorld, found: dict[str, UUID]) -> None:
    """The month before now, all of it or nothing, and once."""
    now = parts.now()
    history = build_history(world, now=now, content_filter=parts.content_filter)
    async with parts.transaction() as connection:
        if not await has_history(connection):
            await keep_history(connection, history, found, now, parts.settings.agency_time_zone)
            await keep_work(connection, now)
    await attribute_outcomes(parts)


async def _add_template(parts: Parts, template: DemoTemplate) -> None:
    async with parts.pool.connection() as connection:
        sent = await creators.creator_by_handle(connection, template.creator_handle)
        creator = await sent.answer()
        assert creator is not None  # noqa: S101 -- every template is of a creator of the world
        await templates.add_template(
            connection,
            creator.id,
            TemplateDraft(
                template.name, template.category, "en", template.text, template.price_minor
            ),
            parts.now() - OPENED,
        )


def _import_lines(world: DemoWorld, opened: datetime) -> Iterator[bytes]:
    """The conversations as `vaultcrm import` takes them, notes and disclosure with them. Who was
    there before AI was `opened` was told then.
    """
    extras = {(extra.creator_handle, extra.handle): extra for extra in world.extras}
    for line in world.conversations:
        extra = extras[line["creator"]["handle"], line["fan"]["handle"]]
        fan: dict[str, object] = {**line["fan"], "notes": extra.notes}
        if extra.disclosed:
            first = datetime.fromisoformat(line["messages"][0]["sentAt"])
            fan["disclosedAt"] = max(first, opened).isoformat()
        yield json.dumps({**line, "fan": fan}).encode()


async def _ask(parts: Parts, world: DemoWorld, found: dict[str, UUID]) -> None:
    """One fan who was answered wants to know whether AI writes."""
    told = {(extra.creator_handle, extra.handle) for extra in world.extras if extra.disclosed}
    for line in world.conversations:
        creator, fan = line["creator"]["handle"], line["fan"]["handle"]
        if (creator, fan) in told and line["messages"][-1]["from"] == "creator":
            break
    else:
        return
    event = InboundEvent(
        event_id=ASKED_ID,
        kind=EventKind.MESSAGE,
        fan_handle=fan,
        fan_display_name=line["fan"]["displayName"],
        conversation_ref=fan,
        occurred_at=parts.now(),
        text=ASKED,
    )
    async with parts.transaction() as connection:
        await receive_event(parts, connection, line["channel"], found[creator], event)


async def _draft(parts: Parts, caller: Caller, world: DemoWorld, say: Say) -> None:
    """Ask the real pipeline; a demo without a working model still has everything else."""
    for creator_handle, fan_handle, generation_type in world.waiting:
        async with parts.pool.connection() as connection:
            sent = await conversations.conversation_of(connection, creator_handle, fan_handle)
            found = await sent.answer()
        if not found:
            continue
        request = GenerateRequest(found[0]["creator_id"], found[0]["id"], generation_type)
        try:
            await generate_message(parts, Credential(user_id=caller.user_id), request)
        except (LimitExceeded, DrafterError) as error:
            say(f"Some drafts are missing. {error}")
            return
