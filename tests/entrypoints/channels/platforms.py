"""The platforms, each as its stub plays it: what it tells us, how it signs, what it has taken."""

import json
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from stubs import chatwoot, fanvue, telegram, webhook
from tests.support.webhooks import message_event, signed

Json = dict[str, Any]
Told = tuple[bytes, dict[str, str]]
"""A body and the headers that vouch for it."""

NOW = timedelta()
FAN = 1088
"""Telegram's number of the fan; others call them otherwise."""


class Platform(ABC):
    """One platform and its one fan.

    `settings` connect an account; `told` signs an event of it, `at` another time or with another
    secret; `texts` are the messages that it has taken, in order.
    """

    name: str
    is_dated = True
    """Whether its webhooks carry the time of their signature."""

    @property
    @abstractmethod
    def settings(self) -> Json: ...

    @abstractmethod
    def says(self, text: str, *, later: int = 0) -> Json:
        """The event of a message of the fan, written `later` seconds after a fixed moment."""

    @abstractmethod
    def told(self, event: Json, *, secret: str = "", age: timedelta = NOW) -> Told: ...

    @property
    def nothing(self) -> Json:
        """An event that does not concern us, where there is such a thing."""
        raise NotImplementedError

    @property
    @abstractmethod
    def texts(self) -> list[str]: ...

    @abstractmethod
    def limits(self, seconds: int | None) -> None:
        """The next message is put off with 429."""

    @abstractmethod
    def fails_after(self) -> None:
        """The next message is taken and answered with a fault."""

    @abstractmethod
    def drops_after(self) -> None:
        """The next message is taken and the connection closed without an answer."""

    @abstractmethod
    def refuses_us(self) -> None:
        """The next message finds that our credentials do not hold."""

    def answers(self, text: str) -> Json:
        """The event of a message that somebody of the team wrote on the platform itself."""
        raise NotImplementedError


def moment(later: int) -> datetime:
    return datetime(2026, 11, 1, 10, tzinfo=UTC) + timedelta(seconds=later)


class Webhook(Platform):
    name = "webhook"

    def __init__(self, stub: webhook.WebhookStub) -> None:
        self.stub = stub

    @property
    def settings(self) -> Json:
        return {"secret": webhook.SECRET, "targetUrl": self.stub.target}

    def says(self, text: str, *, later: int = 0) -> Json:
        return message_event(text, sentAt=moment(later).isoformat())

    def told(self, event: Json, *, secret: str = "", age: timedelta = NOW) -> Told:
        another = "whsec_b3RoZXIgc2VjcmV0IG9mIGVub3VnaCBieXRlcyE="
        key = another if secret else webhook.SECRET
        return signed(event, secret=key, at=datetime.now(UTC) - age)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.stub.accepted]

    def limits(self, seconds: int | None) -> None:
        self.stub.behave(webhook.Refuse(429, seconds))

    def fails_after(self) -> None:
        self.stub.behave(webhook.FailAfter(500))

    def drops_after(self) -> None:
        self.stub.behave(webhook.Drop())

    def refuses_us(self) -> None:
        self.stub.behave(webhook.Refuse(401))


class Telegram(Platform):
    name = "telegram"
    is_dated = False
    secret = "a-webhook-secret-of-forty-characters-long"

    def __init__(self, stub: telegram.TelegramStub) -> None:
        self.stub = stub

    @property
    def settings(self) -> Json:
        return {
            "botToken": telegram.BOT_TOKEN,
            "webhookSecret": self.secret,
            "baseUrl": self.stub.url,
        }

    def says(self, text: str, *, later: int = 0) -> Json:
        return self.stub.message(FAN, text, date=int(moment(later).timestamp()))

    def told(self, event: Json, *, secret: str = "", age: timedelta = NOW) -> Told:
        return json.dumps(event).encode(), {
            "Content-Type": "application/json",
            "X-Telegram-Bot-Api-Secret-Token": secret or self.secret,
        }

    @property
    def nothing(self) -> Json:
        event = self.says("Hello all")
        event["message"]["chat"] = {"id": -100123, "type": "supergroup", "title": "Friends"}
        return event

    @property
    def texts(self) -> list[str]:
        return [
            str(taken.parameters.get("text", taken.parameters.get("caption")))
            for taken in self.stub.accepted
        ]

    def limits(self, seconds: int | None) -> None:
        self.stub.behave(telegram.RateLimited(seconds or 1))

    def fails_after(self) -> None:
        self.stub.behave(telegram.FailAfter())

    def drops_after(self) -> None:
        self.stub.behave(telegram.DropAfter())

    def refuses_us(self) -> None:
        self.stub.behave(telegram.REFUSED_CREDENTIALS)


