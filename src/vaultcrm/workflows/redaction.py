"""What goes to a model: a conversation without anybody's personal data.

Steps of the pipeline do not know each other, so the prompt is built from a situation that has been
redacted before. The content filter, the database and the drafter that needs no model work on what
was really written.
"""

from dataclasses import replace
from functools import lru_cache

from vaultcrm.domain.conversation import Message
from vaultcrm.domain.situation import Situation
from vaultcrm.pipeline.safety.personal_data import redact

MOST_CHARACTERS = 2_000
"""More of one message is not read for a prompt, which shows less of it."""

REMEMBERED = 4_096
"""So many texts are kept without their personal data: those of conversations that go on."""


def for_model(situation: Situation) -> Situation:
    """The situation with `[phone]`, `[email]` and so on in messages and the team's notes.

    National telephone numbers are read as those of the creator's region.
    """
    region = situation.creator.region
    return replace(
        situation,
        fan=replace(situation.fan, notes=_without_personal_data(situation.fan.notes, region)),
        messages=_all_without(situation.messages, region),
        earlier=_all_without(situation.earlier, region),
    )


def _all_without(messages: tuple[Message, ...], region: str) -> tuple[Message, ...]:
    return tuple([_redacted_message(message, region) for message in messages])


def _redacted_message(message: Message, region: str) -> Message:
    text = _without_personal_data(message.text, region)
    return message if text == message.text else replace(message, text=text)


def _without_personal_data(text: str, region: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return _redacted(text, region)
    return _redacted(text[:MOST_CHARACTERS], region) + "…"


@lru_cache(maxsize=REMEMBERED)
def _redacted(text: str, region: str) -> str:
    return redact(text, region)
