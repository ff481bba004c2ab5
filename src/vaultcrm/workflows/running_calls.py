"""Calls to models that are on their way in this process, stopped when AI is switched off.

While any is on its way, the flags in force are asked for a few times a second, on one connection of
the pool for all of them; a process that asks no model asks nothing. So every process on every
machine stops within a second of the switch, whatever stands between it and the database. What a
call held is given back by whoever made it, as for any call that fails.

Fails closed: a process that could not ask for `BLIND_SECONDS` does not know whether AI is still on,
and stops its calls as if the model had failed, so that jobs try again later.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.controls.monitoring.observed import STOPPED
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import console
from vaultcrm.domain.errors import AiDisabled, DrafterUnavailable, VaultError
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Creator
from vaultcrm.settings import Settings

Pool = AsyncConnectionPool[Connection]

LOOK_SECONDS = 0.25
BLIND_SECONDS = 5.0

SWITCHED_OFF = "AI was switched off while the model was asked. The conversation works without it."
NOT_KNOWN = (
    "The database could not be asked whether AI is still switched on, so the model was stopped. "
    "Try again."
)


@dataclass(slots=True, eq=False)
class _Call:
    creator: Creator
    task: asyncio.Task[object]
    began: float = field(default_factory=time.monotonic)
    stopped: VaultError | None = None

    def stop(self, error: VaultError) -> None:
        if self.stopped is None:
            self.stopped = error
            self.task.cancel(STOPPED)


class RunningCalls:
    """The calls of one process. All of its methods are called from its event loop alone.

    `look_seconds` is the time between two questions, from the next one on.
    """

    def __init__(
        self, look_seconds: float = LOOK_SECONDS, blind_seconds: float = BLIND_SECONDS
    ) -> None:
        self.look_seconds = look_seconds
        self._blind_seconds = blind_seconds
        self._calls: set[_Call] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._seen_at = 0.0

    @property
    def count(self) -> int:
        """How many calls are on their way."""
        return len(self._calls)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way, and nothing is asked for that."""
        return not self._calls and self._timer is None and self._looking is None

    @contextmanager
    def stoppable(self, creator: Creator, pool: Pool, settings: Settings) -> Iterator[None]:
        """Around one call to a model for a creator.

        Raises AiDisabled when AI is switched off for them meanwhile, or DrafterUnavailable when
        nobody can tell any more.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- whoever awaits is a task
        call = _Call(creator, task)
        self._calls.add(call)
        self._look_soon(pool, settings)
        try:
            yield
        except asyncio.CancelledError:
            if call.stopped is None:
                raise
            # Somebody else may have cancelled the task too: then that goes on.
            if task.uncancel() > 0:
                raise
            raise call.stopped from None
        finally:
            self._calls.discard(call)

    def _look_soon(self, pool: Pool, settings: Settings) -> None:
        """A timer and not a task: most calls end before it comes, and must cost nothing."""
        if self._timer is None and self._looking is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.look_seconds, self._look_now, pool, settings)

    def _look_now(self, pool: Pool, settings: Settings) -> None:
        self._timer = None
        if self._calls:
            self._looking = asyncio.get_running_loop().create_task(self._look(pool, settings))

    async def _look(self, pool: Pool, settings: Settings) -> None:
        try:
            async with asyncio.timeout(self._blind_seconds):
                await self._stop_what_is_off(pool, settings)
            self._seen_at = time.monotonic()
        except (psycopg.Error, PoolTimeout, TimeoutError):
            now = time.monotonic()
            for call in tuple(self._calls):
                if now - max(call.began, self._seen_at) >= self._blind_seconds:
                    call.stop(DrafterUnavailable(NOT_KNOWN))
        finally:
            self._looking = None
            if self._calls:
                self._look_soon(pool, settings)

    async def _stop_what_is_off(self, pool: Pool, settings: Settings) -> None:
        creators = {call.creator.id: call.creator for call in self._calls}
        async with pool.connection() as connection:
            found = await (await console.overrides(connection, list(creators))).answer()
        installation = found.get(NIL, {})
        off = {
            creator.id
            for creator in creators.values()
            if not effective_flags(
                settings, Overrides(installation, found.get(creator.id, {}))
            ).ai_is_on_for(creator.handle)
        }
        for call in tuple(self._calls):
            if call.creator.id in off:
                call.stop(AiDisabled(SWITCHED_OFF))
