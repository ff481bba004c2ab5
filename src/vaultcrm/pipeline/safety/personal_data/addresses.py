"""Where somebody lives: street and number in five languages, postal codes with their town.

A street's name is found from its keyword (street, rue, calle, rua, -strasse) outwards: the number
before or after it, then the flat, town and postal code that follow. Keywords that are everyday
words too (way, drive, place, cours) need more: capitals as typed, words such as "live at", or a
town.
"""

import re
from collections.abc import Iterator

from vaultcrm.pipeline.safety.normalise.view import View
from vaultcrm.pipeline.safety.patterns import Pattern
from vaultcrm.pipeline.safety.personal_data.kinds import ADDRESS, Sighting, words

_BACK = 72
_AHEAD = 96

_STATES = (
    "al|ak|az|ar|ca|co|ct|de|fl|ga|hi|id|il|in|ia|ks|ky|la|me|md|ma|mi|mn|ms|mo|mt|ne|nv|nh|nj|nm"
    "|ny|nc|nd|oh|ok|or|pa|ri|sc|sd|tn|tx|ut|vt|va|wa|wv|wi|wy|dc"
)
_STATES_LIKE_WORDS = frozenset(
    {"al", "de", "hi", "id", "in", "la", "ma", "me", "oh", "ok", "or", "pa"}
)
_STATE_NAMES = (
    "alabama|arizona|california|colorado|florida|georgia|illinois|michigan|nevada|new york|ohio"
    "|oregon|pennsylvania|tennessee|texas|utah|virginia|washington"
)
_UK_POSTCODE = r"[a-z]{1,2}\d[a-z\d]? ?\d[abd-hjlnp-uw-z]{2}"
_CANADIAN_POSTCODE = r"[abceghj-nprstvxy]\d[abceghj-nprstv-z] ?\d[abceghj-nprstv-z]\d"
_CITIES = (
    "amsterdam|antwerp|antwerpen|atlanta|austin|barcelona|basel|belfast|berlin|bern|bilbao"
    "|birmingham|bochum|bonn|bordeaux|boston|braga|brasilia|bremen|brisbane|bristol|bruxelles"
    "|brussels|cardiff|chicago|coimbra|cordoba|curitiba|dallas|denver|dortmund|dresden|dublin"
    "|duisburg|dusseldorf|edinburgh|essen|faro|florianopolis|fortaleza|frankfurt|freiburg|geneve"
    "|genf|glasgow|granada|graz|grenoble|hamburg|hannover|heidelberg|houston|innsbruck|karlsruhe"
    "|kassel|kiel|koln|las vegas|lausanne|leeds|leipzig|lille|linz|lisboa|lisbon|liverpool|london"
    "|los angeles|lubeck|luzern|lyon|madrid|mainz|malaga|manchester|mannheim|marseille|melbourne"
    "|mexico|miami|milano|montpellier|montreal|munchen|munich|munster|nantes|new york|newcastle"
    "|nice|nottingham|nurnberg|oakland|oxford|palma|paris|perth|philadelphia|phoenix|portland"
    "|porto|porto alegre|potsdam|recife|reims|rennes|rio de janeiro|roma|rostock|rouen|saarbrucken"
    "|salvador|salzburg|san diego|san francisco|san jose|santander|sao paulo|seattle|sevilla"
    "|sheffield|springfield|stuttgart|sydney|toledo|toronto|toulouse|ulm|valencia|valladolid"
    "|vancouver|vigo|wien|wiesbaden|winterthur|wurzburg|zaragoza|zurich"
)

# Endings of streets that only count as such where both they and the name have capitals.
_NAMES_OF_STREETS = (
    "alley|bend|bluffs?|branch|bridge|brook|bypass|canyon|causeway|center|cliffs?|commons?|cove"
    "|creek|crest|crossing|crossroads?|curve|dale|estates?|expressway|falls|ferry|fields?|flats?"
    "|ford|forest|forge|forks?|freeway|garden|gateway|glens?|greens?|groves|harbors?|haven|heights"
    "|hills|hollow|inlet|islands?|isle|junctions?|keys?|knolls?|lakes?|landing|lodge|loop|manors?"
    "|meadows?|mills?|mission|motorway|mountains?|orchard|oval|overpass|passage|path|pike|pines"
    "|plains?|plaza|points?|ports?|prairie|radial|ranch|rapids|ridges?|roads|route|run|shoals?"
    "|shores?|skyway|springs?|spurs?|squares|station|stravenue|stream|summit|throughway|trace"
    "|track|trafficway|trails|tunnel|turnpike|underpass|unions?|valleys?|via|viaduct|views?"
    "|villages?|ville|vista|walks|walls?|ways|wells?"
)

