"""Ways to reach somebody that are made of words: e-mail addresses, links and names of accounts.

Each is also found where it was written to slip through: `mia (at) gmail dot com`, `mysite [.] com`,
`my insta is mia.rose`, in English, Spanish, Portuguese, French and German.
"""

import re
from collections.abc import Iterator

from vaultcrm.pipeline.safety.patterns import Pattern
from vaultcrm.pipeline.safety.personal_data.kinds import (
    ACCOUNT,
    EMAIL,
    HANDLE,
    LINK,
    SPELLED_EMAIL,
    Sighting,
    words,
)

PROVIDERS = (
    "gmail|googlemail|hotmail|outlook|yahoo|ymail|icloud|protonmail|proton|aol|gmx|web|live|msn"
    "|mail|zoho|fastmail|tutanota|yandex|orange|free|laposte|uol|bol|terra|t-online|hey"
)
_SURE_PROVIDERS = "gmail|googlemail|hotmail|outlook|yahoo|icloud|protonmail|proton|aol|gmx"

# Endings that are no word in a chat: "love you.me too" and "hi.it was" are no links.
_ENDINGS = (
    "com|net|org|io|ly|gg|tv|xyz|biz|info|ru|uk|de|fr|eu|vip|cc|ee|bio|app|dev|ai|br|pt|nl|pl|jp"
    "|cz|dk|mx|fm|nz|edu|gov|studio|agency|blog|website|xxx"
)
_SPELLED_ENDINGS = (
    "com|net|org|io|co|me|tv|ly|gg|cc|info|xyz|app|bio|de|fr|es|br|pt|uk|eu|ch|at|nl|club|site"
    "|shop|store|online|link|vip|page|art|studio|blog|agency|media|social|website|xxx"
)
_SECOND_LEVEL = r"(?:\.(?:br|uk|au|mx|ar|nz|za|in|jp|es|pt|co|tr|sg|hk))?"

_DOT_WORD = r"(?:dot|punto|ponto|point|punkt|pkt)"
_DOT = rf"(?: ?\. ?| ?[(\[{{<*_\-]+ ?(?:{_DOT_WORD}|\.|,) ?[)\]}}>*_\-]+ ?| {_DOT_WORD} )"
_AT_WORD = r"(?:at|arroba|aroba|arobase|arobas|klammeraffe)"
_AT = (
    r"(?: ?[(\[{<*_\-]* ?@ ?[)\]}>*_\-]* ?"
    rf"| ?[(\[{{<*_\-]+ ?(?:{_AT_WORD}|a) ?[)\]}}>*_\-]+ ?| {_AT_WORD} )"
)
_INNER = (
    rf"(?:[._%+\-]| ?[(\[{{<*_\-]+ ?{_DOT_WORD} ?[)\]}}>*_\-]+ ?| {_DOT_WORD} "
    r"| ?(?:underscore|dash|hyphen|minus|unterstrich|guion bajo|underline) ?)"
)

