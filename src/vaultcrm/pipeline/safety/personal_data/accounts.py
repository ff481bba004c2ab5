"""Numbers of cards, bank accounts, wallets and social security: those that have a checksum or rule.

Ranges of card numbers are those that the schemes publish; areas of social security numbers follow
the rules of the SSA.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from vaultcrm.pipeline.safety.normalise.folding import fold
from vaultcrm.pipeline.safety.normalise.view import View
from vaultcrm.pipeline.safety.patterns import Pattern
from vaultcrm.pipeline.safety.personal_data.checksums import (
    IBAN_LENGTHS,
    base58check_is_valid,
    bech32_is_valid,
    eip55_is_valid,
    iban_is_valid,
    luhn,
)
from vaultcrm.pipeline.safety.personal_data.kinds import (
    CARD,
    CRYPTO,
    CRYPTO_UNSURE,
    IBAN,
    SSN,
    Sighting,
)

MAX_HASHES = 2
"""So many Ethereum addresses of one text have their capitals checked; the rest counts as sure."""


def _all_lengths(*lengths: int) -> frozenset[int]:
    return frozenset(lengths)


# First digits, in order of preference, and how many digits a number of that scheme has.
_SCHEMES = (
    (re.compile(r"4"), _all_lengths(13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), _all_lengths(16)),
    (re.compile(r"3[47]"), _all_lengths(15)),
    (re.compile(r"6011|64[4-9]|65"), _all_lengths(16, 19)),
    (re.compile(r"3(?:0[0-5]|095|6|8|9)"), _all_lengths(14, 16)),
    (re.compile(r"35(?:2[89]|[3-8])"), _all_lengths(16, 19)),
    (re.compile(r"62|81"), _all_lengths(16, 17, 18, 19)),
    (re.compile(r"5018|5020|5038|5893|6304|6759|676[1-3]"), _all_lengths(*range(13, 20))),
)
_CARDS = Pattern(r"\d(?:[ \-./_\n]{0,3}\d){12,}")
_GROUPS = re.compile(r"\d+")
_LONGEST_CARD = 19


def is_card(digits: str) -> bool:
    """Whether digits are a card number: a scheme's range and length, and Luhn's check digit."""
    return len(digits) in _card_lengths(digits[:4]) and len(set(digits)) > 1 and luhn(digits)


@lru_cache(maxsize=1024)
def _card_lengths(first: str) -> frozenset[int]:
    """How many digits a card number may have whose first four these are."""
    return frozenset().union(*(lengths for start, lengths in _SCHEMES if start.match(first)))


def cards(view: View) -> Iterator[Sighting]:
    for first, last in _CARDS.spans(view.text):
        groups = [match.span() for match in _GROUPS.finditer(view.text, first, last)]
        at = 0
        while at < len(groups):
            end = _card_end(view.text, groups, at)
            if end > at:
                yield Sighting(CARD, groups[at][0], groups[end - 1][1])
            at = max(end, at + 1)


def _card_end(text: str, groups: list[tuple[int, int]], at: int) -> int:
    """How many groups there are up to the end of the longest card that starts with `at`; or 0."""
    digits, best = "", 0
    for number in range(at, len(groups)):
        start, end = groups[number]
        if len(digits) + end - start > _LONGEST_CARD:
            break
        digits += text[start:end]
        if is_card(digits):
            best = number + 1
    return best


_IBAN_STARTS = Pattern(r"\b[a-z]{2}[ \-]?\d{2}[ .\-]?[a-z0-9]{2}")


def ibans(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, _ in _IBAN_STARTS.spans(text):
        length = IBAN_LENGTHS.get(text[start : start + 2], 0)
        compact, at = "", start
        while at < len(text) and len(compact) < length:
            char = text[at]
            if char.isascii() and char.isalnum():
                compact += char
            elif char not in " -." or text[at - 1] in " -.":
                break
            at += 1
        ends_here = at == len(text) or not text[at].isalnum()
        if length and len(compact) == length and ends_here and iban_is_valid(compact):
            yield Sighting(IBAN, start, at)


_PREFIXED_ADDRESSES = Pattern(
    r"\b(?:0x[a-f0-9]{40}|(?:bc1|ltc1)[02-9ac-hj-np-z]{20,71}|bitcoincash:[a-z0-9]{42})\b"
)
_BASE58_WORDS = Pattern(r"\b[a-z0-9]{26,35}\b")
_COIN_NEAR = re.compile(
    r"\b(?:btc|bitcoins?|crypto|wallet|coins?|ltc|litecoin|doge|tron|trx|usdt|address)\b"
)


def wallets(view: View) -> Iterator[Sighting]:
    """Addresses of cryptocurrencies. Case carries a checksum, so it is read where it was typed."""
    text = view.text
    hashes = 0
    for start, end in _PREFIXED_ADDRESSES.spans(text):
        sure = True
        if text.startswith("0x", start):
            digits = _as_typed(view, start + 2, end)
            if hashes < MAX_HASHES and not (digits.islower() or digits.isupper()):
                hashes += 1
                sure = eip55_is_valid(digits)
        elif "1" in text[start : start + 4]:
            sure = bech32_is_valid(text[start:end])
        yield Sighting(CRYPTO if sure else CRYPTO_UNSURE, start, end)
    for start, end in _BASE58_WORDS.spans(text):
        if text[start:end].isalpha():
            continue
        if base58check_is_valid(_as_typed(view, start, end)):
            yield Sighting(CRYPTO, start, end)
        elif text[start] in "13" and _COIN_NEAR.search(text, max(0, start - 40), start):
            yield Sighting(CRYPTO_UNSURE, start, end)


def _as_typed(view: View, start: int, end: int) -> str:
    """The span with its capitals, without characters that show nothing."""
    first, last = view.span(start, end)
    typed = view.original[first:last]
    if typed.isascii():
        return typed
    return "".join(unicodedata.normalize("NFKC", char) for char in typed if fold(char))


_SSNS = Pattern(r"\b\d{3}[\- ]\d{2}[\- ]\d{4}\b")
_SSN_NEAR = re.compile(r"\b(?:ssn|social(?: security)?(?: (?:number|no))?)\b")


def social_security_numbers(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, end in _SSNS.spans(text):
        number = text[start:end]
        if "-" not in number and not _SSN_NEAR.search(text, max(0, start - 30), start):
            continue
        area, group, serial = number[:3], number[4:6], number[7:]
        if area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000":
            yield Sighting(SSN, start, end)