TRIGGER = (
    rf"\b(?:{_NAMES_OF_STREETS})\b|"
    r"\b(?:street|st|avenue|ave|road|rd|boulevard|blvd|ln|highway|hwy|parkway|pkwy|terrace"
    r"|crescent|lane|drive|dr|court|ct|way|place|pl|circle|cir|square|sq|close|gardens|grove|mews"
    r"|trail|row|walk|hill|parade|rue|bd|chemin|allee|impasse|quai|cours|route|calle|avenida|avda|av|plaza"
    r"|paseo|camino|carretera|ronda|rua|travessa|praca|alameda|largo|estrada|rodovia"
    r"|rambla|glorieta|callejon|pasaje|cuesta|ladeira|viela|apt|apartment"
    r"|box)\b|\bc/|(?:strasse|str|weg|gasse|platz|ufer|damm|allee|ring|chaussee)\b\.?,? \d"
    rf"|\b(?:{_STATES})\.?,? \d{{5}}|\b{_UK_POSTCODE}\b|\b{_CANADIAN_POSTCODE}\b"
    rf"|\b\d{{4,5}} (?:{_CITIES})\b|\b\d{{5}}-\d{{3}}\b|\b\d{{4}}-\d{{3}} [a-z]"
    r"|[a-z] \d{1,4} ?[a-z]?,? \d{4,5} [a-z]"
)
"""RE2; every address has a place that this matches."""

_INTRO = re.compile(
    r"(?:\b(?:live|lives|living|stay|staying|staying at|reside|house is|place is|home is|address"
    r"|adresse|direccion|endereco|morada|anschrift|moved to|come to|come over to|come by|ship to"
    r"|send it to|send to|deliver to|mail to|find me|i'm|im|located|based|meet me|pick me up|over"
    r"|drop it off|vivo|resido|moro|habite|wohne|wohnt|wohnen|mora|vive|viens|ven a|vem|komm)\b"
    r"[^\d\n]{0,14})$"
)


def _is_capital(view: View, offset: int) -> bool:
    start, _ = view.span(offset, offset + 1)
    return view.original[start].isupper()


# ---- the tail: flat, town, postal code

_UNIT = (
    r"(?:apt|apartment|unit|suite|ste|flat|floor|fl|no|appt|appartement|etage|piso|apto|andar"
    r"|puerta|portal|wohnung|whg|bloco|esc|#)"
)
_TAIL_UNIT = re.compile(
    rf"(?:,? ?\b{_UNIT}(?:\.? ?#?\d{{1,5}}(?: ?[a-z]\b|\b)|\.? (?:[b-hj-z]\d{{0,4}}|a\d{{1,4}})\b)"
    r"|,? ?#\d{1,5}[a-z]?\b"
    r"|, ?\d{1,2} ?[oa\xba\xaa]\.? ?(?:[a-z]|dto|esq|izq|dcha|frente)?\b)"
)
_TOWN = r"[a-z][a-z.'\-]*(?: [a-z][a-z.'\-]*){0,3}"
_STATE_AND_ZIP = rf"(?:{_STATES}|{_STATE_NAMES})\.?,? \d{{5}}(?:-\d{{4}})?"
_CITY_AND_STATE = rf"(?:{_CITIES})\b(?:,? (?:{_STATES}|sp|rj|mg)\b)?"
_TAIL_TOWNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf",?[ \n]?(?:in )?(?:{_TOWN},? ?)?{_STATE_AND_ZIP}\b",
        rf",?[ \n]?(?:in )?(?:{_TOWN},?[ \n])?(?:{_UK_POSTCODE}|{_CANADIAN_POSTCODE})\b",
        rf",? ?(?:in |- ?)?(?:{_TOWN}(?: ?[,\-] ?| ))?\d{{5}}-\d{{3}}\b",
        r"(?:, ?| |\n| in )(?:[a-z]-)?\d{4,5}(?:-\d{3})?,? ",
        rf",? ?(?:in |a |en |em |- ?)?{_CITY_AND_STATE}(?:,? \d{{5}}\b)?",
    )
)
_TAIL_CODE = 3
_TOWN_WORD = re.compile(
    r"[a-z][a-z'\-]*"
    r"(?: (?:am|an der|a\. ?m\.|de|del|de la|la|le|sur|sous|do|da|dos|im) [a-z][a-z'\-]*)?"
)


