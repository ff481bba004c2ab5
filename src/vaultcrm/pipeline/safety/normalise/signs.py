"""Signs that are drawn like letters though no table of Unicode says so.

Unicode's own confusables hold letters of alphabets that people write in. What is sold as "fancy
text" borrows from syllabaries, currencies, mathematics and emoji, where one sign may be meant as
this letter or as that. `LETTERS` gives every choice, `SIGNS` the first.
"""

import re
import unicodedata

from vaultcrm.pipeline.safety.normalise.view import View, ViewName

_DRAWN_LIKE = {
    "a": "卂ᗩᏗค₳∆∀⟑ΛᎪꓥДдÅ∧ªλ𐌀Ꭿ",
    "b": "乃ыЫᗷᏰ๒฿ßᏏБбЪъЬьβ♭ⲃყ",
    "c": "匚ᑕፈς₵©¢ᏟↃ⊂ℭƈ",
    "d": "ᗪᎴ๔ĐðᎠ∂δԁↁɖᑯ",
    "e": "乇Ꮛє€ƎΣ∑ξэЭ∃℮ᎬƐɛɘ𐌄ҽ",
    "f": "千ᖴƒ₣ϝℱᎦŦʄ",
    "g": "ᎶﻮᏀ₲ɢցɠ⅁ᎮԌ",
    "h": "卄ԋᏂђⱧНн♓ᕼℋӇԋɦ",
    "i": "丨Ꭵ¡ℹ❗❕เ⏽ıɨ🇮ị",
    "j": "ﾌフᏠןᎫ⨼ᒍʝյ",
    "k": "ҜҟӄᏦ₭кКᏥᛕҠʞƙ",
    "l": "ㄥᏝɭⱠ£ℓᏞᒪ⅃Ⅼʟ",
    "m": "爪Ꮇ๓₥ммϻᗰ〽ოɱ𐌌Ⅿ",
    "n": "几ղᏁภ₦ипПлЛηᑎИΠπ∩ռɳ𐌍",
    "o": "ㄖᎧ๏ØθΘ⊙σФфюЮ◯⭕○●♡☯°ø⚪⚫🔴🔵▢ºΩ𐌏օ",
    "p": "卩ᎮקᑭþÞ₱ρ℗🅿РƿᏢ",
    "q": "ɊᎤợԚԛᑫգʠ۹",
    "r": "尺ᏒгГяЯ®ℜᖇɾʀᖈᏛ",
    "s": "丂ֆᏕร§₴ᔕʂҍѕ💲ꙅⲋ",
    "t": "ㄒէᏖՇ₮†тТτ╋✝➕✚⊤ƚㅜ",
    "u": "ㄩᏬย∪µцЦυᑌ⛎Ʉմμʊ",
    "v": "ᐯᏉש√✔✅∨ѵ⋁ʋν𐌖۷",
    "w": "山ᏇฬωшШщЩ₩ᗯψѡʍա",
    "x": "乂ጀא×❌✖✘ж☓Ж᙭÷ӾӼχ",
    "y": "ㄚվչᎩץ¥ՎчЧƔʏ௶ყʎϒ",
    "z": "乙ፚ☡ζζᏃʐƶⱫʑ",
}
# Where a sign is drawn like several letters, what it is meant as most often.
_FIRST = {"и": "u", "σ": "o", "ω": "w", "Ꭾ": "p", "ꭾ": "p", "ყ": "y"}
_HEARTS_AND_STARS = "❤♥💙💚💛💜🖤🤍🤎🧡💗💖💕⭐★☆🌟🌸🌞🌕🍩🍑👁"


def _letters() -> dict[str, str]:
    table: dict[str, str] = {}
    for letter, signs in _DRAWN_LIKE.items():
        for sign in signs:
            for form in {sign, sign.lower()}:
                if not form.isascii() and len(form) == 1 and letter not in table.get(form, ""):
                    table[form] = table.get(form, "") + letter
    for sign, letter in _FIRST.items():
        table[sign] = letter + table.get(sign, "").replace(letter, "")
    table.update(dict.fromkeys(_HEARTS_AND_STARS, "o"))
    # A pair of these is a flag; spread out they are letters.
    table.update((chr(0x1F1E6 + place), chr(0x61 + place)) for place in range(26))
    return table


def _is_pictured(sign: str) -> bool:
    return unicodedata.category(sign) == "So" and not 0x1F1E6 <= ord(sign) <= 0x1F1FF


LETTERS = _letters()
"""Every letter that a sign may stand for, the likeliest first."""

SIGNS = {ord(sign): letters[0] for sign, letters in LETTERS.items() if not _is_pictured(sign)}
"""A table for `str.translate`: each sign but pictures as its likeliest letter."""

_SIGN_CHARACTERS = frozenset(map(chr, SIGNS))
_SIGN = "[" + re.escape("".join(map(chr, SIGNS))) + "]"
_NEEDS_SIGNS = re.compile(rf"[a-z]{_SIGN}|{_SIGN}[a-z]|(?:{_SIGN}\W?){{3}}")


def signs_view(plain: View) -> View | None:
    """With signs read as letters; None where none stands beside letters or others of its kind."""
    if plain.original.isascii() or _SIGN_CHARACTERS.isdisjoint(plain.text):
        return None
    if not _NEEDS_SIGNS.search(plain.text):
        return None
    return View(ViewName.SIGNS, plain.text.translate(SIGNS), plain.original, plain)
