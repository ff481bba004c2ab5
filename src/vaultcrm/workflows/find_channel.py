"""The channel of a creator: set up for everybody by the environment, or an account of their own."""

from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import channel_accounts
from vaultcrm.domain.channels import Channel
from vaultcrm.domain.errors import NotFound
from vaultcrm.workflows.parts import Parts


async def find_channel(
    parts: Parts, creator_id: UUID, name: str, connection: Connection | None = None
) -> Channel:
    """The channel by its name; raises NotFound when it is not set up for this creator.

    Whoever holds a connection gives it: callers who each hold one and wait for a second would wait
    for each other.
    """
    fixed = parts.channels.fixed.get(name)
    if fixed is not None:
        return fixed
    if connection is not None:
        account = await channel_accounts.get(connection, creator_id, name)
    else:
        async with parts.pool.connection() as own:
            account = await channel_accounts.get(own, creator_id, name)
    if account is None or account.secret is None:
        raise NotFound("channel")
    return parts.channels.of(account)