def _tail(view: View, end: int) -> tuple[int, bool]:
    """Where the address that began before `end` ends, and whether a town follows it."""
    text = view.text
    has_town = False
    limit = min(len(text), end + _AHEAD)
    if unit := _TAIL_UNIT.match(text, end, limit):
        end = unit.end()
    for place, pattern in enumerate(_TAIL_TOWNS):
        town = pattern.match(text, end, limit)
        if not town:
            continue
        if place == _TAIL_CODE:
            word = _TOWN_WORD.match(text, town.end(), limit)
            if not word:
                continue
            if not _is_capital(view, word.start()) and not re.match(_CITIES, word[0]):
                continue
            end, has_town = word.end(), True
        else:
            end, has_town = town.end(), True
        break
    return end, has_town


# ---- English: 12 North Oak Street

_ENGLISH = Pattern(
    r"\b(?:street|st|avenue|ave|road|rd|boulevard|blvd|ln|highway|hwy|parkway|pkwy|terrace"
    r"|crescent|lane|drive|dr|court|ct|way|place|pl|circle|cir|square|sq|close|gardens|grove|mews"
    r"|trail|row|walk|hill|parade"
    rf"|{_NAMES_OF_STREETS})\b"
)
_STRONG = frozenset(
    {
        "street", "st", "avenue", "ave", "road", "rd", "boulevard", "blvd", "ln", "highway",
        "hwy", "parkway", "pkwy", "terrace", "crescent",
    }
)  # fmt: skip
_BEFORE_ENGLISH = re.compile(
    r"(?:^|(?<=[\s,:;(#]))(\d{1,5}[a-z]?(?:[\-/]\d{1,4}[a-z]?)?),? "
    r"((?:(?:\d{1,3}(?:st|nd|rd|th)|[a-z][a-z'.\-]{0,19}) ){1,4})$"
)
_QUARTERS = re.compile(r"^\.? ?(?:n|s|e|w|ne|nw|se|sw|north|south|east|west)\b\.?(?!')")
_AFTER_IS_NO_STREET = re.compile(
    r"^[ \-](?:food|art|arts|artists?|style|styles|fighter|wear|lights?|smarts?|level|cred"
    r"|part(?:y|ies)"
    r"|music|musicians?|parking|performers?|corners?|trips?|maps?|tests?|rage|bikes?|work|runners?"
    r"|photos?|photography|shots?|clothes|fashion|dogs?|cats?|signs?|markets?|fairs?|shows?"
    r"|magic|racing|races?|cars?|closures?|works|scenes?|views?|tacos?|vendors?|dance|dancers?"
    r"|pics?|videos?|songs?|stories|episodes?|closed|games?|hockey|basketball|hoops)\b"
)
_NOT_IN_STREETS = words(
    """
    a about above after ago all along also am an and another any are around as at away back bad
    because bed been best big blocks both busy but by calories came can car cars cats cent
    cents clean come cool crazy cute day days degrees did dirty do dogs dollars down each ended
    every families famous feet fell few first for found friends from ft full fun good got great
    guys had half happy hard have he her his home hot hour hours houses how i i'd i'll i'm i've
    if in inches into is it its just kids kilometers kilometres kilos km lane last left like
    little live lived long lot loud love many me meters metres mi mile miles million min mins
    minute minutes month months more most much my narrow near never new next nice not of off on
    one only or other our out over pages parked people per percent photos pics places pm points
    pretty ran random really reps right runs saw second seconds secs sets she shops shots shows
    so some songs spots stars steps still stops story streets such take than that the their
    them then there these they things this those thousand times tiny to too total tracks trees
    trips two under up us very videos views walked was way we week weeks went were what when
    where which who will with x yards year years yes you your
    """
)


# A place that is open to everybody, as in "the bakery at 12 Mill Lane": nobody lives there.
_PUBLIC_PLACE = re.compile(
    r"\b(?:the|a|an|that|this|new|old|little|favou?rite|best) (?:\w+ ){0,2}?"
    r"(?:bakery|florist|bookshop|bookstore|shop|store|cafe|coffee shop|restaurant|diner|bar|pub"
    r"|museum|gallery|cinema|theatre|theater|library|gym|studio|pharmacy|market|supermarket|salon"
    r"|barber|barbershop|butcher|deli|pizzeria|club|venue|church|station|school|clinic|hospital"
    r"|dentist|bank|post office|stall|stand|truck|place to eat|ice cream parlou?r|brewery|florists)"
    r"(?:'s| is| was)? (?:down |over |up )?(?:at|on|in|near|by|,) $"
)