_PLAIN_EMAIL = Pattern(r"[\pL\pN][\pL\pN._%+\-]*@(?:[\pL\pN\-]+\.)+\pL{2,24}")
_SPELLED_EMAIL = Pattern(
    rf"\b[a-z0-9]{{1,30}}(?:{_INNER}[a-z0-9]{{1,30}}){{0,4}}_?{_AT}"
    rf"(?:[a-z0-9](?:[a-z0-9\-]{{0,38}}[a-z0-9])?{_DOT}){{1,3}}(?:{_SPELLED_ENDINGS})\b"
)
_PROVIDER_EMAIL = Pattern(
    rf"\b[a-z0-9]{{1,30}}(?:{_INNER}[a-z0-9]{{1,30}}){{0,4}}_?{_AT}(?:{_SURE_PROVIDERS})\b"
)
_LETTERS_EMAIL = Pattern(
    r"\b[a-z0-9](?: ?[. _\-] ?[a-z0-9]\b){2,40} ?(?:@| at ) ?[a-z0-9](?: [a-z0-9\-]\b){2,40}"
    r" ?(?:\.| dot ) ?(?:c ?o ?m|n ?e ?t|o ?r ?g|i ?o|d ?e|f ?r|c ?o ?\.? ?u ?k)\b"
)
_IS_MAIL_HOST = re.compile(rf"(?:^|[^a-z0-9\-])(?:{PROVIDERS})(?![a-z0-9\-])")
_MAIL_CUE = re.compile(
    r"\b(?:e-?mails?|mails?|gmail|correo|courriel|mel|contact(?:o|ar|e)?|write|escrib\w+|escrev\w+"
    r"|ecri\w+|schreib\w*|reach|paypal|inbox|collabs?|bookings?|business|inquiries)\b"
)
# What stands before "at" in a sentence and is nobody's name.
_NOT_NAMES = words(
    """
    a all am an and are available be been both buy check click come contact dm do down email find
    for get go good great had has have he her here him home i in is it join just know live look
    looked looking looks mail me meet message more my now of off on online only or order out over
    page photos posted reach read right sale see selling she shop sign site so store stuff subscribe
    that the them there they things this time tonight up us videos visit was watch we were what work
    works write you
    """
)


def emails(text: str) -> Iterator[Sighting]:
    """E-mail addresses. "look at mysite dot com" holds a link, not an address."""
    if "@" in text:
        for start, end in _PLAIN_EMAIL.spans(text):
            yield Sighting(EMAIL, start, end)
    for pattern in (_SPELLED_EMAIL, _PROVIDER_EMAIL, _LETTERS_EMAIL):
        for start, end in pattern.spans(text):
            at = _name_start(text, start, end)
            if at is not None and _is_address(text, at, end):
                yield Sighting(SPELLED_EMAIL, at, end)


_AT_SIGN = re.compile(rf"{_AT}")


def _name_start(text: str, start: int, end: int) -> int | None:
    """Where the name begins, without words that only lead to it: "me dot ..." stays whole."""
    at_sign = _AT_SIGN.search(text, start, end)
    if at_sign is None:
        return start
    name = text[start : at_sign.start()]
    return None if name in _NOT_NAMES and "@" not in at_sign[0] else start


def _is_address(text: str, start: int, end: int) -> bool:
    found = text[start:end]
    at_sign = _AT_SIGN.search(found)
    if at_sign is None:
        return True
    name, host = found[: at_sign.start()], found[at_sign.end() :]
    bracketed = at_sign[0].strip() != "at"
    has_host = bool(_IS_MAIL_HOST.search(host))
    handle_like = not name.isalpha()
    cued = bool(_MAIL_CUE.search(text, max(0, start - 40), start))
    ended = not re.fullmatch(r"[a-z]+", host)
    if ended:
        return bracketed or has_host or handle_like or cued
    return bracketed or handle_like or cued


