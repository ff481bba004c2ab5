"""Personalities as people see them: fields as text, problems in words, what versions changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Record
from vaultcrm.db.queries import personalities
from vaultcrm.db.queries.personalities import SavedVersion
from vaultcrm.domain.errors import InvalidInput, NotFound
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.domain.safety import Category, FindingTier
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.entrypoints.web.text import words
from vaultcrm.pipeline.personality import personality_or_default, voice_bytes
from vaultcrm.pipeline.personality.differences import (
    FIELDS,
    Difference,
    Piece,
    differences,
    in_context,
)
from vaultcrm.workflows.change_personality import History, read_history, read_version
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.try_personality import Sample, Trial

VERSIONS = 20
TALKS = 5

LISTS = ("tone_descriptors", "preferred_phrases", "forbidden_words")

_BY_API_NAME = {
    "personalityType": "personality_type",
    "toneDescriptors": "tone_descriptors",
    "preferredPhrases": "preferred_phrases",
    "forbiddenWords": "forbidden_words",
    "emojiStyle": "emoji_style",
    "systemPrompt": "system_prompt",
}


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A version and the names of the fields that it changed; None where that is not known."""

    saved: SavedVersion
    changed: tuple[str, ...] | None

    @property
    def number(self) -> int:
        return self.saved.voice.version


@dataclass(frozen=True, slots=True)
class Versions:
    """The right column. `chosen` is compared with the voice in force; `earlier` leads on."""

    shown: tuple[ShownVersion, ...]
    earlier: int | None
    first: bool
    chosen: SavedVersion | None = None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Clash:
    """Somebody saved a version while this one was edited: who, when, and what they changed."""

    theirs: SavedVersion
    differences: tuple[Difference, ...]
    both: tuple[str, ...]
    """Fields that both have changed: here what was typed would replace what they wrote."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a form has done. `undo` is the version that was in force before."""

    text: str
    undo: int | None = None


@dataclass(frozen=True, slots=True)
class Talks:
    """Conversations that a voice can be tried on."""

    rows: Sequence[Record]
    search: str
    chosen: UUID | None


@dataclass(frozen=True, slots=True)
class Editor:
    """What stands in the fields, what is wrong with it, and over which version it was typed."""

    creator_id: UUID
    current: Personality
    typed: Mapping[str, str]
    based_on: int
    versions: Versions
    talks: Talks
    latest: Mapping[UUID, tuple[int, datetime]]
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    clash: Clash | None = None
    notice: Notice | None = None
    trial: Trial | None = None
    trial_problem: str = ""
    generation_type: GenerationType = GenerationType.REPLY


async def open_editor(
    parts: Parts,
    desk: Desk,
    creator_id: UUID,
    *,
    version: int | None = None,
    before: int | None = None,
    search: str = "",
    conversation_id: UUID | None = None,
) -> Editor:
    """The page of one creator; raises NotFound for a creator or version that is not there."""
    history = await read_history(parts, desk.caller, creator_id, before=before, limit=VERSIONS)
    chosen = None
    if version is not None:
        chosen = await read_version(parts, desk.caller, creator_id, version)
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            latest_sent = await personalities.latest(connection, list(desk.creators))
            talks_sent = await personalities.talks(connection, creator_id, name=search, limit=TALKS)
        latest = await latest_sent.answer()
        found = await talks_sent.answer()
    return Editor(
        creator_id=creator_id,
        current=history.current,
        typed=written(history.current),
        based_on=history.current.version,
        versions=lay_out(history, chosen, first=before is None),
        talks=Talks(found, search, conversation_id),
        latest=latest,
    )


def lay_out(history: History, chosen: SavedVersion | None, *, first: bool) -> Versions:
    """Versions with what each changed, and the differences of the chosen one to the current one."""
    saved = history.versions
    shown = [
        ShownVersion(newer, tuple(one.field for one in differences(older.voice, newer.voice)))
        for newer, older in pairwise(saved)
    ]
    if saved:
        shown.append(ShownVersion(saved[-1], None))
    return Versions(
        shown=tuple(shown),
        earlier=saved[-1].voice.version if history.more else None,
        first=first,
        chosen=chosen,
        differences=differences(history.current, chosen.voice) if chosen else (),
    )


