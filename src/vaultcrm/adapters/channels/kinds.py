"""The kinds of accounts that a creator can connect."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vaultcrm.adapters.channels import chatwoot, fanvue, telegram
from vaultcrm.adapters.channels.accounts import Kind, Renewal, Setting
from vaultcrm.adapters.channels.webhook import WebhookChannel
from vaultcrm.domain.channels import Channel
from vaultcrm.domain.errors import FieldProblem, InvalidInput

_BASE_URL = Setting("baseUrl", "another address of the platform", required=False)
_AUTOMATED = "yes or no: whether the platform's terms let messages go by themselves"


def _webhook(values: Mapping[str, Any], renewal: Renewal) -> Channel:
    return WebhookChannel(
        _text(values, "secret"),
        _text(values, "targetUrl"),
        _yes(values, "automatedSending", default=True),
    )


WEBHOOK = Kind(
    "webhook",
    "the generic webhook",
    (
        Setting("secret", "whsec_… and at least 24 bytes in base64, the same on both sides", True),
        Setting("targetUrl", "where messages to send are posted", required=False),
        Setting("automatedSending", f"{_AUTOMATED}; yes if left out", required=False),
    ),
    _webhook,
)


def _telegram(values: Mapping[str, Any], renewal: Renewal) -> Channel:
    return telegram.TelegramChannel(
        bot_token=_text(values, "botToken"),
        webhook_secret=_text(values, "webhookSecret"),
        base_url=_text(values, "baseUrl") or telegram.BASE_URL,
    )


TELEGRAM = Kind(
    "telegram",
    "Telegram",
    (
        Setting("botToken", "the token that BotFather gave", True),
        Setting("webhookSecret", "the secret that the webhook is registered with", True),
        _BASE_URL,
    ),
    _telegram,
)


def _chatwoot(values: Mapping[str, Any], renewal: Renewal) -> Channel:
    return chatwoot.ChatwootChannel(
        account_id=_number(values, "accountId"),
        inbox_id=_number(values, "inboxId"),
        api_access_token=_text(values, "apiAccessToken"),
        webhook_secret=_text(values, "webhookSecret"),
        base_url=_text(values, "baseUrl") or chatwoot.BASE_URL,
        automated_sending=_yes(values, "automatedSending", default=True),
        longest_text=_number(values, "longestText", default=chatwoot.LONGEST_TEXT),
    )


CHATWOOT = Kind(
    "chatwoot",
    "Chatwoot",
    (
        Setting("accountId", "the number of the account, as in its address"),
        Setting("inboxId", "the number of the API inbox"),
        Setting("apiAccessToken", "the access token of an agent who is in that inbox", True),
        Setting("webhookSecret", "the secret that Chatwoot shows beside the webhook", True),
        Setting("automatedSending", f"{_AUTOMATED}; yes if left out", required=False),
        Setting(
            "longestText",
            f"most characters of a message; {chatwoot.LONGEST_TEXT:,} if left out",
            required=False,
        ),
        _BASE_URL,
    ),
    _chatwoot,
)


def _fanvue(values: Mapping[str, Any], renewal: Renewal) -> Channel:
    async def save_tokens(tokens: fanvue.FanvueTokens) -> None:
        await renewal.save(
            {
                "accessToken": tokens.access,
                "refreshToken": tokens.refresh,
                "expiresAt": tokens.expires_at.isoformat(),
            }
        )

    async def load_tokens() -> fanvue.FanvueTokens:
        return _tokens(await renewal.load())

    return fanvue.FanvueChannel(
        webhook_secret=_text(values, "webhookSecret"),
        creator_uuid=_text(values, "creatorUuid"),
        client_id=_text(values, "clientId"),
        client_secret=_text(values, "clientSecret"),
        tokens=_tokens(values),
        save_tokens=save_tokens,
        load_tokens=load_tokens,
        for_agency=_yes(values, "forAgency", default=False),
        automated_sending=_yes(values, "automatedSending", default=False),
        base_url=_text(values, "baseUrl") or fanvue.API_URL,
        token_url=_text(values, "tokenUrl") or fanvue.TOKEN_URL,
    )


def _tokens(values: Mapping[str, Any]) -> fanvue.FanvueTokens:
    try:
        expires_at = datetime.fromisoformat(_text(values, "expiresAt"))
    except ValueError:
        raise InvalidInput(
            FieldProblem("expiresAt", "is not a time such as 2026-11-01T10:00:00Z")
        ) from None
    return fanvue.FanvueTokens(
        access=_text(values, "accessToken"),
        refresh=_text(values, "refreshToken"),
        expires_at=expires_at,
    )


FANVUE = Kind(
    "fanvue",
    "Fanvue",
    (
        Setting("creatorUuid", "the creator's id on Fanvue"),
        Setting("clientId", "the app's client id"),
        Setting("clientSecret", "the app's client secret", True),
        Setting("webhookSecret", "the secret that signs the app's webhooks", True),
        Setting("accessToken", "the access token of the sign-in", True),
        Setting("refreshToken", "the refresh token that came with it", True),
        Setting("expiresAt", "when the access token ends, as 2026-11-01T10:00:00Z", True),
        Setting("forAgency", "yes when an agency's account acts for the creator", required=False),
        Setting("automatedSending", f"{_AUTOMATED}; no if left out", required=False),
        _BASE_URL,
        Setting("tokenUrl", "another address for renewing tokens", required=False),
    ),
    _fanvue,
)


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (WEBHOOK, TELEGRAM, FANVUE, CHATWOOT)}


def _text(values: Mapping[str, Any], name: str) -> str:
    return str(values.get(name) or "").strip()


_SAID: Mapping[str, bool] = {"yes": True, "true": True, "no": False, "false": False}


def _yes(values: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """A setting that is true or false, or "yes" or "no" where somebody typed it."""
    said = values.get(name)
    if isinstance(said, bool):
        return said
    if not (typed := _text(values, name).lower()):
        return default
    if typed not in _SAID:
        raise InvalidInput(FieldProblem(name, "is neither yes nor no"))
    return _SAID[typed]


def _number(values: Mapping[str, Any], name: str, default: int | None = None) -> int:
    text = _text(values, name)
    if not text and default is not None:
        return default
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(FieldProblem(name, "is not a number")) from None