_PATH = r"(?:[/?#:][^\s<>\"']*)"
_LINKS = Pattern(
    rf"(?:\b(?:h(?:tt|xx)ps?|ftp|tg|whatsapp)(?:://|:?//)[^\s<>\"']{{2,}}"
    rf"|\bwww\.[^\s<>\"']{{3,}}"
    rf"|\b(?:[a-z0-9][a-z0-9\-]{{0,62}}\.){{1,5}}(?:(?:{_ENDINGS}){_SECOND_LEVEL}|co\.[a-z]{{2}})(?:{_PATH}|\b)"
    rf"|\b(?:t|wa|m|fb|telegram|signal|kik|line|discord|onlyfans)\.me\b{_PATH}?"
    rf"|\b(?:youtu|amzn|instagr)\.(?:be|to|am)\b{_PATH}?"
    r"|\b(?:[a-z0-9][a-z0-9\-]{0,62}\.){1,5}[a-z]{2,12}/[^\s/<>\"'][^\s<>\"']*)"
)
_SPELLED_LINKS = Pattern(
    rf"\b(?:www{_DOT})?[a-z0-9](?:[a-z0-9\-]{{0,38}}[a-z0-9])?"
    rf"(?: {_DOT_WORD} | ?[(\[{{<*] ?(?:{_DOT_WORD}|\.|,) ?[)\]}}>*] ?|\[\.\])"
    rf"(?:{_SPELLED_ENDINGS})\b"
    r"(?:(?: ?/ ?| (?:slash|forward slash|barra|schraegstrich) )[a-z0-9_.\-]*[a-z0-9]){0,3}"
)
_SPACED_LINKS = Pattern(
    r"\b[a-z0-9](?:[a-z0-9\-]{1,38}[a-z0-9])(?: \. ?|\. )(?:com|net|org)\b(?:/[^\s<>\"']*)?"
)
_NOT_SITES = words(
    """
    a am an and at au be big by de der die dot el em en every first for in is it la last le little
    lo me mon my no of on one or same second so that the third this to um un una une ve was what
    where you your early late
    """
)
_AFTER_DOT_COM = re.compile(r"\s(?:bubble|boom|era|bust|crash|craze|crowd|stocks?)\b")
_NOT_LINKS = frozenset({"asp.net", "vb.net", "socket.io", "a.co", "b.com"})
_DIGITS = re.compile(r"\d")
# "ok.ai" is French with its space left out.
_SHORTEST_AI = 8


def links(text: str) -> Iterator[Sighting]:
    for start, end in _LINKS.spans(text):
        if start and text[start - 1] in "@.":
            continue
        bare = text[start:end].rstrip(".,;:!?)'\"]}*")
        short = bare.endswith(".ai") and len(bare) < _SHORTEST_AI
        if bare.endswith("//"):
            continue
        if bare not in _NOT_LINKS and not short and _DIGITS.sub("", bare).strip("./"):
            yield Sighting(LINK, start, start + len(bare))


def spelled_links(text: str) -> Iterator[Sighting]:
    for pattern in (_SPELLED_LINKS, _SPACED_LINKS):
        for start, end in pattern.spans(text):
            label = re.split(r"[^a-z0-9\-]", text[start:end], maxsplit=1)[0]
            if label in _NOT_SITES or _AFTER_DOT_COM.match(text, end):
                continue
            yield Sighting(LINK, start, end)


