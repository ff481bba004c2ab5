"""Data that identifies or reaches a person: what has a checksum or a grammar, not a word list.

Sources of the checks: Luhn (ISO/IEC 7812-1), IBAN (ISO 13616, check digits by ISO 7064 mod 97-10),
Base58Check (Bitcoin's address format), telephone numbers by the `phonenumbers` metadata, areas of
US social security numbers by the rules of the SSA. Everything runs over the `plain` view, so that
full-width or Arabic digits are read too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from phonenumbers import Leniency, PhoneNumberMatcher

from vaultcrm.domain.safety import Category, FindingTier
from vaultcrm.pipeline.safety.normalise import View
from vaultcrm.pipeline.safety.patterns import Pattern

MAX_NUMBERS = 48
"""So many runs of digits are tried as telephone numbers; a text with more goes to a person."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of personal data. `categories`: what a finding of it counts as."""

    id: str
    categories: tuple[Category, ...]
    tier: FindingTier
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """`start:end` are offsets into the view."""

    kind: Kind
    start: int
    end: int


_CONTACT = (Category.PERSONAL_DATA, Category.OFF_PLATFORM_CONTACT)
_PAYMENT = (Category.PERSONAL_DATA, Category.OFF_PLATFORM_PAYMENT)
_PRIVATE = (Category.PERSONAL_DATA,)
_LINK = (Category.OFF_PLATFORM_CONTACT,)
_BLOCK, _REVIEW = FindingTier.BLOCK, FindingTier.REVIEW

EMAIL = Kind("email", _CONTACT, _BLOCK, 0.98, "Contains an e-mail address.")
PHONE = Kind("phone", _CONTACT, _BLOCK, 0.95, "Contains a telephone number.")
LOCAL_PHONE = Kind("local_phone", _CONTACT, _REVIEW, 0.6, "May contain a local telephone number.")
MANY_NUMBERS = Kind(
    "many_numbers", _PRIVATE, _REVIEW, 0.5, "Holds more numbers than can be checked one by one."
)
CARD = Kind("card", _PRIVATE, _BLOCK, 0.98, "Contains a payment card number.")
IBAN = Kind("iban", _PAYMENT, _BLOCK, 0.99, "Contains a bank account number (IBAN).")
CRYPTO = Kind("crypto_address", _PAYMENT, _BLOCK, 0.99, "Contains a cryptocurrency address.")
SSN = Kind("ssn", _PRIVATE, _BLOCK, 0.95, "Contains what looks like a social security number.")
ADDRESS = Kind("street_address", _PRIVATE, _REVIEW, 0.8, "Contains what looks like an address.")
LINK = Kind("link", _LINK, _REVIEW, 0.8, "Contains a link to another site.")
HANDLE = Kind("handle", _LINK, _REVIEW, 0.6, "Names an account by its handle.")

KINDS = (
    EMAIL, PHONE, LOCAL_PHONE, MANY_NUMBERS, CARD, IBAN, CRYPTO, SSN, ADDRESS, LINK, HANDLE,
)  # fmt: skip


_WORTH_A_LOOK = re.compile(r"\d|@|://|\.[a-z]")
_DOTTED = re.compile(r"://|\.[a-z0-9]")
_DIGITS = re.compile(r"\d")
_NUMBERS = re.compile(r"\d+")
# Seven digits close together, the start of an IBAN, or one long word: without any of these there
# is no number to check.
_CODES = Pattern(
    r"\d(?:[ ().\-/\t\n\x{b7}]{0,3}\d){6}|\b[a-z]{2}\d{2}[ \-]?[a-z0-9]{2}|[a-z0-9]{20}"
)


def sightings(view: View, region: str) -> Iterator[Sighting]:
    """Everything in the plain view that is personal data; `region` is an ISO 3166 country code.

    National telephone numbers are read as those of `region`.
    """
    text = view.text
    if not _WORTH_A_LOOK.search(text):
        return
    if "@" in text:
        yield from _emails(text)
        yield from _handles(text)
    if _DOTTED.search(text):
        yield from _links(text)
    if not _DIGITS.search(text):
        return
    yield from _addresses(text)
    if _CODES.is_in(text):
        taken = bytearray(len(text))
        for find in (_cards, _ibans, _crypto, _ssns):
            for sighting in find(view):
                taken[sighting.start : sighting.end] = b"\1" * (sighting.end - sighting.start)
                yield sighting
        yield from _phones(text, region, taken)


_EMAIL = Pattern(r"[a-z0-9][a-z0-9._%+\-]{0,63}@(?:[a-z0-9\-]{1,63}\.){1,5}[a-z]{2,24}\b")


def _emails(text: str) -> Iterator[Sighting]:
    for start, end in _EMAIL.spans(text):
        yield Sighting(EMAIL, start, end)


