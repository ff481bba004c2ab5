"""Accounts on platforms as `vaultcrm doctor` finds them. No platform is asked."""

from uuid import UUID

from vaultcrm.adapters.channels.accounts import ChannelBook
from vaultcrm.adapters.channels.kinds import KINDS
from vaultcrm.controls.secrets import Sealer, has_installation_key, installation_key
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, channel_accounts, creators
from vaultcrm.domain.channels import ChannelAccount
from vaultcrm.domain.errors import InvalidInput, SecretUnreadable
from vaultcrm.entrypoints.cli.doctor_checks import Check, failed, ok, warning
from vaultcrm.settings import Settings


async def check_accounts(connection: Connection, settings: Settings) -> list[Check]:
    """Of each account whether it is complete, its credentials are readable, and it is paused."""
    creator_ids = await access.all_creator_ids(connection)
    accounts = await channel_accounts.of_creators(connection, creator_ids)
    return [
        _check(await _name(connection, account), account, settings, _book(settings))
        for account in accounts
    ]


async def _name(connection: Connection, account: ChannelAccount) -> str:
    creator = await (await creators.get_creator(connection, account.creator_id)).answer()
    return f"{creator.handle if creator else account.creator_id} {account.channel}"


def _check(
    name: str, account: ChannelAccount, settings: Settings, book: ChannelBook | None
) -> Check:
    fixed = _is_fixed(account, settings)
    fault = None if fixed else _fault(name, account, book)
    if fault is not None:
        return fault
    if account.paused_at is not None:
        return warning(
            "Account",
            f"{name}: paused, and its messages wait: {account.paused_reason}",
            f"Mend that, then run vaultcrm channel resume {name}.",
        )
    how = "as the settings say" if fixed else "connected, and its credentials can be read"
    return ok("Account", f"{name}: {how}")


def _fault(name: str, account: ChannelAccount, book: ChannelBook | None) -> Check | None:
    connect = f"Run vaultcrm channel add {name}."
    if account.secret is None:
        return failed("Account", f"{name}: has no credentials, and its messages wait", connect)
    if book is None:
        return failed(
            "Account",
            f"{name}: its credentials cannot be read, as this home has no key",
            "Set VAULTCRM_SECRET_KEY to the one that they were stored with, or bring signing.key "
            f"along. If neither is there any more: {connect}",
        )
    try:
        book.of(account)
    except SecretUnreadable as error:
        return failed("Account", f"{name}: its credentials cannot be read", str(error))
    except InvalidInput as error:
        return failed("Account", f"{name}: is not complete: {error}", connect)
    return None


def _is_fixed(account: ChannelAccount, settings: Settings) -> bool:
    """Whether the environment has set the channel up, so that the row only says how it is."""
    by_settings = account.channel == "webhook" and settings.webhook_secret is not None
    return account.channel == "simulator" or by_settings


def _book(settings: Settings) -> ChannelBook | None:
    """A book that opens accounts and calls nobody; None where there is no key yet."""
    if not has_installation_key(settings.vaultcrm_home, settings.vaultcrm_secret_key):
        return None
    key = installation_key(settings.vaultcrm_home, settings.vaultcrm_secret_key)
    return ChannelBook({}, KINDS, Sealer(key), _save_nothing, _load_nothing)


async def _save_nothing(creator_id: UUID, channel: str, secret: bytes) -> None:
    raise AssertionError("the doctor calls no platform")


async def _load_nothing(creator_id: UUID, channel: str) -> bytes | None:
    raise AssertionError("the doctor calls no platform")