_NETWORKS = (
    "instagram|insta|ig|snapchat|snap|sc|telegram|tg|kik|discord|twitter|tiktok|tik tok|facebook"
    "|fb|wechat|whatsapp|skype|line|reddit|twitch|youtube|yt|onlyfans|fansly|cashapp|cash app"
    "|venmo|paypal|threads|bluesky|linkedin|gmail|x"
)
_PLACES = (
    "instagram|insta|ig|snapchat|snap|telegram|tg|kik|discord|twitter|tiktok|tik tok|facebook|fb"
    "|wechat|skype|reddit|twitch|threads|bluesky"
)
_NAME = r"@?[a-z0-9_](?:[a-z0-9_.\-]{1,28})[a-z0-9_]"
# A colon, an arrow, a pointing hand.
_JOINER = r"(?:[:=@]|-+>|[^\pL\pN\s.,;!?'\"()$%&#/*+\-_<\[\]{}|]{1,3})"
_LABELS = "name|handle|user|username|user name|account|id|tag|usuario|konto|compte|conta|pseudo|@"
_LABEL = rf"(?: (?:{_LABELS}))?"
_OWNERS = "my|our|her|his|the|mi|meu|minha|mon|ma|mein|meine|o meu"
_FOLLOW = (
    "add|follow|find|dm|message|msg|text|hit|hmu|get|reach|agregame|sigueme|buscame|segue|adiciona"
    r"|ajoute|suis|adde|folg\w*"
)
_AT_SIGNS = Pattern(r"@[a-z0-9_][a-z0-9_.]{1,29}")
_NAMED_ACCOUNTS = Pattern(
    rf"\b(?:(?:{_OWNERS})(?: new| old| private| real| main)? (?:{_NETWORKS}){_LABEL}"
    r"(?: (?:is|its|it's|es|e|est|ist|c'est|heisst|called)|'s)?(?: ?[:=\-]+>? ?| )"
    rf"|(?:{_NETWORKS}){_LABEL}(?: ?{_JOINER} ?| - )"
    rf"|(?:{_NETWORKS}){_LABEL} (?:is|es|est|ist|e) "
    rf"|(?:{_NETWORKS}) (?:name|handle|username|user name|usuario) "
    rf"|(?:{_FOLLOW})(?:[ \-](?:me|us|m|moi|mir|up|ya girl))*(?: up)?"
    rf" (?:on|over on|en|no|na|sur|auf|bei) (?:my )?(?:{_NETWORKS})"
    r"(?: (?:at|as|under|with|como|sous|unter|user|username|handle))?[ :,\-]{1,3})"
    rf"{_NAME}"
)
_NAME_ON_NETWORK = Pattern(rf"{_NAME} (?:on|en|no|na|sur|auf|@) (?:my )?(?:{_PLACES})\b")
# A network with only a name beside it: the name must look like nothing else.
_BARE_ACCOUNTS = Pattern(
    rf"\b(?:{_PLACES}),? [a-z][a-z0-9.]{{1,27}}(?:_[a-z0-9_.]{{0,27}}[a-z0-9_]|\d{{2,6}}\b)"
)
_NAME_AT_END = re.compile(rf"{_NAME}$")
_NAME_AT_START = re.compile(_NAME)
_DISCORD_TAGS = Pattern(r"\b[a-z][a-z0-9_.]{1,31}#\d{4}\b")
_REDDIT_NAMES = Pattern(r"(?:^|[\s(/])u/[a-z0-9_\-]{3,20}\b")
_NOT_TAGGED = words(
    """
    apt apartment bestellung bug case episode flat invoice issue item no nr number order page part
    pedido pr room season set suite ticket track unit version
    """
)
_NOT_HANDLES = words(
    """
    all another everybody everyone everything gym here home least lunch me midnight moment my night
    noon once one our school studio that the there this today tomorrow tonight true work your
    """
)
# What people say of an account, rather than its name.
_SAID_OF_ACCOUNTS = re.compile(
    r"(?:[a-z]+(?:ing|ed|ly|ous|ful|less|able|ible|ive|ic|ish|est|ier|ando|endo|ado|ada)"
    r"|a|about|active|again|all|almost|also|always|and|are|at|back|bad|banned|because|being|best"
    r"|better|big|blank|broken|buggy|but|by|can|clean|coming|crazy|dead|down|dry|dumb|empty|ever"
    r"|everything|fake|fine|for|free|from|full|fun|getting|going|gone|good|got|great|hacked|had"
    r"|handle|happy|has|have|here|hers|how|in|is|it|just|kind|lame|late|like|link|linked|live|lol"
    r"|long|low|mad|many|me|mess|mine|more|mostly|much|my|name|new|nice|no|not|nothing|now|of|off"
    r"|ok|okay|old|on|one|only|open|or|our|out|over|page|pic|pics|post|posts|pretty|public|quiet"
    r"|random|real|really|right|sad|same|secret|set|shut|slow|small|so|some|somewhere|soon|still"
    r"|stories|story|strange|streak|such|sucks|super|that|the|their|then|there|they|this|to|too"
    r"|top|under|up|user|username|very|was|way|we|weird|well|what|when|where|which|who|why|will"
    r"|with|work|worse|wrong|yes|yet|you|your|yours|zero|privado|privada|publico|cerrado|nueva?"
    r"|meu|mein|mi|mon|une?|um|uma|ein|eine|le|la|el|os?|pas|nicht|nao|muy|tres|sehr|muito|ici"
    r"|aqui|hier|photo|photos|fotos?|bio|private|busy|please|pls|insane|trash|garbage|huge|tiny|ugly|cute|pink|blue"
    r"|stuck|cold|hot|suspended|different|important|gross|perfect|awesome|wild|vide|morte?|null?e?|leer"
    r"|later|offen|ouverte?|abierto|aberto|weg|neu|privat|voll|cheio|morto|muerto|vacio|lleno|kaputt|gesperrt|tote?|feed|reels?|clips?"
    r"|first|last|second|chat|group|server|channel|music|games?|story|deleted|account|app|button|peas?|tape|fit)"
)
_ENDS_CLAUSE = re.compile(
    r" ?(?:$|[.,;!?)\n]|[^\w\s]| (?:and|but|if|add|dm|come|hmu|there|on|for|xo+|babe|baby|love|hun"
    r"|y|e|et|und|si|se|ok|lol|a|go|check|look|see|i|i'm|im|you|u|it|we|the|so|just|please|pls|follow|message|text|hit|too|now|btw|tonight)\b)"
)
_MARKED = re.compile(r"[\d_.@]")