# Names that are English words need a path or a scheme: "love you.me too" is no link.
_DOMAIN = (
    r"(?:[a-z0-9][a-z0-9\-]{0,62}\.){1,5}"
    r"(?:com|net|org|io|ly|gg|tv|xyz|biz|info|ru|uk|de|fr|eu|vip|cc|ee|bio|app)"
)
_WORDLIKE_DOMAIN = r"(?:[a-z0-9][a-z0-9\-]{0,62}\.){1,5}[a-z]{2,12}/[^\s/]"
_LINKS = Pattern(
    rf"(?:\b(?:https?|ftp|tg|whatsapp)://[^\s<>\"']{{2,}}"
    rf"|\bwww\.[^\s<>\"']{{3,}}"
    rf"|\b{_DOMAIN}(?:[/?#:][^\s<>\"']*|\b)"
    rf"|\b{_WORDLIKE_DOMAIN}[^\s<>\"']*)"
)


def _links(text: str) -> Iterator[Sighting]:
    for start, end in _LINKS.spans(text):
        if start and text[start - 1] == "@":
            continue
        bare = text[start:end].rstrip(".,;:!?)'\"")
        if _DIGITS.sub("", bare).strip("./"):
            yield Sighting(LINK, start, start + len(bare))


_NOT_HANDLES = frozenset(
    {"home", "work", "night", "school", "gym", "all", "everyone", "here", "the", "noon", "me"}
)


_HANDLES = Pattern(r"@[a-z_][a-z0-9_.]{1,29}")


def _handles(text: str) -> Iterator[Sighting]:
    for start, end in _HANDLES.spans(text):
        if start and (text[start - 1].isalnum() or text[start - 1] in "._-@"):
            continue
        name = text[start + 1 : end].rstrip(".")
        if len(name) > 2 and name not in _NOT_HANDLES:
            yield Sighting(HANDLE, start, start + 1 + len(name))


_CARDS = Pattern(r"\b[2-6](?:[ \-.]?\d){12,18}\b")


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others, by ISO/IEC 7812-1."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _cards(view: View) -> Iterator[Sighting]:
    for start, end in _CARDS.spans(view.text):
        digits = "".join(char for char in view.text[start:end] if char.isdigit())
        if luhn(digits) and len(set(digits)) > 1:
            yield Sighting(CARD, start, end)


_IBAN_LENGTHS = {
    "ad": 24, "ae": 23, "al": 28, "at": 20, "az": 28, "ba": 20, "be": 16, "bg": 22, "bh": 22,
    "br": 29, "by": 28, "ch": 21, "cr": 22, "cy": 28, "cz": 24, "de": 22, "dk": 18, "do": 28,
    "ee": 20, "eg": 29, "es": 24, "fi": 18, "fo": 18, "fr": 27, "gb": 22, "ge": 22, "gi": 23,
    "gl": 18, "gr": 27, "gt": 28, "hr": 21, "hu": 28, "ie": 22, "il": 23, "iq": 23, "is": 26,
    "it": 27, "jo": 30, "kw": 30, "kz": 20, "lb": 28, "lc": 32, "li": 21, "lt": 20, "lu": 20,
    "lv": 21, "mc": 27, "md": 24, "me": 22, "mk": 19, "mr": 27, "mt": 31, "mu": 30, "nl": 18,
    "no": 15, "pk": 24, "pl": 28, "ps": 29, "pt": 25, "qa": 29, "ro": 24, "rs": 22, "sa": 24,
    "se": 24, "si": 19, "sk": 24, "sm": 27, "tn": 24, "tr": 26, "ua": 29, "va": 22, "vg": 24,
    "xk": 20,
}  # fmt: skip


def iban_is_valid(compact: str) -> bool:
    """Whether a lower-case IBAN without spaces has its country's length and right check digits."""
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


_IBAN_STARTS = Pattern(r"\b[a-z]{2}\d{2}[ \-]?[a-z0-9]{2}")