class Fanvue(Platform):
    name = "fanvue"

    def __init__(self, stub: fanvue.FanvueStub) -> None:
        self.stub = stub

    @property
    def settings(self) -> Json:
        return {
            "creatorUuid": self.stub.creator_uuid,
            "clientId": fanvue.CLIENT_ID,
            "clientSecret": fanvue.CLIENT_SECRET,
            "webhookSecret": fanvue.WEBHOOK_SECRET,
            "accessToken": fanvue.FIRST_ACCESS,
            "refreshToken": fanvue.FIRST_REFRESH,
            "expiresAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            "baseUrl": self.stub.base_url,
            "tokenUrl": self.stub.token_url,
        }

    def says(self, text: str, *, later: int = 0) -> Json:
        return fanvue.message_received(text=text, at=moment(later).isoformat())

    def told(self, event: Json, *, secret: str = "", age: timedelta = NOW) -> Told:
        body = json.dumps(event).encode()
        at = int(time.time() - age.total_seconds())
        key = secret or fanvue.WEBHOOK_SECRET
        return body, {"x-fanvue-signature": fanvue.signature(body, secret=key, at=at)}

    @property
    def nothing(self) -> Json:
        return fanvue.message_received(creator=str(uuid4()))

    @property
    def texts(self) -> list[str]:
        return [taken.body["text"] for taken in self.stub.accepted]

    def limits(self, seconds: int | None) -> None:
        self.stub.behave(fanvue.Refuse(429, retry_after=seconds))

    def fails_after(self) -> None:
        self.stub.behave(fanvue.TakeAndAnswer(502, {}))

    def drops_after(self) -> None:
        self.stub.behave(fanvue.TakeAndDrop())

    def refuses_us(self) -> None:
        self.stub.behave(fanvue.Refuse(403, {}))

    def answers(self, text: str, reference: str = "") -> Json:
        now = datetime.now(UTC).isoformat()
        event = fanvue.message_received(text=text, at=now) | {"type": "creator.message.sent"}
        event["data"] |= {"sender": "creator", "uuid": reference or str(uuid4())}
        return event

    def follows(self) -> Json:
        """The fan follows the creator."""
        return self._event("creator.follow.created", follower=self._fan)

    def pays(self, cents: int, source: str, *, message: str | None = None) -> Json:
        return fanvue.payment_succeeded(gross=cents, source=source, message=message)

    def _event(self, kind: str, **data: Any) -> Json:
        event = fanvue.message_received()
        creator, at = event["data"]["creator"], event["timestamp"]
        return event | {"type": kind, "data": {"creator": creator, "created_at": at, **data}}

    @property
    def _fan(self) -> Json:
        fan: Json = fanvue.message_received()["data"]["fan"]
        return fan


class Chatwoot(Platform):
    name = "chatwoot"

    def __init__(self, stub: chatwoot.ChatwootStub) -> None:
        self.stub = stub
        self._messages = iter(range(100, 1000))

    @property
    def settings(self) -> Json:
        return {
            "accountId": chatwoot.ACCOUNT_ID,
            "inboxId": chatwoot.INBOX_ID,
            "apiAccessToken": chatwoot.TOKEN,
            "webhookSecret": chatwoot.SECRET,
            "baseUrl": self.stub.url,
        }

    def says(self, text: str, *, later: int = 0) -> Json:
        at = moment(later).isoformat()
        return chatwoot.message_created(text, message_id=next(self._messages), created_at=at)

    def told(self, event: Json, *, secret: str = "", age: timedelta = NOW) -> Told:
        body = json.dumps(event).encode()
        at = time.time() - age.total_seconds()
        return body, chatwoot.signed(body, secret=secret or chatwoot.SECRET, at=at)

    @property
    def nothing(self) -> Json:
        return self.says("for the team only") | {"private": True}

    @property
    def texts(self) -> list[str]:
        return [taken["content"] for taken in self.stub.accepted]

    def limits(self, seconds: int | None) -> None:
        self.stub.behave(chatwoot.RateLimit(seconds))

    def fails_after(self) -> None:
        self.stub.behave(chatwoot.FailAfter())

    def drops_after(self) -> None:
        self.stub.behave(chatwoot.Drop())

    def refuses_us(self) -> None:
        self.stub.behave(chatwoot.Refuse(401, "Invalid Access Token"))

    def answers(self, text: str, reference: str = "", **changes: Any) -> Json:
        return chatwoot.message_created(
            text,
            message_id=int(reference or next(self._messages)),
            message_type="outgoing",
            sender=chatwoot.AGENT,
            **changes,
        )
