"""From what was found to changes of a voice: lines of instruction, phrases, emoji."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vaultcrm.domain.learning import PHRASE, Finding, Outcome
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.pipeline.learning.traits import PRICE_BANDS

HEADING: Final = "What has worked with fans:"
"""Begins the part of a voice's instructions that learning writes."""

LINES: Final[Mapping[str, tuple[str, str]]] = {
    "question": ("Ask the fan one short question.", "Ask questions seldom."),
    "exclamation": ("An exclamation mark is welcome.", "Write without exclamation marks."),
    "name": ("Call the fan by name.", "Leave the fan's name out."),
    "short": ("Keep to one or two short sentences.", "Write more than one short line."),
    "long": ("Take room: three or four sentences.", "Keep well below four sentences."),
    "playful": ("Be playful: tease a little, laugh.", "Do not tease or laugh in writing."),
    "affection": ("Use a term of endearment.", "Leave terms of endearment out."),
    "thanks": ("Say thank you.", "Thank the fan only where there is a reason."),
    "about_fan": ("Talk more of the fan than of yourself.", "Talk more of yourself."),
}
"""What is written where a trait does well, and where it does badly."""

AVOID: Final = "Do not say “{}”."
PRICE: Final = "Price an offer at {} {}."

MOST_PHRASES = 3
"""So many phrases come in with one proposal, and so many go out."""
MOST_KEPT_PHRASES = 60
"""A list of phrases that is as long gets no more from here."""
_EMOJI_TRAITS: Final = {
    "no_emoji": EmojiStyle.NONE,
    "some_emoji": EmojiStyle.MODERATE,
    "many_emoji": EmojiStyle.FREQUENT,
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One change with the findings that it rests on. `fields` may be laid over a voice alone."""

    strength: float
    findings: tuple[Finding, ...]
    line: str = ""
    replaces: tuple[str, ...] = ()
    add_phrase: str = ""
    drop_phrase: str = ""
    emoji_style: EmojiStyle | None = None


def suggestions(voice: Personality, findings: Sequence[Finding]) -> list[Suggestion]:
    """Changes that the findings speak for, the strongest first.

    A trait that does well for one outcome and badly for another is left alone: that is for people
    to weigh. What the voice says already is not said again.
    """
    found = [
        *_instructions(findings),
        *_emoji(voice, findings),
        *_price(findings),
        *_phrases(voice, findings),
    ]
    changing = [one for one in found if changed(voice, [one])]
    return sorted(changing, key=lambda one: -one.strength)


def changed(voice: Personality, wanted: Iterable[Suggestion]) -> dict[str, Any]:
    """The fields of a voice that these suggestions change, with their new values."""
    wanted = list(wanted)
    prompt, lines = split_prompt(voice.system_prompt)
    phrases = list(voice.preferred_phrases)
    emoji = voice.emoji_style
    for one in wanted:
        lines = [line for line in lines if line not in one.replaces]
        if one.line and one.line not in lines:
            lines.append(one.line)
        if one.add_phrase and not _known(one.add_phrase, phrases):
            phrases.append(one.add_phrase)
        phrases = [each for each in phrases if each.casefold() != one.drop_phrase]
        emoji = one.emoji_style or emoji
    values = {
        "system_prompt": join_prompt(prompt, lines),
        "preferred_phrases": tuple(phrases),
        "emoji_style": emoji,
    }
    return {name: value for name, value in values.items() if value != getattr(voice, name)}


def split_prompt(prompt: str) -> tuple[str, list[str]]:
    """A voice's instructions without the part that learning writes, and the lines of that part."""
    own: list[str] = []
    lines: list[str] = []
    inside = False
    for line in prompt.split("\n"):
        if line.strip() == HEADING:
            inside = True
        elif inside and line.startswith("- "):
            lines.append(line[2:].strip())
        elif inside and not line.strip():
            inside = False
        else:
            inside = False
            own.append(line)
    return "\n".join(own).rstrip(), lines


def join_prompt(own: str, lines: Sequence[str]) -> str:
    """The reverse of `split_prompt`."""
    if not lines:
        return own
    part = "\n".join((HEADING, *(f"- {line}" for line in lines)))
    return f"{own}\n\n{part}" if own else part


def _instructions(findings: Sequence[Finding]) -> Iterable[Suggestion]:
    for trait, (more, less) in LINES.items():
        votes, direction = _votes(trait, findings)
        if direction:
            line, other = (more, less) if direction > 0 else (less, more)
            yield Suggestion(_strength(votes), votes, line, replaces=(other,))


def _votes(arm: str, findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], int]:
    """What was found of an arm, and the way in which all of it points; 0 where it does not agree.

    A finding over all creators that is not expected of this one has no vote.
    """
    votes = tuple(one for one in findings if one.arm == arm and _counts(one))
    signs = {1 if one.expected > 0 else -1 for one in votes}
    return votes, signs.pop() if len(signs) == 1 else 0


