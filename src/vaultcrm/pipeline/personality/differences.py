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
"""So many characters of an unchanged stretch are kept on the side of a change."""

_WORD = re.compile(r"\S+\s*|\s+")


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
            pieces = _pieces(old, new, glue=None)
        elif name == "emoji_style":
            pieces = (Piece(old, Kind.TAKEN), Piece(new, Kind.ADDED))
        else:
            pieces = _pieces(_WORD.findall(old), _WORD.findall(new), glue="")
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
    head = "" if begins else piece.text[:CONTEXT]
    tail = "" if ends else piece.text[-CONTEXT:]
    if len(piece.text) <= len(head) + len(tail) + CONTEXT:
        return piece
    return replace(piece, text=f"{head}…{tail}")


def rebase(
    typed: Mapping[str, str], base: Mapping[str, str], newest: Mapping[str, str]
) -> dict[str, str]:
    """What was typed over `base`, carried over to `newest`: a field that was not touched is theirs.

    All three go by the same names.
    """
    return {name: newest[name] if text == base[name] else text for name, text in typed.items()}


def _pieces(old: Sequence[str], new: Sequence[str], *, glue: str | None) -> tuple[Piece, ...]:
    """How one sequence becomes the other; with `glue`, neighbours of one kind are one piece."""
    pieces: list[Piece] = []
    for _, old_start, old_end, new_start, new_end in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        taken, added = old[old_start:old_end], new[new_start:new_end]
        if taken == added:
            runs = [(Kind.SAME, taken)]
        else:
            runs = [(Kind.TAKEN, taken), (Kind.ADDED, added)]
        for kind, items in runs:
            joined = items if glue is None else [glue.join(items)] if items else []
            pieces += [Piece(item, kind) for item in joined]
    return tuple(pieces)
