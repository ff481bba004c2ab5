"""What differs between two versions of a voice: field by field, text by words, lists by entries."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum

from vaultcrm.domain.personality import Personality

FIELDS = (
    "personality_type",
    "tone_descriptors",
    "preferred_phrases",
    "forbidden_words",
    "emoji_style",
    "system_prompt",
)
"""The fields of a `Personality` that people write, in the order in which they are shown."""

CONTEXT = 60
"""At most so many characters of a long unchanged stretch are kept on the side of a change."""

_WORD = re.compile(r"\S+|\s+")
_HEAD = re.compile(r"\s*\S*$")
_TAIL = re.compile(r"^\S*\s*")


class Kind(StrEnum):
    SAME = "same"
    TAKEN = "taken"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, or an entry of a list, that both have, or that one of them has."""

    text: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same. `is_list`: each piece is an entry; else they are one text."""

    field: str
    is_list: bool
    pieces: tuple[Piece, ...]


def differences(before: Personality, after: Personality) -> tuple[Difference, ...]:
    """The fields in which two voices differ. Whose they are and their versions do not count."""
    found = []
    for name in FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        is_list = isinstance(old, tuple)
        if is_list:
            pieces = _entry_pieces(old, new)
        elif name == "emoji_style":
            pieces = (Piece(old, Kind.TAKEN), Piece(new, Kind.ADDED))
        else:
            pieces = _word_pieces(_WORD.findall(old), _WORD.findall(new))
        found.append(Difference(name, is_list, pieces))
    return tuple(found)


def in_context(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces of a text with long unchanged stretches cut to what is beside a change."""
    last = len(pieces) - 1
    return tuple(
        _cut(piece, begins=index == 0, ends=index == last) if piece.kind is Kind.SAME else piece
        for index, piece in enumerate(pieces)
    )


def _cut(piece: Piece, *, begins: bool, ends: bool) -> Piece:
    """An unchanged stretch; one that begins or ends the text has a change on its other side."""
    text = piece.text
    if len(text) <= 3 * CONTEXT:
        return piece
    # Whole words are kept, unless one alone is longer than what is kept.
    head = "" if begins else _HEAD.sub("", text[:CONTEXT]) or text[:CONTEXT]
    tail = "" if ends else _TAIL.sub("", text[-CONTEXT:]) or text[-CONTEXT:]
    return replace(piece, text=f"{head}…{tail}")


def rebase(
    typed: Mapping[str, str], base: Mapping[str, str], newest: Mapping[str, str]
) -> dict[str, str]:
    """What was typed over `base`, carried over to `newest`: a field that was not touched is theirs.

    All three go by the same names.
    """
    return {name: newest[name] if text == base[name] else text for name, text in typed.items()}


def _entry_pieces(old: Sequence[str], new: Sequence[str]) -> tuple[Piece, ...]:
    """How one list becomes the other, entry by entry."""
    pieces: list[Piece] = []
    for taken, added in _runs(old, new):
        if taken == added:
            pieces += [Piece(entry, Kind.SAME) for entry in taken]
        else:
            pieces += [Piece(entry, Kind.TAKEN) for entry in taken]
            pieces += [Piece(entry, Kind.ADDED) for entry in added]
    return tuple(pieces)


def _word_pieces(old: Sequence[str], new: Sequence[str]) -> tuple[Piece, ...]:
    """How one text becomes the other. Spaces alone keep no two changes apart: a phrase for a
    phrase is easier to read than a word for each word.
    """
    runs = [("".join(taken), "".join(added)) for taken, added in _runs(old, new)]
    joined: list[tuple[str, str]] = []
    for index, (taken, added) in enumerate(runs):
        changed = taken != added
        between = 0 < index < len(runs) - 1 and not taken.strip()
        before = bool(joined) and joined[-1][0] != joined[-1][1]
        if before and (changed or between):
            joined[-1] = (joined[-1][0] + taken, joined[-1][1] + added)
        else:
            joined.append((taken, added))
    pieces: list[Piece] = []
    for taken, added in joined:
        if taken == added:
            pieces.append(Piece(taken, Kind.SAME))
        else:
            pieces += [Piece(taken, Kind.TAKEN)] if taken else []
            pieces += [Piece(added, Kind.ADDED)] if added else []
    return tuple(pieces)


def _runs(old: Sequence[str], new: Sequence[str]) -> list[tuple[Sequence[str], Sequence[str]]]:
    """Stretches of one sequence and what they are in the other, in their order."""
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(old[start:end], new[at:to]) for _, start, end, at, to in codes]
