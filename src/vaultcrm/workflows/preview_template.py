"""What a template would be for one fan, and what the content filter says. Nothing is saved."""

from dataclasses import dataclass
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import creators, personalities, templates
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import SafetyReport, Scope
from vaultcrm.domain.template import (
    FilledText,
    TemplateFacts,
    TemplateProblem,
    read_template,
    render_template_text,
)
from vaultcrm.workflows.find_channel import find_channel
from vaultcrm.workflows.parts import Parts

MADE_UP_NAME = "Sam"
"""Who a template is shown for while a creator has no fan."""


@dataclass(frozen=True, slots=True)
class TemplatePreview:
    """A text filled in for one fan. `conversation_id` is None when the fan is made up.

    `problems` are places in the template, findings of `safety` places in the filled text. `length`
    counts as the fan's channel does; `longest` is the most that it takes, None where no channel is
    known.
    """

    conversation_id: UUID | None
    fan_name: str
    filled: FilledText
    problems: tuple[TemplateProblem, ...]
    safety: SafetyReport
    price: Money | None
    length: int
    longest: int | None


async def preview_template(
    parts: Parts,
    connection: Connection,
    creator_id: UUID,
    text: str,
    price_minor: int | None,
    conversation_id: UUID | None,
) -> TemplatePreview:
    """The text for the fan of a conversation; without one, for whom the creator talked with last.

    A conversation that is not this creator's counts as none. Raises NotFound for a creator that is
    not there.
    """
    async with connection.pipeline():
        creator_sent = await creators.get_creator(connection, creator_id)
        voice_sent = await personalities.current(connection, creator_id)
        fan_sent = (
            await templates.filled_for(connection, [creator_id], conversation_id)
            if conversation_id is not None
            else await templates.filled_for_latest(connection, creator_id)
        )
    creator, voice = await creator_sent.answer(), await voice_sent.answer()
    if creator is None:
        raise NotFound("creator")
    fan = await fan_sent.answer()
    if fan is None and conversation_id is not None:
        fan = await (await templates.filled_for_latest(connection, creator_id)).answer()
    facts = TemplateFacts(MADE_UP_NAME, creator.display_name) if fan is None else fan.facts
    filled = render_template_text(text, facts, parts.now())
    length, longest = len(filled.text), None
    if fan is not None:
        try:
            channel = await find_channel(parts, creator_id, fan.channel, connection)
        except NotFound:
            pass
        else:
            length = channel.capabilities.length_of(filled.text)
            longest = channel.capabilities.longest_text
    return TemplatePreview(
        conversation_id=None if fan is None else fan.conversation_id,
        fan_name=facts.fan_name,
        filled=filled,
        problems=read_template(text)[1],
        safety=parts.content_filter.check(
            filled.text,
            Scope.CHATTER,
            forbidden_words=() if voice is None else voice.forbidden_words,
            region=creator.region,
            own_rules=await parts.rule_book.of_creator(creator, connection),
        ),
        price=None
        if price_minor is None
        else Money(price_minor, "USD" if fan is None else fan.currency),
        length=length,
        longest=longest,
    )
