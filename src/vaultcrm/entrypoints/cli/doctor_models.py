"""The drafter as `vaultcrm doctor` finds it: the key, the server and the models."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from vaultcrm.adapters.llm.catalog import ModelCard, find_model, table_date
from vaultcrm.entrypoints.cli.doctor_checks import Check, failed, ok, warning
from vaultcrm.entrypoints.cli.survey import Survey
from vaultcrm.settings import Settings

ANSWER_SECONDS = 8.0

_MODEL_SETTINGS = {"ai_model": "AI_MODEL", "ai_model_checker": "AI_MODEL_CHECKER"}


@dataclass(frozen=True, slots=True)
class Offer:
    """A model in the provider's list, with what the list says about its end."""

    lifecycle: str = "active"
    retires: date | None = None


Offers = Mapping[str, Offer]


@dataclass(frozen=True, slots=True)
class Examined:
    """`clock_ahead` is by the provider's name, its clock less ours in seconds."""

    checks: tuple[Check, ...]
    clock_ahead: Mapping[str, float] = field(default_factory=dict)


def examine_drafter(survey: Survey, today: date) -> Examined:
    """Which drafter is used and why, whether it answers, and whether it has the models."""
    settings = survey.settings
    match settings.drafter:
        case "anthropic":
            why = f"{survey.origins['anthropic_api_key'].variable} is set"
            if settings.openai_base_url is not None:
                why += "; OPENAI_BASE_URL is not used as long as it is"
            drafter = ok("Drafter", f"Claude, as {why}")
            examined = _examine_claude(settings, today)
        case "openai_compatible":
            drafter = ok("Drafter", "an OpenAI-compatible server, as OPENAI_BASE_URL is set")
            examined = _examine_openai(settings)
        case _:
            drafter = ok(
                "Drafter",
                "retrieval, as no key is set: it reuses approved replies and templates",
                "For drafts by a model, set ANTHROPIC_API_KEY or OPENAI_BASE_URL.",
            )
            examined = Examined(())
    return Examined((drafter, *examined.checks), examined.clock_ahead)


# --- Claude ----------------------------------------------------------------------------------


def _examine_claude(settings: Settings, today: date) -> Examined:
    assert settings.anthropic_api_key is not None  # noqa: S101 -- this drafter is chosen by it
    key = settings.anthropic_api_key.get_secret_value()
    if not key.isascii() or any(letter.isspace() for letter in key):
        check = failed(
            "Key",
            "ANTHROPIC_API_KEY holds a blank or a letter that no key has",
            "Copy the key again, without anything around it.",
        )
        return Examined((check, *_claude_models(settings, None, today)))
    check, offers, ahead = _ask_claude(settings, key)
    return Examined((check, *_claude_models(settings, offers, today)), ahead)


def _ask_claude(settings: Settings, key: str) -> tuple[Check, Offers | None, dict[str, float]]:
    from anthropic import Anthropic, AnthropicError, APIConnectionError, APIStatusError

    where = "Check this machine's network, its proxy settings and ANTHROPIC_BASE_URL."
    asked = time.time()
    ahead: dict[str, float] = {}
    try:
        with Anthropic(
            api_key=key,
            base_url=settings.anthropic_base_url,
            timeout=min(ANSWER_SECONDS, settings.ai_timeout_seconds),
            max_retries=0,
        ) as client:
            response = client.models.with_raw_response.list(limit=1000)
            ahead = _clock("Claude", response.headers, asked)
            offers = {model.id: _offer(model) for model in response.parse()}
    except APIStatusError as error:
        return _refusal(error.status_code), None, _clock("Claude", error.response.headers, asked)
    except APIConnectionError:
        return failed("Key", "not checked: Claude cannot be reached", where), None, {}
    except (AnthropicError, AttributeError, TypeError, ValueError):
        offers = {}
    if not offers:
        seen = "not checked: the server does not answer in the form of the Claude API"
        return failed("Key", seen, "Check ANTHROPIC_BASE_URL."), None, {}
    return ok("Key", f"Claude takes it, and offers {len(offers)} models"), offers, ahead


def _offer(model: Any) -> Offer:
    retires = getattr(model, "retires_at", None)
    return Offer(
        lifecycle=getattr(model, "lifecycle", None) or "active",
        retires=retires.date() if isinstance(retires, datetime) else None,
    )


def _refusal(status: int) -> Check:
    if status == 401:
        return failed(
            "Key", "refused by Claude", "Make a key in the Claude Console, set ANTHROPIC_API_KEY."
        )
    if status in {403, 404}:
        return warning(
            "Key",
            f"not checked: the server does not list its models (status {status})",
            "Try vaultcrm generate: it says whether the key and the models work.",
        )
    if status == 402:
        return failed("Key", "the account cannot pay", "Add credit to the Anthropic account.")
    return warning("Key", f"not checked: Claude answered {status}", "Try again in a minute.")


