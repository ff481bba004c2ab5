"""The one place where real parts are put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from vaultcrm.adapters.channels.accounts import ChannelBook
from vaultcrm.adapters.channels.kinds import KINDS
from vaultcrm.adapters.channels.simulator.channel import SimulatorChannel
from vaultcrm.adapters.channels.webhook import WebhookChannel
from vaultcrm.adapters.events import WebhookEvents
from vaultcrm.adapters.identity.oidc import OidcVerifier
from vaultcrm.adapters.llm.calling import ModelDrafter
from vaultcrm.adapters.llm.catalog import find_model
from vaultcrm.adapters.llm.factory import build_drafter
from vaultcrm.adapters.llm.measured import MeasuredModel
from vaultcrm.adapters.llm.retrieval import RetrievalDrafter
from vaultcrm.adapters.mail import build_mailer
from vaultcrm.controls.monitoring.observed import Observed
from vaultcrm.controls.secrets import Sealer, installation_key
from vaultcrm.db.embedded import EmbeddedServer, revive_embedded, start_embedded
from vaultcrm.db.jobs import JobQueue, job_app
from vaultcrm.db.migrate import upgrade
from vaultcrm.db.pending import Connection
from vaultcrm.db.pool import ScopedPool, open_pool
from vaultcrm.db.queries import channel_accounts
from vaultcrm.db.role_setup import let_application_log_in
from vaultcrm.domain.channels import Channel
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.settings import Settings
from vaultcrm.workflows.parts import Parts


def utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def database_url(settings: Settings) -> AsyncIterator[str]:
    """The address of a migrated database: the given one, or the embedded server's.

    The embedded server runs for as long as any process of this home needs it.
    """
    if settings.database_url is not None:
        await asyncio.to_thread(upgrade, settings.database_url)
        yield settings.database_url
        return
    server = await _start_embedded(settings)
    try:
        url = server.url()
        await asyncio.to_thread(upgrade, url)
        yield await asyncio.to_thread(let_application_log_in, url)
    finally:
        await asyncio.to_thread(server.stop)


async def revive_database(settings: Settings) -> bool:
    """Start the embedded server again if it was killed while this process holds it.

    False when it runs, or when the database is a given one. Raises `DatabaseUnavailable`.
    """
    if settings.database_url is not None:
        return False
    return await asyncio.to_thread(revive_embedded, settings.vaultcrm_home)


async def _start_embedded(settings: Settings) -> EmbeddedServer:
    starting = asyncio.ensure_future(asyncio.to_thread(start_embedded, settings.vaultcrm_home))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread goes on, and nobody would stop the server that it starts.
        await asyncio.to_thread((await starting).stop)
        raise


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[ScopedPool]:
    """A pool of connections to a migrated database."""
    async with database_url(settings) as url:
        pool = await open_pool(url, settings.database_pool_size)
        try:
            yield pool
        finally:
            await pool.close()


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Everything a process works with, opened in order and closed in the reverse one."""
    async with database_url(settings) as url:
        observed = Observed()
        pool = await open_pool(url, settings.database_pool_size, on_failure=observed.database_error)
        drafter = _measured(build_drafter(settings), observed)
        channels = _channel_book(settings, pool)
        event_sender = WebhookEvents()
        identities = build_identities(settings)
        try:
            yield Parts(
                settings=settings,
                database_url=url,
                pool=pool,
                drafter=drafter,
                judge=drafter,
                price=find_model,
                content_filter=ContentFilter.load(),
                channels=channels,
                event_sender=event_sender,
                jobs=JobQueue(job_app(url)),
                now=utc_now,
                observed=observed,
                mailer=build_mailer(settings),
                identities=identities,
            )
        finally:
            if identities is not None:
                await identities.aclose()
            await event_sender.aclose()
            await channels.aclose()
            await drafter.aclose()
            await pool.close()


def build_identities(settings: Settings) -> OidcVerifier | None:
    """Who reads the tokens of the OpenID Connect issuer, where one is set up."""
    if settings.oidc_issuer is None:
        return None
    return OidcVerifier(
        settings.oidc_issuer,
        settings.oidc_audience,
        jwks_url=settings.oidc_jwks_url,
        emails_are_verified=settings.oidc_emails_are_verified,
    )


def _measured(
    drafter: ModelDrafter | RetrievalDrafter, observed: Observed
) -> MeasuredModel | RetrievalDrafter:
    """What asks a model, counted; what asks none costs nothing and fails for nobody."""
    return MeasuredModel(drafter, observed) if isinstance(drafter, ModelDrafter) else drafter


def build_channels(settings: Settings) -> dict[str, Channel]:
    """The channels that are set up. The simulator is always there; the rest need their settings."""
    channels: dict[str, Channel] = {"simulator": SimulatorChannel()}
    if settings.webhook_secret is not None:
        channels["webhook"] = WebhookChannel(
            settings.webhook_secret.get_secret_value(), settings.webhook_target_url or ""
        )
    return channels


def _channel_book(settings: Settings, pool: AsyncConnectionPool[Connection]) -> ChannelBook:
    async def save(creator_id: UUID, channel: str, secret: bytes) -> None:
        async with pool.connection() as connection:
            await channel_accounts.save_secret(connection, creator_id, channel, secret)

    async def load(creator_id: UUID, channel: str) -> bytes | None:
        async with pool.connection() as connection:
            account = await channel_accounts.get(connection, creator_id, channel)
        return None if account is None else account.secret

    key = installation_key(settings.vaultcrm_home, settings.vaultcrm_secret_key)
    return ChannelBook(build_channels(settings), KINDS, Sealer(key), save, load)
