"""The channels of a process: those of the environment, and one instance for each account.

What a kind of account needs is said once, in `KINDS`: connecting, the documentation and the check
of what somebody typed all read it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from vaultcrm.controls.secrets import Sealer
from vaultcrm.domain.channels import Channel, ChannelAccount
from vaultcrm.domain.errors import FieldProblem, InvalidInput


@dataclass(frozen=True, slots=True)
class Renewal:
    """How a channel keeps credentials that its platform has renewed, and reads those that another
    process has renewed since.
    """

    save: Callable[[Mapping[str, Any]], Awaitable[None]]
    load: Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that an account needs. What is secret is stored encrypted and never shown."""

    name: str
    description: str
    secret: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of account and how a channel is made of its settings.

    `build` raises InvalidInput for settings that are malformed.
    """

    name: str
    title: str
    settings: tuple[Setting, ...]
    build: Callable[[Mapping[str, Any], Renewal], Channel]


class ChannelBook:
    """`fixed` are the environment's channels by name; `of` gives those of accounts."""

    def __init__(
        self,
        fixed: Mapping[str, Channel],
        kinds: Mapping[str, Kind],
        sealer: Sealer,
        save: Callable[[UUID, str, bytes], Awaitable[None]],
        load: Callable[[UUID, str], Awaitable[bytes | None]],
    ) -> None:
        self.fixed = fixed
        self.kinds = kinds
        self._sealer = sealer
        self._save = save
        self._load = load
        self._open: dict[tuple[UUID, str], tuple[object, Channel]] = {}
        self._replaced: list[Channel] = []

    def kind(self, name: str) -> Kind:
        """Raises InvalidInput for a kind that is not known."""
        try:
            return self.kinds[name]
        except KeyError:
            known = ", ".join(sorted(self.kinds))
            raise InvalidInput(FieldProblem("channel", f"is none of {known}")) from None

    def of(self, account: ChannelAccount) -> Channel:
        """The channel of an account, made anew when the account was connected anew."""
        key = (account.creator_id, account.channel)
        known = self._open.get(key)
        if known is not None:
            version, channel = known
            if version == account.updated_at:
                return channel
            # Somebody may be sending over it just now; it is closed with the rest.
            self._replaced.append(channel)
        settings = {**account.config, **self._unsealed(account.secret)}
        channel = self.kind(account.channel).build(settings, self._renewal(account))
        self._open[key] = (account.updated_at, channel)
        return channel

    async def check(self, name: str, values: Mapping[str, Any]) -> tuple[Channel, bytes]:
        """A channel made of these settings, not kept, and its secrets sealed.

        Raises InvalidInput that says what is missing, unknown or malformed.
        """
        kind = self.kind(name)
        known = {setting.name for setting in kind.settings}
        missing = [s.name for s in kind.settings if s.required and not values.get(s.name)]
        problems = [FieldProblem(f"settings.{one}", "is missing") for one in missing] + [
            FieldProblem(f"settings.{one}", f"is not a setting of {kind.title}")
            for one in sorted(set(values) - known)
        ]
        if problems:
            raise InvalidInput(*problems)
        try:
            channel = kind.build(values, _NO_RENEWAL)
        except InvalidInput as refused:
            raise InvalidInput(
                *(FieldProblem(f"settings.{p.field}", p.reason) for p in refused.problems)
            ) from None
        secrets = {s.name: values[s.name] for s in kind.settings if s.secret and s.name in values}
        return channel, self._sealer.seal(json.dumps(secrets).encode())

    def shown(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that are no secrets."""
        secret = {setting.name for setting in self.kind(name).settings if setting.secret}
        return {field: value for field, value in values.items() if field not in secret}

    def _unsealed(self, secret: bytes | None) -> dict[str, Any]:
        return {} if secret is None else dict(json.loads(self._sealer.open(secret)))

    def _renewal(self, account: ChannelAccount) -> Renewal:
        async def load() -> Mapping[str, Any]:
            return self._unsealed(await self._load(account.creator_id, account.channel))

        async def save(renewed: Mapping[str, Any]) -> None:
            sealed = self._sealer.seal(json.dumps({**await load(), **renewed}).encode())
            await self._save(account.creator_id, account.channel, sealed)

        return Renewal(save, load)

    async def aclose(self) -> None:
        """Give all connections back."""
        accounts = [channel for _, channel in self._open.values()]
        for channel in (*self.fixed.values(), *accounts, *self._replaced):
            await channel.aclose()


async def _save_nothing(renewed: Mapping[str, Any]) -> None:
    raise AssertionError("a channel that is only checked calls nobody")


async def _load_nothing() -> Mapping[str, Any]:
    raise AssertionError("a channel that is only checked calls nobody")


_NO_RENEWAL = Renewal(_save_nothing, _load_nothing)
