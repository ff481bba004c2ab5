"""The `plain` view: each character as what it looks like, one by one."""

import re
import unicodedata
from collections.abc import Sequence

from anyascii import anyascii
from confusable_homoglyphs import confusables

REPLACEMENT = "\ufffd"
"""Stands for what cannot be read."""

# Marks that decorate letters of alphabets whose bare letter reads the same. Vowel signs of Indic
# and South-East Asian scripts are marks too, but dropping them would change the word.
_DECORATION = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),
)
# Code points that show nothing though Unicode does not call them format characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0")
_TYPOGRAPHY = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u02b9\u00b4`\uff07", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2028\u2029\u0085", "\n"),
}
_TAGS = range(0xE0020, 0xE007F)


def _is_decoration(char: str) -> bool:
    point = ord(char)
    return any(low <= point <= high for low, high in _DECORATION)


# Alphabets whose small letters are drawn as small capitals: their table entry is the capital's.
_SMALL_CAPITALS = tuple(
    chr(point)
    for point in (*range(0x03B1, 0x03CA), *range(0x0430, 0x0460), *range(0x2C81, 0x2CB2, 2))
)


def _lookalikes() -> dict[str, str]:
    """Characters that look like one ASCII letter or digit, by Unicode's table of confusables."""
    table: dict[str, str] = {}
    for char, alternatives in confusables.confusables_data.items():
        if len(char) != 1 or char.isascii():
            continue
        for alternative in alternatives:
            ascii_form: str = alternative["c"]
            if len(ascii_form) == 1 and ascii_form.isascii() and ascii_form.isalnum():
                table[char] = ascii_form.lower()
                break
    # Unicode puts every bare vertical stroke with `l`. These two are the letter I in their own
    # alphabets, and their small form is a dotted i. Small eta looks like n, its capital like H.
    table["\u0406"] = table["\u0399"] = "i"
    table["\u03b7"] = "n"
    table["\u04c0"] = table["\u04cf"] = "l"
    table["\u01b2"] = table["\u028b"] = "v"
    for char in _SMALL_CAPITALS:
        if char not in table and char.upper() in table:
            table[char] = table[char.upper()]
    return table


def _fold_character(char: str, lookalikes: dict[str, str]) -> str:
    """What one character reads as: lower-case ASCII where it can, "" where it shows nothing."""
    point = ord(char)
    if char in _TYPOGRAPHY:
        return _TYPOGRAPHY[char]
    if point in _TAGS:
        return chr(point - 0xE0000).lower()
    category = unicodedata.category(char)
    if category == "Cs":
        return REPLACEMENT
    if category == "Cf" or char in _BLANK or _is_decoration(char):
        return ""
    if category in {"Zs", "Zl", "Zp"}:
        return " "
    if category == "Nd":
        return str(unicodedata.digit(char))
    compatible = unicodedata.normalize("NFKC", char)
    if len(compatible) == 1 and compatible.isascii() and compatible.isalpha():
        return compatible.lower()
    # Before case folding: capital lookalikes fold to small letters that look like another letter.
    if char in lookalikes:
        return lookalikes[char]
    if len(compatible) == 3 and compatible[0] == "(" and compatible[1].isalpha():
        compatible = compatible[1]
    return "".join(_fold_part(part, lookalikes) for part in compatible)


def _fold_part(part: str, lookalikes: dict[str, str]) -> str:
    decomposed = unicodedata.normalize("NFD", part)
    if all(_is_decoration(mark) for mark in decomposed[1:]):
        part = decomposed[0]
    if _is_decoration(part):
        return ""
    folded = "".join(lookalikes.get(char, char) for char in lookalikes.get(part, part).casefold())
    if folded.isascii():
        return folded
    name = unicodedata.name(part, "")
    if name.startswith(("LATIN ", "NEGATIVE CIRCLED LATIN ", "NEGATIVE SQUARED LATIN ")):
        return str(anyascii(part)).lower() or folded
    return folded


class _FoldTable(dict[int, str]):
    """A table for `str.translate` that works out each character the first time it is met."""

    def __init__(self) -> None:
        super().__init__({point: chr(point).lower() for point in range(128)})
        self[ord("`")] = "'"
        self._lookalikes = _lookalikes()

    def __missing__(self, point: int) -> str:
        folded = _fold_character(chr(point), self._lookalikes)
        if len(self) < _FOLD_TABLE_SIZE:
            self[point] = folded
        return folded


# Room for the alphabets in daily use; a text of rare characters must not fill the memory.
_FOLD_TABLE_SIZE = 16_384
_FOLD = _FoldTable()


_NOT_PLAIN = re.compile(r"([^\x00-\x5f\x61-\x7f]+)")


def fold(text: str) -> str:
    """The `plain` view's text. Works character by character, so it commutes with slicing."""
    if text.isascii() and "`" not in text:
        return text.lower()
    # Looking up each character costs ten times what `lower` does; most of a text is plain.
    parts = _NOT_PLAIN.split(text)
    parts[::2] = [part.lower() for part in parts[::2]]
    parts[1::2] = [part.translate(_FOLD) for part in parts[1::2]]
    return "".join(parts)


def _is_accented(char: str) -> bool:
    """Whether it is a letter with an accent, as European languages are written with."""
    return 0xC0 <= ord(char) <= 0x17F


def is_lookalike(char: str) -> bool:
    """True for a character that is read as ASCII letters or digits, or not at all, but is not."""
    if char.isascii() or _is_accented(char):
        return False
    folded = char.translate(_FOLD)
    return (not folded and not _is_decoration(char)) or (folded.isascii() and folded.isalnum())


def positions_in(original: str, folded: str) -> Sequence[int] | None:
    """For each character of `fold(original)` the offset of the one that it was read from; None
    where every character stands where it stood.
    """
    if original.isascii():
        return None
    # ASCII is read character by character.
    if len(folded) == len(original) and all(
        len(char.translate(_FOLD)) == 1 for char in set(original) if not char.isascii()
    ):
        return None
    return [index for index, char in enumerate(original) for _ in range(len(_FOLD[ord(char)]))]
