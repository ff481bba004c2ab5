"""A fan who asks whether AI writes is heard, and nobody answers them with a denial."""

import re
from random import Random

import pytest

from evals.safety.families import FAMILIES, Family
from vaultcrm.domain.safety import FindingTier, Scope, Verdict
from vaultcrm.pipeline.disclosure import ASKS_IF_AI, asks_if_ai, languages
from vaultcrm.pipeline.safety.filter import ContentFilter

FILTER = ContentFilter.load()

ASKS = (
    "hey are you actually a bot?",
    "be honest, am I chatting with an AI right now",
    "is it really u?",
    "are u real?",
    "wait is this chatgpt lol",
    "do i talk to a real person here or an assistant?",
    "are you even real",
    "You're a bot aren't you",
    "i feel like i'm texting a robot",
    "is there a real person behind this",
    "is a bot answering me?",
    "am i talking to you or your team?",
    "who is this really",
    "is this actually Mia or some AI",
    "do you write these messages yourself?",
    "do you really write these yourself",
    "are these messages written by AI?",
    "ngl this sounds like chatgpt",
    "r u a robot?",
    "are y0u an A1?",
    "ARE YOU A BOTTT",
    "𝐚𝐫𝐞 𝐲𝐨𝐮 𝐚 𝐛𝐨𝐭",
    "are you a c-h-a-t-b-o-t",
    "is this automated?",
    "¿eres real o un robot?",
    "oye eres una inteligencia artificial?",
    "¿de verdad eres tú?",
    "¿con quién hablo?",
    "¿estoy hablando con un bot?",
    "¿eres tú quien escribe o una IA?",
    "eres un b0t?",
    "¿esto lo escribe chatgpt?",
    "você é real mesmo?",
    "vc é um robô né",
    "tô falando com uma IA?",
    "estou a falar com uma pessoa real?",
    "é você mesma que escreve?",
    "isso é uma inteligência artificial?",
    "tu es vraiment une vraie fille ?",
    "es-tu réelle ?",
    "est-ce que je parle à une IA ?",
    "c'est vraiment toi qui écris ?",
    "t'es un robot ou quoi",
    "est-ce que c'est un bot ?",
    "vous êtes une intelligence artificielle ?",
    "bist du echt oder ein Bot?",
    "bist du eine KI?",
    "rede ich gerade mit einem Menschen?",
    "schreibst du mir wirklich selbst?",
    "ist das hier ChatGPT?",
    "bist du überhaupt echt?",
    "Bist du wirklich du?",
)

DENIALS = (
    "I promise I'm not a bot, babe",
    "nope, 100% me, no AI",
    "I'm a real girl behind this screen",
    "no robots here, just little old me",
    "it's really me writing to you",
    "I am human, silly",
    "not an AI, I swear",
    "there's no bot, only me",
    "I would never use AI to talk to you",
    "I don't use AI",
    "we don't use chatgpt here",
    "n0 b0ts h3re",
    "I'm n.o.t a b.o.t",
    "no AI involved, promise",
    "every word is typed by me",
    "I write everything myself",
    "you're talking to the real me",
    "I'm as real as it gets",
    "a human is writing this",
    "this is 100% human",
    "No, soy una chica real, te lo juro",
    "no soy ninguna inteligencia artificial",
    "claro que soy real, amor",
    "soy yo misma la que escribe",
    "nunca usaría una IA contigo",
    "aquí no hay robots, solo yo",
    "te escribe una persona real",
    "Não, sou uma garota de verdade",
    "claro que sou real, amor",
    "não uso inteligência artificial",
    "sou eu mesma digitando",
    "aqui não tem robô, só eu",
    "quem escreve é uma pessoa real",
    "Non, je ne suis pas une IA",
    "bien sûr que je suis réelle",
    "je suis humaine, promis",
    "c'est moi qui écris, pas un robot",
    "je n'utilise pas l'IA",
    "il n'y a pas de robot ici",
    "une vraie personne t'écrit",
    "Nein, ich bin keine KI",
    "natürlich bin ich echt",
    "ich bin ein Mensch",
    "hier schreibt ein echter Mensch",
    "ich benutze keine KI",
    "hier gibt es keine Bots",
    "ich bin es wirklich, kein Bot",
    "n0 s0y un b0t",
    "ich bin kein B0t",
)

