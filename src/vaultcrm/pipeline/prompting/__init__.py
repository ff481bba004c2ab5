"""Prompts: templates as files, rendered with everything that fans wrote fenced as data.

A prompt is read in the order in which its parts change, because a provider caches what stays the
same at its beginning. The system part depends only on the creator and the version of their
personality. The conversation comes next, a block a message, with times that do not age. The turn
carries what holds now: who the fan is, what time it is, what to write.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vaultcrm.domain.conversation import Message
from vaultcrm.domain.draft_options import NO_OPTIONS, DraftOptions, Length, Tone
from vaultcrm.domain.drafting import Prompt
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.people import Creator
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.domain.situation import Situation

PROMPT_VERSION: Final = "2026-11-23.2"
"""Goes up with every change of a template; each generation says which one it was made with."""

PROMPT_VERSIONS: Final[Mapping[str, tuple[str, str]]] = {
    PROMPT_VERSION: (
        "system.jinja",
        "Answers what the fan wrote last. The one in use unless a test says otherwise.",
    ),
    "2026-11-23.2-listening": (
        "system_listening.jinja",
        "Takes up a detail of what the fan wrote before it says anything else.",
    ),
}
"""Every version that a draft can be made with: its file, and in what it differs. The names of those
beside the first go up with changes of their files too.
"""

BYTES_PER_TOKEN = 3
"""A cautious estimate: English has about 4 bytes a token, other scripts about 3."""
LONGEST_MESSAGE_CHARACTERS = 600
EXAMPLES_UP_TO = 0.75
"""Examples stand in a prompt whose system part takes at most this share of its budget with them."""
CUT_BY: Final = 3
"""So many messages are left out at a time where the budget is short, so that the first one shown
stays where it is while some are added. It divides `SHOWN_STEP`: both move it to the same places."""

HEADING: Final = "# The conversation, times in UTC\n"

TASKS: Mapping[GenerationType, str] = {
    GenerationType.REPLY: "Answer the fan's last message. Offer nothing for sale.",
    GenerationType.PPV_OFFER: (
        "Offer the fan one piece of paid content that fits what they have shown interest in. Say "
        "honestly what it is. Suggest a price that fits what this fan has paid before. An offer "
        "may be declined without a word."
    ),
    GenerationType.WELCOME: (
        "Welcome a fan who is new here. Be warm and brief, and give them an easy way to say "
        "something about themselves. Offer nothing for sale."
    ),
    GenerationType.RE_ENGAGEMENT: (
        "The fan has been quiet for a while. Write something worth reading that picks up what "
        "you last talked about, without reproach. Offer nothing for sale."
    ),
    GenerationType.THANK_YOU: (
        "Thank the fan for what they did last. Name what it was. Offer nothing for sale."
    ),
}

EMOJI_RULES: Mapping[EmojiStyle, str] = {
    EmojiStyle.NONE: "none at all",
    EmojiStyle.RARE: "rarely, at most one",
    EmojiStyle.MODERATE: "now and then, one or two where they add something",
    EmojiStyle.FREQUENT: "often, up to three",
}

TONES: Mapping[Tone, str] = {
    Tone.WARMER: "warmer than usual",
    Tone.PLAYFUL: "more playful than usual",
    Tone.CALMER: "calmer than usual",
    Tone.DIRECT: "plain and direct",
}
LENGTHS: Mapping[Length, str] = {
    Length.SHORTER: "one short sentence",
    Length.LONGER: "three to five sentences",
}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def as_data(text: str) -> str:
    """A text that can neither close its fence nor open another one."""
    return _CONTROL.sub(" ", text).replace("<", "‹").replace(">", "›")


def as_line(text: str) -> str:
    """The same on one line, for what stands in no fence: it can begin no section of its own."""
    return " ".join(as_data(text).split())


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 -- plain text for a model; `as_data` fences what fans wrote
        keep_trailing_newline=False,
    )
    environment.filters["line"] = as_line
    return environment


_ENVIRONMENT = _environment()
_SYSTEMS = {
    version: _ENVIRONMENT.get_template(file) for version, (file, _) in PROMPT_VERSIONS.items()
}
_TURN = _ENVIRONMENT.get_template("turn.jinja")


def environment() -> Environment:
    """The templates of this step, for its other prompts."""
    return _ENVIRONMENT


@lru_cache(maxsize=512)
def render_system(
    creator: Creator,
    personality: Personality,
    version: str = PROMPT_VERSION,
    examples: tuple[str, ...] = (),
) -> str:
    """What is the same for every fan. All arguments are frozen values, so another process's new
    version of a personality is another key: nothing has to be told to forget. `version` is one of
    `PROMPT_VERSIONS`.
    """
    return _SYSTEMS[version].render(
        creator=creator,
        personality=personality,
        emoji_rule=EMOJI_RULES[personality.emoji_style],
        examples=examples,
    )


def render_history(messages: tuple[Message, ...]) -> tuple[str, ...]:
    """A block a message, the first one under the heading, and the first one of a day under it.

    Of two conversations that begin with the same message, one has all blocks of the other before
    its own, unless one of their messages was bought in between.
    """
    blocks = []
    above, day = HEADING, date.min
    for message in messages:
        at = message.sent_at.astimezone(UTC)
        if at.date() != day:
            day = at.date()
            above += f"{day:%A}, {day}\n"
        blocks.append(f"{above}{_line(message, at)}\n")
        above = ""
    return tuple(blocks)


def _line(message: Message, at: datetime) -> str:
    price = ""
    if message.price is not None:
        bought = "bought" if message.purchased_at else "not bought"
        price = f' price="{message.price}, {bought}"'
    sender, said = message.sender.value, as_data(message.text)
    return f'<{sender} at="{at.hour:02}:{at.minute:02}"{price}>{said}</{sender}>'


def render_turn(
    situation: Situation,
    generation_type: GenerationType,
    *,
    begun: bool,
    engagement: int,
    candidates: int,
    now: datetime,
    options: DraftOptions = NO_OPTIONS,
) -> str:
    """The volatile part, below the conversation if one has `begun`: what time it is, who the fan is
    and what to write.
    """
    utc = now.astimezone(UTC)
    return _TURN.render(
        fan=situation.fan,
        begun=begun,
        engagement=engagement,
        task=TASKS[generation_type],
        candidates=candidates,
        now=f"{utc:%A, %Y-%m-%d, %H:%M} UTC",
        tone=TONES[options.tone] if options.tone else "",
        length=LENGTHS[options.length] if options.length else "",
        hint=options.hint,
        begin_from=as_data(options.begin_from),
    )


def build_prompt(
    situation: Situation,
    personality: Personality,
    generation_type: GenerationType,
    *,
    engagement: int,
    candidates: int,
    token_budget: int,
    now: datetime,
    options: DraftOptions = NO_OPTIONS,
    version: str = PROMPT_VERSION,
) -> Prompt:
    """The prompt for one draft, within `token_budget` estimated tokens.

    Long messages are cut, then the oldest ones left out, `CUT_BY` at a time, until the prompt fits;
    the last message always stays.
    """
    system = render_system(situation.creator, personality, version, situation.examples)
    if situation.examples and estimated_tokens(system) > EXAMPLES_UP_TO * token_budget:
        system = render_system(situation.creator, personality, version)
    messages = tuple(shortened(one) for one in (*situation.earlier, *situation.messages))
    turn = render_turn(
        situation,
        generation_type,
        begun=bool(messages),
        engagement=engagement,
        candidates=candidates,
        now=now,
        options=options,
    )
    prompt = Prompt(system, turn, render_history(messages))
    while len(messages) > 1 and prompt_tokens(prompt) > token_budget:
        messages = messages[min(CUT_BY, len(messages) - 1) :]
        prompt = Prompt(system, turn, render_history(messages))
    return prompt


def prompt_tokens(prompt: Prompt) -> int:
    """Never much less than what a model will count of a whole prompt."""
    return estimated_tokens(prompt.system) + estimated_tokens(prompt.user_turn)


def estimated_tokens(text: str) -> int:
    """Never much less than what a model will count: bytes of UTF-8 over three, rounded up."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def shortened(message: Message) -> Message:
    if len(message.text) <= LONGEST_MESSAGE_CHARACTERS:
        return message
    return replace(message, text=message.text[: LONGEST_MESSAGE_CHARACTERS - 1] + "…")