def handles(text: str) -> Iterator[Sighting]:
    for start, end in _AT_SIGNS.spans(text):
        if start and (text[start - 1].isalnum() or text[start - 1] in "._-@"):
            continue
        name = text[start + 1 : end].rstrip(".")
        if len(name) > 2 and name not in _NOT_HANDLES and not _is_time(name):
            yield Sighting(HANDLE, start, start + 1 + len(name))


_TIME = re.compile(r"\d+(?:[ap]m|h\d*|ish|[.]\d+|th|st|nd|rd|k|pm\w*)?$")


def _is_time(name: str) -> bool:
    return bool(_TIME.match(name))


def named_accounts(text: str) -> Iterator[Sighting]:
    """Names told with their network: "my insta is mia.rose", "snap: mia", "mia_r on ig"."""
    for start, end in _NAMED_ACCOUNTS.spans(text):
        name = _NAME_AT_END.search(text, max(start, end - 31), end)
        if name is None:
            continue
        at = _after_words(text, start, end)
        if at is not None:
            yield Sighting(ACCOUNT, at, end)
    for start, end in _BARE_ACCOUNTS.spans(text):
        yield Sighting(ACCOUNT, text.rindex(" ", start, end) + 1, end)
    for start, end in _NAME_ON_NETWORK.spans(text):
        name = _NAME_AT_START.match(text, start, end)
        if name and re.search(r"[\d_]", name[0]) and not _is_time(name[0].lstrip("@")):
            if name[0][0].isdigit() and name[0].isdigit():
                continue
            yield Sighting(ACCOUNT, start, name.end())
    for start, end in _DISCORD_TAGS.spans(text):
        if text[start:end].partition("#")[0] not in _NOT_TAGGED:
            yield Sighting(ACCOUNT, start, end)
    for start, end in _REDDIT_NAMES.spans(text):
        yield Sighting(ACCOUNT, text.index("u/", start, end), end)


_LAST_NAME = re.compile(r"[@a-z0-9_.\-]*$")


def _after_words(text: str, start: int, end: int) -> int | None:
    """Where the name at the end of a match begins, or None if it is what is said of the account."""
    last = _LAST_NAME.search(text, start, end)
    if last is None:
        return None
    at = last.start()
    while at < end and text[at] == "-":
        at += 1
    name = text[at:end]
    plain = name.lstrip("@").rstrip(".-")
    if len(plain) < 3 or plain.isdigit() or _is_time(plain):
        return None
    if _MARKED.search(plain) or name.startswith("@"):
        return at
    if _SAID_OF_ACCOUNTS.fullmatch(plain) or plain in _NOT_HANDLES:
        return None
    before = text[max(start, at - 3) : at].rstrip()[-1:]
    pointed = not before.isalnum() and before not in {"", ","}
    return at if pointed or _ENDS_CLAUSE.match(text, end) else None