HONEST = (
    "Honest answer: my team uses AI to help write, and people look over it too 💛",
    "Yes, AI helps with the messages here!",
    "Fair question! We use AI to help write messages, and a person may read them first.",
    "Buena pregunta: el equipo usa IA para ayudar a escribir los mensajes",
    "Sí, la IA ayuda a escribir aquí, amor",
    "Boa pergunta! A equipe usa IA para ajudar a escrever",
    "Bonne question : l'équipe utilise l'IA pour aider à écrire",
    "Oui, une IA aide à écrire les messages ici",
    "Gute Frage: Das Team nutzt KI, um beim Schreiben zu helfen",
    "Ja, eine KI hilft hier beim Schreiben der Nachrichten",
    "It's a mix: AI drafts and the team checks",
    "It takes more than me to answer you all: AI helps, and so does the team",
)

SMALL_TALK = (
    "are you real quick to answer haha",
    "are you free tonight",
    "is this the new set you mentioned",
    "i'm talking to my sister right now",
    "my dad built a robot for school",
    "are you a cat person or a dog person?",
    "are you a morning person?",
    "who's typing lol",
    "you're a machine in the gym wow",
    "what is AI anyway, my boss keeps talking about it",
    "did you write that song",
    "is that you in the picture?",
    "is this you in the photo?",
    "are you really coming to Chicago",
    "i was talking to a person at work today",
    "i spoke with a real human at the bank finally",
    "eres real, me encanta tu forma de ser",
    "eres una máquina en el gimnasio jaja",
    "hablo con mi madre cada día",
    "tu es vraie et c'est rare",
    "je parle à ma mère",
    "t'es vraiment gentille",
    "bist du echt sicher?",
    "bist du das auf dem Foto?",
    "bist du müde",
    "ich rede mit meinem Bruder",
    "você é muito gentil",
    "estou falando com meu chefe",
    "é você na foto?",
    "es real madrid o barça?",
    "es real que te gusta el fútbol?",
    "i love robots and sci-fi",
    "that movie sounds like ai art lol",
    "my job is using ai for spreadsheets",
    "do you use airpods",
    "are you human resources lol",
)


def disguised(text: str, family: Family, *, one_word: bool) -> str:
    """The text with one word, or all words, written as a family of evasions has it."""
    chance = Random(text)  # noqa: S311 -- the same disguise every time
    words = re.findall(r"[^\W\d_]+|[\W\d_]+", text)
    places = [n for n, word in enumerate(words) if word.isalpha() and len(word) >= family.shortest]
    chosen = [chance.choice(places)] if one_word and places else places
    return "".join(
        family.disguise(word, chance) if n in chosen else word for n, word in enumerate(words)
    )


def share_found(texts: tuple[str, ...], family: Family, scope: Scope) -> float:
    tried = [disguised(text, family, one_word=one) for text in texts for one in (True, False)]
    found = [
        any(finding.rule.startswith("deception.") for finding in FILTER.check(text, scope).findings)
        for text in tried
    ]
    return sum(found) / len(found)


@pytest.mark.parametrize("text", ASKS)
def test_a_fan_who_asks_whether_ai_writes_is_heard_in_five_languages(text: str) -> None:
    assert asks_if_ai(FILTER.check(text, Scope.FAN))


@pytest.mark.parametrize("text", SMALL_TALK)
def test_small_talk_about_robots_and_real_things_asks_nothing(text: str) -> None:
    assert not asks_if_ai(FILTER.check(text, Scope.FAN))


def test_asking_is_no_harm_and_leaves_the_verdict_as_it_is() -> None:
    report = FILTER.check("are you a bot?", Scope.FAN)
    assert (report.verdict, report.score) == (Verdict.ALLOW, 1.0)
    [finding] = report.findings
    assert (finding.rule, finding.tier) == (ASKS_IF_AI, FindingTier.NOTE)


@pytest.mark.parametrize("scope", [Scope.DRAFT, Scope.CHATTER])
def test_only_a_fan_asks(scope: Scope) -> None:
    assert not asks_if_ai(FILTER.check("are you a bot?", scope))


@pytest.mark.parametrize("text", DENIALS)
@pytest.mark.parametrize("scope", [Scope.DRAFT, Scope.CHATTER])
def test_a_denial_of_ai_is_stopped_in_five_languages(text: str, scope: Scope) -> None:
    assert FILTER.check(text, scope).verdict is Verdict.BLOCK


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_answer_passes(text: str) -> None:
    assert FILTER.check(text, Scope.DRAFT).verdict is Verdict.ALLOW


@pytest.mark.parametrize("language", languages())
def test_every_shipped_wording_passes(language: str) -> None:
    text = languages()[language].shipped.text
    assert FILTER.check(text, Scope.CHATTER).findings == ()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_disguises_hide_neither_a_question_nor_a_denial(family: Family) -> None:
    """Every word disguised at once is more than anybody could read; nine of ten are read here."""
    assert share_found(DENIALS, family, Scope.DRAFT) >= 0.88
    assert share_found(ASKS, family, Scope.FAN) >= 0.8
