"""The analysis by word lists that runs without a model."""

import pytest

from vaultcrm.adapters.llm.rough_analysis import UNKNOWN_LANGUAGE, analyze_roughly
from vaultcrm.domain.drafting import Distress


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("what are you doing this weekend", "en"),
        ("hola guapa, ¿cómo estás hoy?", "es"),
        ("oi linda, você está bem hoje?", "pt"),
        ("bonjour, je suis très content pour vous", "fr"),
        ("hallo, ich freue mich sehr auf heute", "de"),
        ("❤️❤️", UNKNOWN_LANGUAGE),
        ("", UNKNOWN_LANGUAGE),
    ],
)
def test_the_language_is_told_by_its_common_words(text: str, language: str) -> None:
    assert analyze_roughly(text, "m").language == language


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("I LOVE your pictures, they are amazing", "positive"),
        ("me encanta, gracias", "positive"),
        ("ich bin so traurig", "negative"),
        ("this was a terrible, boring evening", "negative"),
        ("the train leaves at nine", "neutral"),
    ],
)
def test_the_sentiment_is_the_balance_of_words(text: str, sentiment: str) -> None:
    assert analyze_roughly(text, "m").sentiment == sentiment


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("how much is a custom video?", "purchase"),
        ("¿cuánto cuesta?", "purchase"),
        ("I want a refund for that video", "complaint"),
        ("c'est une arnaque", "complaint"),
        ("gute Nacht, bis morgen", "farewell"),
        ("do you have a dog?", "question"),
        ("why not", "question"),
        ("I had pasta for lunch", "chat"),
        ("!!! 123", "other"),
    ],
)
def test_the_intent_is_that_of_the_gravest_list_that_matches(text: str, intent: str) -> None:
    assert analyze_roughly(text, "m").intent == intent


@pytest.mark.parametrize(
    "text",
    [
        "I don't want to live anymore",
        "i dont want to live anymore",
        "I don’t want to live anymore",
        "thinking about SUICIDE again",
        "a veces quiero morir",
        "eu não quero mais viver",
        "j'ai envie de mourir",
        "ich will sterben",
    ],
)
def test_words_of_crisis_are_clear_distress_in_every_language(text: str) -> None:
    assert analyze_roughly(text, "m").distress is Distress.CLEAR


@pytest.mark.parametrize(
    "text", ["I spent my rent on you", "I feel hopeless", "estoy endeudado", "ich kann nicht mehr"]
)
def test_despair_and_money_trouble_are_possible_distress(text: str) -> None:
    assert analyze_roughly(text, "m").distress is Distress.POSSIBLE


@pytest.mark.parametrize(
    "text", ["die Katze ist mega", "I'm dying of laughter", "you look killer", "deadline tomorrow"]
)
def test_harmless_words_are_no_distress(text: str) -> None:
    assert analyze_roughly(text, "m").distress is Distress.NONE


@pytest.mark.parametrize(
    "text",
    [
        "i'm 15",
        "I am 17, is that ok?",
        "im 16 lol",
        "14 years old here",
        "tengo 15 años",
        "tenho 16 anos",
        "j'ai 17 ans",
        "ich bin 16.",
        "have to do my homework first",
        "soy menor de edad",
        "mes parents ne veulent pas",
    ],
)
def test_signs_of_a_minor_are_seen_in_every_language(text: str) -> None:
    assert analyze_roughly(text, "m").possible_minor


@pytest.mark.parametrize(
    "text",
    [
        "i'm 12 minutes away",
        "i'm 34",
        "i am 180 cm tall",
        "I'm 15% sure",
        "tengo 35 años",
        "ich bin 10 Minuten zu spät",
        "at 17:00?",
    ],
)
def test_other_numbers_are_no_ages(text: str) -> None:
    assert not analyze_roughly(text, "m").possible_minor


def test_it_costs_nothing_and_names_its_model() -> None:
    seen = analyze_roughly("hi", "retrieval")

    assert (seen.usage.total, seen.model) == (0, "retrieval")
