"""All personal data of one view: one look that says which kinds there may be, then those."""

from collections.abc import Iterable, Iterator

import re2

from vaultcrm.pipeline.safety.normalise.view import View
from vaultcrm.pipeline.safety.patterns import Pattern, quiet_options
from vaultcrm.pipeline.safety.personal_data.accounts import (
    cards,
    ibans,
    social_security_numbers,
    wallets,
)
from vaultcrm.pipeline.safety.personal_data.addresses import TRIGGER, addresses
from vaultcrm.pipeline.safety.personal_data.contacts import (
    emails,
    handles,
    links,
    named_accounts,
    spelled_links,
)
from vaultcrm.pipeline.safety.personal_data.kinds import (
    EMAIL,
    LINK,
    SPELLED_EMAIL,
    Sighting,
)
from vaultcrm.pipeline.safety.personal_data.phones import (
    MAX_NUMBERS,
    SPELLED_TRIGGER,
    phones,
    spelled_numbers,
    without,
)

# A sign, a dot before a letter, a dot or "at" in words, a network with something after it.
_SIGNS = (
    r"@|://|\.[a-z]|\[\.\]|\. ?(?:com|net|org)\b|\bwww\b"
    r"|\b(?:dot|punto|ponto|point|punkt|pkt)\b|\b(?:gmail|googlemail|hotmail|outlook|yahoo|icloud"
    r"|protonmail|proton|aol|gmx)\b"
)
_NETWORKS = (
    r"\b(?:instagram|insta|ig|snapchat|snap|sc|telegram|tg|kik|discord|twitter|tiktok|tik tok"
    r"|facebook|fb|wechat|whatsapp|skype|line|reddit|twitch|youtube|yt|onlyfans|fansly|cashapp"
    r"|cash app|venmo|paypal|threads|bluesky|linkedin|gmail|x)\b|[a-z0-9_.]#\d{4}|\bu/[a-z0-9]"
)
# Seven digits close together, the start of an IBAN, or one long word: without any of these there
# is no number to check.
_CODES = Pattern(
    r"\d(?:[ ().\-/\t\n\x{b7}_*~|\x{2022}]{0,3}\d){6}|\b[a-z]{2}[ \-]?\d{2}[ .\-]?[a-z0-9]{2}"
    r"|[a-z0-9]{20}"
)
_ADDRESSES = Pattern(TRIGGER)
_SIGN, _NETWORK, _DIGIT, _SPELLED = range(4)


def _looks() -> "re2.Set":
    looks = re2.Set.SearchSet(quiet_options())
    for pattern in (_SIGNS, _NETWORKS, r"\d", SPELLED_TRIGGER):
        looks.Add(pattern)
    looks.Compile()
    return looks


_LOOKS = _looks()
_HOLD_NUMBERS = frozenset({EMAIL, SPELLED_EMAIL, LINK})


def sightings(view: View, region: str, *, most_numbers: int = MAX_NUMBERS) -> Iterator[Sighting]:
    """Everything in the plain view that is personal data; `region` is an ISO 3166 country code.

    National telephone numbers are read as those of `region`. Sightings may overlap. After
    `most_numbers` candidates for telephone numbers the rest of the text is one `MANY_NUMBERS`.
    Time grows linearly with the text.
    """
    text = view.text
    seen = _LOOKS.Match(text)
    if not seen:
        return
    taken: list[tuple[int, int]] = []
    if _SIGN in seen:
        for sighting in _with_signs(text):
            if sighting.kind in _HOLD_NUMBERS:
                taken.append((sighting.start, sighting.end))
            yield sighting
    if _NETWORK in seen:
        yield from named_accounts(text)
    if _SPELLED in seen:
        yield from spelled_numbers(text)
    if _DIGIT not in seen:
        return
    if _ADDRESSES.is_in(text):
        yield from addresses(view)
    if _CODES.is_in(text):
        for find in (cards, ibans, wallets, social_security_numbers):
            for sighting in find(view):
                taken.append((sighting.start, sighting.end))
                yield sighting
        yield from phones(without(text, taken), region, most=most_numbers)


def _with_signs(text: str) -> Iterator[Sighting]:
    yield from emails(text)
    if "@" in text:
        yield from handles(text)
    yield from links(text)
    yield from spelled_links(text)


def united(found: Iterable[Sighting]) -> list[Sighting]:
    """Sightings in order, without overlaps: those that overlap are one, of the surest kind."""
    groups: list[list[Sighting]] = []
    reach = -1
    for sighting in sorted(found, key=lambda s: (s.start, s.end)):
        if sighting.start >= reach:
            groups.append([])
        groups[-1].append(sighting)
        reach = max(reach, sighting.end)
    return [
        Sighting(
            max(group, key=lambda s: (s.kind.score, s.end - s.start)).kind,
            group[0].start,
            max(sighting.end for sighting in group),
        )
        for group in groups
    ]