def _counts(one: Finding) -> bool:
    return one.outcome not in {Outcome.REMOVED, Outcome.ADDED} and (
        one.expected * (one.rate - one.otherwise) > 0 or not one.everywhere
    )


def _strength(votes: Sequence[Finding]) -> float:
    """How sure the surest finding is: its effect in half widths of its interval."""
    return max(
        abs(one.rate - one.otherwise) / max((one.high - one.low) / 2, 1e-12) for one in votes
    )


def _emoji(voice: Personality, findings: Sequence[Finding]) -> Iterable[Suggestion]:
    """The style whose trait is expected to do best; where only bad ones are known, away from it."""
    good: list[tuple[float, EmojiStyle, tuple[Finding, ...]]] = []
    bad: list[tuple[EmojiStyle, tuple[Finding, ...]]] = []
    for trait, style in _EMOJI_TRAITS.items():
        votes, direction = _votes(trait, findings)
        if direction > 0:
            good.append((max(one.expected for one in votes), style, votes))
        elif direction < 0:
            bad.append((style, votes))
    if good:
        _, style, votes = max(good, key=lambda one: one[0])
        if voice.emoji_style is not style:
            yield Suggestion(_strength(votes), votes, emoji_style=style)
        return
    for style, votes in bad:
        away = EmojiStyle.MODERATE if style is not EmojiStyle.MODERATE else EmojiStyle.RARE
        stands = {style, EmojiStyle.RARE} if style is EmojiStyle.NONE else {style}
        if voice.emoji_style in stands:
            yield Suggestion(_strength(votes), votes, emoji_style=away)


def _price(findings: Sequence[Finding]) -> Iterable[Suggestion]:
    """The band of prices that brings most, if one was found to bring more than the others."""
    better = [
        one
        for one in findings
        if one.arm.startswith("price:") and one.outcome is Outcome.REVENUE and one.expected > 0
    ]
    if not better:
        return
    best = max(better, key=lambda one: one.expected)
    band = PRICE_BANDS[int(best.arm.removeprefix("price:"))]
    others = tuple(PRICE.format(each, best.currency) for each in PRICE_BANDS if each != band)
    line = PRICE.format(band, best.currency)
    yield Suggestion(_strength([best]), (best,), line, replaces=others)


def _phrases(voice: Personality, findings: Sequence[Finding]) -> Iterable[Suggestion]:
    """Phrases that did well or badly, and those that people put in or take out."""
    likes: list[tuple[float, str, tuple[Finding, ...]]] = []
    dislikes: list[tuple[float, str, tuple[Finding, ...]]] = []
    for arm in dict.fromkeys(one.arm for one in findings if one.arm.startswith(PHRASE)):
        votes, direction = _votes(arm, findings)
        edits = tuple(
            one
            for one in findings
            if one.arm == arm and one.outcome in {Outcome.REMOVED, Outcome.ADDED}
        )
        ways = {1 if one.outcome is Outcome.ADDED else -1 for one in edits}
        ways |= {direction} - {0}
        if len(ways) != 1:
            continue
        rested = (*votes, *edits)
        into = likes if ways == {1} else dislikes
        into.append((_strength(rested), arm.removeprefix(PHRASE), rested))
    if len(voice.preferred_phrases) < MOST_KEPT_PHRASES:
        for strength, phrase, rested in _apart(likes):
            yield Suggestion(strength, rested, replaces=(AVOID.format(phrase),), add_phrase=phrase)
    for strength, phrase, rested in _apart(dislikes):
        line = AVOID.format(phrase)
        yield Suggestion(strength, rested, line, drop_phrase=phrase)


def _apart(
    phrases: Sequence[tuple[float, str, tuple[Finding, ...]]],
) -> list[tuple[float, str, tuple[Finding, ...]]]:
    """The surest, none of which holds or overlaps another one."""
    chosen: list[tuple[float, str, tuple[Finding, ...]]] = []
    for one in sorted(phrases, key=lambda each: (-each[0], -len(each[1]), each[1])):
        words = set(one[1].split())
        if all(len(words & set(other[1].split())) * 2 <= len(words) for other in chosen):
            chosen.append(one)
    return chosen[:MOST_PHRASES]


def _known(phrase: str, phrases: Sequence[str]) -> bool:
    return any(phrase in each.casefold() for each in phrases)