def clash_of(base: Personality, theirs: SavedVersion, typed: Mapping[str, str]) -> Clash:
    """What somebody else changed since `base`, and where that meets what was typed over it."""
    theirs_changed = differences(base, theirs.voice)
    before, after = written(base), written(theirs.voice)
    both = tuple(
        one.field
        for one in theirs_changed
        if typed[one.field] not in {before[one.field], after[one.field]}
    )
    return Clash(theirs, theirs_changed, both)


async def base_of(parts: Parts, caller: Caller, creator_id: UUID, version: int) -> Personality:
    """The version that somebody edited; the default for version 0, and for one that never was."""
    default = personality_or_default(None, creator_id)
    if version == default.version:
        return default
    try:
        return (await read_version(parts, caller, creator_id, version)).voice
    except NotFound:
        return default


def written(voice: Personality) -> dict[str, str]:
    """The fields as they stand in a form: lists one entry a line."""
    texts = {}
    for name in FIELDS:
        value = getattr(voice, name)
        texts[name] = "\n".join(value) if isinstance(value, tuple) else str(value)
    return texts


def entries(text: str) -> list[str]:
    """The entries of a list as they were typed, each once, without empty lines."""
    return list(_numbered(text))


def _numbered(text: str) -> dict[str, int]:
    """Each entry with the line that it first stands on."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            found.setdefault(line.strip(), number)
    return found


def changes(current: Personality, typed: Mapping[str, str]) -> dict[str, Any]:
    """The fields that say something else than the voice in force."""
    before = written(current)
    found: dict[str, Any] = {}
    for name in FIELDS:
        if name in LISTS:
            if entries(typed[name]) != entries(before[name]):
                found[name] = entries(typed[name])
        elif typed[name] != before[name]:
            found[name] = typed[name]
    return found


def problems_of(error: InvalidInput, typed: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong, by field; an entry of a list is named by its line."""
    told: dict[str, list[str]] = {}
    for problem in error.problems:
        label, _, place = problem.field.partition(".")
        name = _BY_API_NAME.get(label, "system_prompt")
        line = list(_numbered(typed.get(name, "")).values())[int(place)] if place else None
        reason = problem.reason[:1].upper() + problem.reason[1:]
        told.setdefault(name, []).append(reason if line is None else f"Line {line}: {reason}")
    return told


def shown_pieces(one: Difference) -> tuple[Piece, ...]:
    """The pieces of a difference as they are shown: long unchanged text cut, codes in words."""
    if one.field == "emoji_style":
        return tuple(
            Piece(words.voices.EMOJI_STYLES[EmojiStyle(p.text)], p.kind) for p in one.pieces
        )
    if one.is_list:
        return one.pieces
    return in_context(one.pieces)


def size(typed: Mapping[str, str]) -> int:
    """How many bytes of a prompt the fields take, as the domain counts them."""
    tone, preferred, forbidden = (tuple(entries(typed[name])) for name in LISTS)
    style = EmojiStyle.NONE
    return voice_bytes(
        Personality(NIL, 0, "", tone, forbidden, preferred, style, typed["system_prompt"])
    )


def may_show(sample: Sample) -> bool:
    """Whether a sample's text may be read: not what the filter stops, unless for a word of this
    creator's own list, which is what a trial is there to show.
    """
    blocks = [one for one in sample.safety.findings if one.tier is FindingTier.BLOCK]
    return all(one.category is Category.FORBIDDEN_WORD for one in blocks)


def dollars(micro_usd: int) -> str:
    """`$0.0123`: a draft costs less than a cent, so cents alone would say nothing."""
    return f"${micro_usd / 1_000_000:.4f}"