def _ibans(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, _ in _IBAN_STARTS.spans(text):
        length = _IBAN_LENGTHS.get(text[start : start + 2], 0)
        compact, at = "", start
        while at < len(text) and len(compact) < length:
            char = text[at]
            if char.isascii() and char.isalnum():
                compact += char
            elif char not in " -" or text[at - 1] in " -":
                break
            at += 1
        ends_here = at == len(text) or not text[at].isalnum()
        if length and len(compact) == length and ends_here and iban_is_valid(compact):
            yield Sighting(IBAN, start, at)


_BASE58 = {
    char: value
    for value, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}


def base58check_is_valid(address: str) -> bool:
    """Whether the last four bytes are the double SHA-256 of the others (Bitcoin's Base58Check)."""
    number = 0
    for char in address:
        if char not in _BASE58:
            return False
        number = number * 58 + _BASE58[char]
    raw = number.to_bytes(25, "big") if number < 1 << 200 else b""
    return bool(raw) and sha256(sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


_PREFIXED_ADDRESSES = Pattern(r"\b(?:0x[a-f0-9]{40}|(?:bc1|ltc1)[02-9ac-hj-np-z]{20,71})\b")
_BASE58_WORDS = Pattern(r"\b[a-z0-9]{26,35}\b")


def _crypto(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, end in _PREFIXED_ADDRESSES.spans(text):
        yield Sighting(CRYPTO, start, end)
    for start, end in _BASE58_WORDS.spans(text):
        first, last = view.span(start, end)
        if last - first == end - start and base58check_is_valid(view.original[first:last]):
            yield Sighting(CRYPTO, start, end)


_SSNS = Pattern(r"\b\d{3}-\d{2}-\d{4}\b")


def _ssns(view: View) -> Iterator[Sighting]:
    for start, end in _SSNS.spans(view.text):
        area, group, serial = view.text[start:end].split("-")
        if area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000":
            yield Sighting(SSN, start, end)


_STREETS = Pattern(
    r"\b\d{1,5}[a-z]? (?:[nsew]\.? |north |south |east |west )?(?:[a-z0-9']{2,20} ){1,3}"
    r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|ln|highway|hwy|parkway|pkwy|terrace)\b"
)
_WORDLIKE_STREETS = Pattern(
    r"\b\d{2,5}[a-z]? (?:[nsew]\.? )?(?:[a-z']{3,20} ){1,2}"
    r"(?:lane|drive|dr|court|ct|way|place|pl|circle|cir|square|sq)\b"
)
_OTHER_ADDRESSES = Pattern(
    r"\b(?:p\.? ?o\.? box \d{1,6}"
    r"|(?:apt|apartment|unit|suite)\.? ?#?\d{1,5}[a-z]?"
    r"|[a-z]{3,20}, ?[a-z]{2},? \d{5}(?:-\d{4})?)\b"
)
_NOT_IN_STREETS = frozenset(
    {
        "a", "about", "above", "ago", "all", "along", "and", "another", "any", "are", "at",
        "away", "because", "but", "by", "can", "car", "cent", "cents", "day", "days",
        "degrees", "dollars", "every", "few", "first", "for", "from", "good", "got", "had",
        "half", "have", "her", "his", "hour", "hours", "i", "i'd", "i'll", "i'm", "i've",
        "if", "in", "into", "is", "it", "just", "last", "left", "like", "long", "me",
        "mile", "miles", "min", "mins", "minute", "minutes", "month", "months", "more",
        "most", "much", "my", "next", "nice", "of", "off", "on", "one", "or", "other",
        "our", "out", "over", "people", "per", "photos", "pics", "really", "second",
        "seconds", "so", "some", "that", "the", "their", "them", "there", "they", "this",
        "times", "to", "too", "up", "us", "videos", "was", "way", "we", "week", "weeks",
        "went", "were", "what", "when", "will", "with", "year", "years", "you", "your",
    }
)  # fmt: skip


def _addresses(text: str) -> Iterator[Sighting]:
    for pattern in (_STREETS, _WORDLIKE_STREETS):
        for start, end in pattern.spans(text):
            if _NOT_IN_STREETS.isdisjoint(text[start:end].split()[1:-1]):
                yield Sighting(ADDRESS, start, end)
    for start, end in _OTHER_ADDRESSES.spans(text):
        yield Sighting(ADDRESS, start, end)


_NANP = Pattern(r"(?:\+?\b1[ .\-]?)?(?:\(\d{3}\)[ .\-]?|\b\d{3}[ .\-])\d{3}[ .\-]\d{4}\b")
_NUMBER = Pattern(r"\+?\(?\d(?:[ ().\-/\t\n\x{b7}]{0,3}\d){6,19}")
_LOCAL = Pattern(r"^[2-9]\d{2}-\d{4}$")
_DATE = Pattern(
    r"^(?:\d{4}[\-/.]\d{1,2}[\-/.]\d{1,2}|\d{1,2}[\-/.]\d{1,2}[\-/.]\d{4})(?: \d{1,2})?$"
)


def _phones(text: str, region: str, taken: bytearray) -> Iterator[Sighting]:
    """Numbers outside of what is `taken` by another kind: a 1 for each character that is."""
    for start, end in _NANP.spans(text):
        if 1 not in taken[start:end]:
            taken[start:end] = b"\1" * (end - start)
            yield Sighting(PHONE, start, end)
    tried = 0
    for start, end in _NUMBER.spans(text):
        if 1 in taken[start:end]:
            continue
        if tried == MAX_NUMBERS:
            yield Sighting(MANY_NUMBERS, start, len(text))
            return
        tried += 1
        candidate = text[start:end]
        if _DATE.is_in(candidate) or _counts(candidate):
            continue
        if _LOCAL.is_in(candidate):
            yield Sighting(LOCAL_PHONE, start, end)
        elif found := _phone_within(candidate, region):
            yield Sighting(PHONE, start + found[0], start + found[1])


def _counts(candidate: str) -> bool:
    """Whether numbers go up or down by one, as in "1 2 3 4 5 6 7 8 9 10"."""
    numbers = [int(number) for number in _NUMBERS.findall(candidate)]
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    return len(numbers) > 4 and steps in ({1}, {-1})


def _phone_within(candidate: str, region: str) -> tuple[int, int] | None:
    leniency = Leniency.POSSIBLE if candidate.startswith("+") else Leniency.VALID
    match = next(iter(PhoneNumberMatcher(candidate, region, leniency, max_tries=4)), None)
    return (match.start, match.end) if match else None
