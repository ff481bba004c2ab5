"""The real parts that workflows are given. `vaultcrm.bootstrap` puts them together, once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from vaultcrm.adapters.channels.accounts import ChannelBook
from vaultcrm.adapters.llm.catalog import ModelCard
from vaultcrm.controls.monitoring.observed import Observed
from vaultcrm.db.jobs import JobQueue
from vaultcrm.db.pending import Connection, run
from vaultcrm.db.pool import ScopedPool
from vaultcrm.db.queries import idempotency
from vaultcrm.db.row_scope import put_scope_in_transaction
from vaultcrm.domain.drafting import Drafter
from vaultcrm.domain.errors import Conflict
from vaultcrm.domain.events import EventSender
from vaultcrm.domain.identity import IdentityVerifier
from vaultcrm.domain.judging import Judge
from vaultcrm.domain.mail import Mailer
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.settings import Settings
from vaultcrm.workflows.confidence_book import ConfidenceBook
from vaultcrm.workflows.known_identities import KnownIdentities
from vaultcrm.workflows.rule_book import RuleBook
from vaultcrm.workflows.running_calls import RunningCalls
from vaultcrm.workflows.token_uses import TokenUses
from vaultcrm.workflows.voice_book import VoiceBook

Pool = ScopedPool


class Prices(Protocol):
    """Looks a model up, with the prices of a moment, or of now."""

    def __call__(self, name: str, at: datetime | None = None) -> ModelCard: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process works with. `now` gives the time in UTC."""

    settings: Settings
    database_url: str
    pool: Pool
    drafter: Drafter
    judge: Judge
    price: Prices
    content_filter: ContentFilter
    channels: ChannelBook
    event_sender: EventSender
    jobs: JobQueue
    now: Callable[[], datetime]
    rule_book: RuleBook = field(default_factory=RuleBook)
    voice_book: VoiceBook = field(default_factory=VoiceBook)
    confidence_book: ConfidenceBook = field(default_factory=ConfidenceBook)
    observed: Observed = field(default_factory=Observed)
    mailer: Mailer | None = None
    """None where no mail server is set up."""
    identities: IdentityVerifier | None = None
    """None where no OpenID Connect issuer is set up."""
    known_identities: KnownIdentities = field(default_factory=KnownIdentities)
    token_uses: TokenUses = field(default_factory=TokenUses)
    running_calls: RunningCalls = field(default_factory=RunningCalls)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, for effects that happen together or not at all."""
        async with self.pool.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def pipelined_transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction whose statements travel together up to each answer.

        BEGIN goes with the first statement and COMMIT costs the last round trip, so that reading
        one answer inside makes three round trips, however many statements there are. psycopg's own
        transaction would wait for BEGIN. An exception in the block leaves without COMMIT, and a
        connection that is given back in a transaction is rolled back.
        """
        async with self.pool.unscoped() as connection, connection.pipeline():
            await run(connection, "BEGIN", ())
            await put_scope_in_transaction(connection)
            yield connection
            await run(connection, "COMMIT", ())

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Connection]:
        """A connection whose statements travel together, as one transaction in one round trip.

        For statements whose rows nobody reads inside the block. An explicit transaction in a
        pipeline would cost a round trip at its beginning and one at its end; in autocommit mode
        the statements up to the end of the block are one implicit transaction.
        """
        async with self.pool.unscoped() as connection, connection.pipeline():
            await put_scope_in_transaction(connection)
            yield connection


@dataclass(frozen=True, slots=True)
class Receipt:
    """How to answer the same request again: the answer is stored with the effect it tells of."""

    user_id: UUID
    key: str
    held_since: datetime

    async def store(self, connection: Connection, response: str, status_code: int = 200) -> None:
        """Store the answer in the transaction of the effect.

        Raises Conflict, and so undoes the effect, when this request took so long that another one
        has been let in with the same key.
        """
        stored = await idempotency.store(
            connection,
            self.user_id,
            self.key,
            self.held_since,
            status_code=status_code,
            response=response,
        )
        if not stored:
            raise Conflict(
                "This took so long that another request with the same Idempotency-Key was let in. "
                "Nothing was done here; ask again to see the other one's answer."
            )