_UNIT_BEFORE = re.compile(r"\b(?:flat|apt|apartment|unit|suite|studio)\.? ?#?\d{1,4}[a-z]?,? $")
_ONLY_CAPITALS = re.compile(_NAMES_OF_STREETS)


def _english(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, end in _ENGLISH.spans(text):
        back = max(0, start - _BACK)
        found = _BEFORE_ENGLISH.search(text[back:start])
        if not found:
            continue
        number_at = back + found.start(1)
        names = found[2].split()
        if not _NOT_IN_STREETS.isdisjoint(names) or _AFTER_IS_NO_STREET.match(text, end):
            continue
        if text[max(0, number_at - 2) : number_at].strip() in {"$", "\u20ac", "\u00a3"}:
            continue
        if end < len(text) and text[end] == "'":
            continue
        if _PUBLIC_PLACE.search(text, max(0, number_at - 48), number_at):
            continue
        if quarter := _QUARTERS.match(text[end : end + 8]):
            name_end = end + quarter.end()
        else:
            name_end = end + _followed_on(text, start, end)
        until, has_town = _tail(view, name_end)
        capitals = _is_capital(view, back + found.start(2)) and _is_capital(view, start)
        told = bool(_INTRO.search(text[max(0, number_at - 40) : number_at]))
        strong = text[start:end] in _STRONG
        sure = capitals or has_town or until > name_end
        if sure or strong or (told and not _ONLY_CAPITALS.fullmatch(text, start, end)):
            unit = _UNIT_BEFORE.search(text[max(0, number_at - 20) : number_at])
            first = max(0, number_at - 20) + unit.start() if unit else number_at
            yield Sighting(ADDRESS, first, until)


def _followed_on(text: str, start: int, end: int) -> bool:
    """Whether the point after an abbreviation still belongs to the address."""
    if end - start > 4 or text[end : end + 2] not in {". ", ".,"}:
        return False
    return text[end + 1] == "," or bool(_TAIL_UNIT.match(text, end + 1))


# ---- French: 12 bis rue de la Paix

_FRENCH = Pattern(
    r"\b\d{1,4}(?: ?(?:bis|ter|quater|[a-d]))?,? (?:rue|avenue|av\.?|boulevard|bd\.?|blvd|chemin"
    r"|allee|impasse|quai|cours|route|square|passage|place|faubourg)"
    r"(?: (?:de|du|des|la|le|les|aux?|saint|sainte|st|ste)\b| [dl]')*"
    r" ?[a-z][a-z'\-]{1,24}"
)
_FRENCH_WEAK = re.compile(
    r",? (?:cours|route|square|passage|place|allee|avenue|boulevard|impasse) "
)
_FRENCH_STOP = words(
    """
    a au aux avec ce cette concert cinema course dans danse devant en entre est et gratuit ici la le
    les mais offerte on ou par parking pour qui restante sur te tu un une vide yoga anglais pilates
    chant musique maths is and in with for to the of at on was cuisine piano guitare francais
    """
)
_FRENCH_MORE = re.compile(r"(?: (?:de|du|des|d'|la|le|l'|les))*[ '\-]?[a-z][a-z'\-]+")


def _french(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, found_end in _FRENCH.spans(text):
        end = found_end
        last = re.split(r"[ ']", text[start:end])[-1]
        if last in _FRENCH_STOP:
            continue
        end = _more_capitals(view, end, _FRENCH_MORE)
        until, has_town = _tail(view, end)
        if _FRENCH_WEAK.search(text, start, end):
            told = bool(_INTRO.search(text[max(0, start - 40) : start]))
            named = _is_capital(view, end - len(re.split(r"[ ']", text[start:end])[-1]))
            if not (told or named or has_town):
                continue
        yield Sighting(ADDRESS, start, until)


def _more_capitals(view: View, end: int, more: re.Pattern[str]) -> int:
    """Where a name of several capitalised words ends, of which `end` is the first's end."""
    for _ in range(3):
        word = more.match(view.text, end, min(len(view.text), end + 40))
        if not word or word[0][:1] not in {" ", "-", "'"}:
            break
        last = re.split(r"[ '\-]", word[0])[-1]
        if not last or not _is_capital(view, word.end() - len(last)):
            break
        end = word.end()
    return end


# ---- Spanish and Portuguese: Calle Mayor 5, Rua Augusta, 1500

_IBERIAN = Pattern(
    r"\b(?:calle|c/|avenida|avda?\.?|av\.?|plaza|paseo|camino|carretera|ronda|rua|r\.|travessa"
    r"|praca|alameda|largo|estrada|rodovia|calzada"
    r"|rambla|glorieta|callejon|pasaje|cuesta|ladeira|viela) ?"
    r"(?:[a-z0-9][a-z'.\-]{0,19} ){0,4}[a-z0-9][a-z'.\-]{0,19}"
    r"(?:,? ?(?:numero|num\.?|nro\.?|no\.?|n\.?|#)? ?)\d{1,5}(?:-?[a-d])?\b"
)
_IBERIAN_STOP = words(
    """
    a ao as cada casi cerca com como con cuando da de del desde do donde duro e el em en entre era
    eran es essa esta estaba este faz fue ha hace hasta hay la las lo los mais mas menos mi mide na
    nao no nos o os para passa pasan pasa pero poner por que quedan sao se sem ser sin so sobre solo
    son su te tem tenemos tengo tenho tiene tienen tinha um una unos y
    """
)
_PARTICLES = frozenset({"de", "del", "la", "las", "los", "el", "da", "do", "das", "dos", "e", "y"})
_IBERIAN_UNITS = re.compile(
    r"^ ?(?:veces|vezes|minutos?|mins?|horas?|h|euros?|reais|pesos|personas|pessoas|dias?|anos?|km"
    r"|metros|m|pasos|passos|kilometros|quilometros|casas|bares|tiendas|lojas|gatos|cosas|coisas"
    r"|coches|carros|%|x)\b|^[.,:]\d|^ ?(?:\u20ac|\$)"
)


def _iberian(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, end in _IBERIAN.spans(text):
        words = re.findall(r"[a-z][a-z'.\-]*", text[start:end])[1:]
        names = [word for word in words if word not in _PARTICLES and len(word) > 1]
        if names and names[-1] in {"numero", "num", "num.", "nro", "nro.", "no", "no.", "n."}:
            names.pop()
        if not names or not _IBERIAN_STOP.isdisjoint(names):
            continue
        if _IBERIAN_UNITS.match(text[end : end + 16]):
            continue
        yield Sighting(ADDRESS, start, _tail(view, end)[0])


# ---- German: Lindenweg 7

_GERMAN = Pattern(
    r"\b(?:[a-z][a-z\-]{1,24}(?:strasse|str\.?|weg|gasse|platz|ufer|damm|allee|ring|chaussee)"
    r"|[a-z][a-z\-]{2,24} (?:strasse|str\.?|allee|platz|weg|ring|damm|chaussee|gasse|ufer)),? "
    r"\d{1,4}(?:[/\-]\d{1,3}\b)? ?(?:[a-z]\b)?"
)
_GERMAN_STOP = re.compile(
    r"(?:spring|string|during|bring|offering|wearing|sharing|hearing|boring|caring|daring|staring"
    r"|scoring|firing|hiring|tiring|wiring|sterling|earring|[a-z]*(?:hinweg|rueckweg|ruckweg|heimweg"
    r"|umweg|ausweg|halbweg|arbeitsweg|schulweg|keinesweg)|[a-z]*(?:arbeits|sitz|steh|stell|park"
    r"|spiel|tanz|schlaf|sport|fussball|camping|flug|tabellen|rang|lager)platz|platz|[a-z]*ring"
    r"|[a-z]*damm|(?:der|die|das|dem|den|ein|einem|einen|mein|dein|auf|am|im|vom|zum|ueber|uber|meinem|unser"
    r"|weit|noch|auf dem|this|my|the|a|one|big|ear)"
    r" (?:weg|platz|ring|damm|ufer|gasse|allee|strasse))"
    r",? \d+ ?[a-z]?"
)
_GERMAN_UNITS = re.compile(
    r"^ ?(?:min|minuten|km|kilometer|m|meter|euro|uhr|mal|stunden|tage|leute|personen|jahre|%"
    r"|schritte"
    r"|haeuser|hauser|grad)\b|^[.,:]\d|^ ?\u20ac"
)


_ADJECTIVE = re.compile(r"\b[a-z\-]{3,20}er $")
_UNDER_THE_LINDEN = Pattern(
    r"\b(?:am|an der|an den|im|in der|in den|zum|zur|auf der|auf dem|unter den|unter der|alter"
    r"|alte|neuer|neue|hinter der) [a-z\-]{3,24} \d{1,4} ?[a-z]?,? \d{4,5} [a-z]"
)
_NUMBER_END = re.compile(r"[a-z] \d{1,4}(?: ?[a-z]\b)?")


def _german_phrases(view: View) -> Iterator[Sighting]:
    """Streets with no keyword, as in "Unter den Linden 5", which only a town gives away."""
    for start, end in _UNDER_THE_LINDEN.spans(view.text):
        number = _NUMBER_END.search(view.text, start, end)
        if number:
            until, has_town = _tail(view, number.end())
            if has_town:
                yield Sighting(ADDRESS, start, until)


def _german(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, found_end in _GERMAN.spans(text):
        end = found_end
        if text[end - 1] == " ":
            end -= 1
        if _GERMAN_UNITS.match(text[end : end + 16]):
            continue
        until, has_town = _tail(view, end)
        told = bool(_INTRO.search(text[max(0, start - 40) : start]))
        # "Mainzer Landstrasse": the adjective of a town belongs to the name.
        adjective = _ADJECTIVE.search(text[max(0, start - 24) : start])
        named_at = max(0, start - 24) + adjective.start() if adjective else start
        if (
            _GERMAN_STOP.fullmatch(text, start, end)
            and not has_town
            and not (told and _is_capital(view, start))
        ):
            continue
        yield Sighting(ADDRESS, named_at if _is_capital(view, named_at) else start, until)


# ---- postal codes with their town, boxes, flats

_TOWNS = Pattern(rf"\b[a-z]{{3,20}},? ?(?:{_STATES}|{_STATE_NAMES}),? \d{{5}}(?:-\d{{4}})?\b")
_STATE_IN = re.compile(rf"(,? ?)({_STATES}|{_STATE_NAMES}),? \d{{5}}")
_POSTCODES = Pattern(rf"\b(?:{_UK_POSTCODE}|{_CANADIAN_POSTCODE})\b")
_CODE_AND_CITY = Pattern(
    rf"\b(?:[a-z]-)?\d{{4,5}}(?:-\d{{3}})? (?:{_CITIES})\b|\b\d{{5}}-\d{{3}},? (?:{_CITIES})\b"
)
_CEP = Pattern(
    r"\b(?:cep|plz|codigo postal|code postal|zip(?: code)?|postcode|postleitzahl|cp)"
    r"[ :]{1,2}(?:is |es |e |est |ist )?\d{4,5}(?:-\d{3,4})?\b"
)
_OTHERS = Pattern(r"\b(?:p\.? ?o\.? ?box \d{1,6}|(?:apt|apartment)\.? ?#?\d{1,5}[a-z]?)\b")
_NO_POSTCODE = re.compile(
    r"(?:gb|tb|st|nd|rd|th|ft|pt|ps|hr|hp|hd|ep|up|th|ss|ah|at|as|to|be|go|no|us|or|an)$"
)


def _postal(view: View) -> Iterator[Sighting]:
    text = view.text
    for start, end in _TOWNS.spans(text):
        state = _STATE_IN.search(text, start, end)
        if state is None:
            continue
        like_word = state[2] in _STATES_LIKE_WORDS
        capital = _is_capital(view, state.start(2)) and _is_capital(view, start)
        if not like_word or (capital and not view.original.isupper()):
            yield Sighting(ADDRESS, start, end)
    for start, end in _POSTCODES.spans(text):
        code = text[start:end]
        typed = "".join(view.original[slice(*view.span(start, end))].split())
        if typed.isupper() and " " in code and not _NO_POSTCODE.search(code):
            yield Sighting(ADDRESS, _town_before(view, start), end)
    for start, end in _CODE_AND_CITY.spans(text):
        city = start + text[start:end].index(" ") + 1
        if _is_capital(view, city):
            yield Sighting(ADDRESS, start, end)
    for start, end in _CEP.spans(text):
        number = re.search(r"\d", text[start:end])
        if number:
            yield Sighting(ADDRESS, start + number.start(), end)
    for start, end in _OTHERS.spans(text):
        yield Sighting(ADDRESS, start, end)


_CITY_BEFORE = re.compile(rf"\b(?:{_CITIES}),? $")


def _town_before(view: View, start: int) -> int:
    town = _CITY_BEFORE.search(view.text[max(0, start - 24) : start])
    return max(0, start - 24) + town.start() if town else start


def addresses(view: View) -> Iterator[Sighting]:
    """Addresses, of which one may be seen more than once."""
    for find in (_english, _french, _iberian, _german, _german_phrases, _postal):
        yield from find(view)