def _claude_models(settings: Settings, offers: Offers | None, today: date) -> list[Check]:
    return [
        _claude_model(setting, getattr(settings, name), _default(name), offers, settings, today)
        for name, setting in _MODEL_SETTINGS.items()
    ]


def _default(name: str) -> str:
    return str(Settings.model_fields[name].default)


def _claude_model(
    setting: str,
    model: str,
    default: str,
    offers: Offers | None,
    settings: Settings,
    today: date,
) -> Check:
    card = find_model(model)
    offer = _offered(card, offers)
    better = f"Set {setting} to {_replacement(card, default, offers, today)}."
    if offer is not None and offer.lifecycle == "retired":
        return failed(setting, f"{model} is retired: calls to it fail", better)
    if card.retired is not None and card.retired <= today and offer is None:
        return failed(setting, f"{model} was retired on {card.retired}: calls to it fail", better)
    if offers is not None and offer is None:
        seen = f"{model} is not among the models that the server offers"
        if settings.anthropic_base_url is not None:
            return warning(setting, seen, f"{better} Leave it if your server takes more.")
        return failed(setting, seen, better)
    retires = (offer.retires if offer else None) or card.retired
    if retires is not None or (offer is not None and offer.lifecycle == "deprecated"):
        end = f"retires on {retires}" if retires else "is deprecated"
        return warning(setting, f"{model} {end}", better)
    if card.deprecated is not None and card.deprecated <= today:
        return warning(setting, f"{model} is deprecated since {card.deprecated}", better)
    if not card.known:
        return warning(
            setting,
            f"{model} is not in the table of prices of {table_date()}: it is counted as the "
            "dearest model there",
            better,
        )
    return ok(setting, f"{model}, {'offered' if offer else 'known; Claude was not asked for it'}")


def _offered(card: ModelCard, offers: Offers | None) -> Offer | None:
    """The offer of a model under any of its names."""
    for name, offer in (offers or {}).items():
        if name == card.name or (card.known and find_model(name).name == card.name):
            return offer
    return None


def _replacement(card: ModelCard, default: str, offers: Offers | None, today: date) -> str:
    """The default, unless that is the model at fault or not to be had."""
    fit = [
        name
        for name in (default, *(offers or ()))
        if (other := find_model(name)).known
        and other.name != card.name
        and other.deprecated is None
        and (other.retired is None or other.retired > today)
        and (offers is None or _offered(other, offers) is not None)
    ]
    return fit[0] if fit else "a current model"


# --- OpenAI-compatible servers ---------------------------------------------------------------


def _examine_openai(settings: Settings) -> Examined:
    import httpx2

    base = (settings.openai_base_url or "").rstrip("/")
    key = settings.openai_api_key
    headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    wrong = "Check OPENAI_BASE_URL; it usually ends in /v1."
    asked = time.time()
    try:
        response = httpx2.get(
            f"{base}/models",
            headers=headers,
            timeout=min(ANSWER_SECONDS, settings.ai_timeout_seconds),
        )
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeEncodeError):
        check = failed("Server", "cannot be reached", f"Start it. {wrong}")
        return Examined((check,))
    ahead = _clock("the server", response.headers, asked)
    if response.status_code in {401, 403}:
        check = failed(
            "Server", f"refuses the key (status {response.status_code})", "Set OPENAI_API_KEY."
        )
        return Examined((check,), ahead)
    names = _listed(response)
    if names is None:
        seen = f"does not list its models (status {response.status_code})"
        return Examined((warning("Server", seen, wrong),), ahead)
    models = [
        _openai_model(setting, getattr(settings, name), names)
        for name, setting in _MODEL_SETTINGS.items()
    ]
    return Examined((ok("Server", f"answers, and offers {len(names)} models"), *models), ahead)


def _listed(response: Any) -> list[str] | None:
    if not response.is_success:
        return None
    try:
        return [str(model["id"]) for model in response.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return None


MOST_NAMED = 6


def _openai_model(setting: str, model: str, names: list[str]) -> Check:
    # Ollama lists a model with its tag and takes it without.
    if model in names or f"{model}:latest" in names:
        return ok(setting, f"{model}, offered")
    if not names:
        todo = "Load a model into the server."
    else:
        more = ", …" if len(names) > MOST_NAMED else ""
        todo = f"Set {setting} to a model that is there: {', '.join(names[:MOST_NAMED])}{more}."
    return failed(setting, f"{model} is not on the server", todo)


# --- the clock -------------------------------------------------------------------------------


def _clock(name: str, headers: Mapping[str, str], asked: float) -> dict[str, float]:
    """How far the clock behind a `Date` header is ahead of ours; nothing without the header.

    The header is cut to whole seconds (RFC 9110, 5.6.7), so half a second is added.
    """
    try:
        then = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return {}
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return {name: then.timestamp() + 0.5 - (asked + time.time()) / 2}
