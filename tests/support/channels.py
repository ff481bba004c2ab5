"""The channels of a test: these and no others."""

from uuid import UUID

from vaultcrm.adapters.channels.accounts import ChannelBook
from vaultcrm.adapters.channels.kinds import KINDS
from vaultcrm.controls.secrets import Sealer
from vaultcrm.domain.channels import Channel


def only(**channels: Channel) -> ChannelBook:
    """A book in which the environment has set up these channels, and nobody has an account."""

    async def save(creator_id: UUID, channel: str, secret: bytes) -> None:
        raise AssertionError("no account is open")

    async def load(creator_id: UUID, channel: str) -> bytes | None:
        raise AssertionError("no account is open")

    return ChannelBook(channels, KINDS, Sealer(bytes(32)), save, load)
