"""Run a world: a scratch database, one process or several, progress, and an orderly stop."""

import asyncio
import multiprocessing
import queue
import shutil
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from pathlib import Path
from time import perf_counter
from typing import Any

from vaultcrm.adapters.worlds.people import World, build_world
from vaultcrm.adapters.worlds.presets import WorldSpec
from vaultcrm.bootstrap import open_parts
from vaultcrm.db.embedded import start_embedded, stop_if_unused
from vaultcrm.settings import Settings
from vaultcrm.workflows.check_world import Invariant, check_world
from vaultcrm.workflows.simulate_world import (
    Abandoned,
    OnDay,
    Settled,
    settle_world,
    simulate_creators,
    simulation_settings,
)
from vaultcrm.workflows.simulated_facts import CreatorRun

LOOK_SECONDS = 0.2
"""How often processes look whether they are to stop, and their progress is read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run: which world, with which drafter (`voice`, `retrieval`), in how many
    processes, on which database (None: a scratch one).
    """

    spec: WorldSpec
    drafter: str = "voice"
    jobs: int = 1
    database_url: str | None = None
    guarantee: bool = True
    """Whether messages leave by themselves only under the guarantee, or by the plain threshold."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run, as far as it went. `seconds` are those that the world lived for on this machine."""

    world: World
    runs: tuple[CreatorRun, ...]
    invariants: tuple[Invariant, ...]
    seconds: float


@contextmanager
def scratch_settings(settings: Settings, plan: Plan) -> Iterator[Settings]:
    """Settings of a simulation in a folder of its own, which is removed afterwards, with the server
    in it. Blocks for seconds when a server is started. Raises `DatabaseUnavailable`.
    """
    home = Path(tempfile.mkdtemp(prefix="vaultcrm-simulation-"))
    changed = simulation_settings(settings).model_copy(
        update={
            "vaultcrm_home": home,
            "database_url": plan.database_url,
            "ai_auto_send_guarantee": settings.ai_auto_send_guarantee and plan.guarantee,
        }
    )
    try:
        if plan.database_url is not None:
            yield changed
            return
        # Nothing of it is to outlive the run, so nothing is forced to the disk.
        with start_embedded(home, durable=False) as server:
            yield changed.model_copy(update={"database_url": server.url()})
    finally:
        stop_if_unused(home)
        shutil.rmtree(home, ignore_errors=True)


async def run_world(settings: Settings, plan: Plan, *, on_day: OnDay) -> Ran:
    """Run a world on the database of `settings`, which is a scratch one. The first SIGINT stops it
    in order: what is there is checked and returned.
    """
    world = build_world(plan.spec)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with open_parts(settings) as parts:
        settled = await settle_world(parts, world)
        handles = [creator.handle for creator in world.creators]
        with _stopped_by_signal(loop, stop.set):
            began = perf_counter()
            if plan.jobs == 1 or len(handles) == 1:
                runs = await simulate_creators(
                    parts, world, settled, handles, drafter=plan.drafter, stop=stop, on_day=on_day
                )
            else:
                runs = await _in_processes(settings, plan, settled, handles, stop, on_day)
            seconds = perf_counter() - began
        return Ran(world, runs, await check_world(parts, runs), seconds)


@contextmanager
def _stopped_by_signal(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Iterator[None]:
    try:
        loop.add_signal_handler(signal.SIGINT, stop)
    except (NotImplementedError, RuntimeError):
        # Not in this thread, or not on this system: then Ctrl-C ends it without a report.
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


# ---- several processes


async def _in_processes(
    settings: Settings,
    plan: Plan,
    settled: Settled,
    handles: Sequence[str],
    stop: asyncio.Event,
    on_day: OnDay,
) -> tuple[CreatorRun, ...]:
    """Every `jobs`-th creator in a process of its own; the runs in the order of `handles`."""
    context = multiprocessing.get_context("spawn")
    jobs = min(plan.jobs, len(handles))
    shards = [handles[number::jobs] for number in range(jobs)]
    told: Any = context.Queue()
    stopped: Any = context.Event()
    loop = asyncio.get_running_loop()
    with _pool(context, jobs, stopped, told, context.Barrier(jobs)) as pool:
        tasks = [
            loop.run_in_executor(pool, _shard, settings, plan, settled, tuple(shard))
            for shard in shards
        ]
        gathered = asyncio.gather(*tasks)
        while not gathered.done():
            if stop.is_set():
                stopped.set()
            _pass_on(told, on_day)
            await asyncio.wait([gathered], timeout=LOOK_SECONDS)
        found = {run.handle: run for shard in gathered.result() for run in shard}
        _pass_on(told, on_day)
    return tuple(found[handle] for handle in handles)


def _pass_on(told: Any, on_day: OnDay) -> None:
    with suppress(queue.Empty):
        while True:
            on_day(*told.get_nowait())


@contextmanager
def _pool(context: SpawnContext, jobs: int, *shared: Any) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin_process, initargs=shared
    ) as pool:
        yield pool


_PROCESS: dict[str, Any] = {}
"""What a process of the pool was given when it began: it cannot travel with the work."""


def _begin_process(stopped: Any, told: Any, barrier: Any) -> None:
    # The parent decides: Ctrl-C reaches all processes of a terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _PROCESS.update(stopped=stopped, told=told, barrier=barrier)


class _AtBarrier:
    """A meeting of processes (`simulate_world.Meeting`)."""

    async def arrive(self) -> bool:
        return await self._wait() == 0

    async def leave(self) -> None:
        await self._wait()

    def abandon(self) -> None:
        _PROCESS["barrier"].abort()

    async def _wait(self) -> int:
        try:
            place: int = await asyncio.to_thread(_PROCESS["barrier"].wait)
        except threading.BrokenBarrierError:
            raise Abandoned from None
        return place


def _shard(
    settings: Settings, plan: Plan, settled: Settled, handles: tuple[str, ...]
) -> tuple[CreatorRun, ...]:
    return asyncio.run(_shard_in_loop(settings, plan, settled, handles))


async def _shard_in_loop(
    settings: Settings, plan: Plan, settled: Settled, handles: tuple[str, ...]
) -> tuple[CreatorRun, ...]:
    async with open_parts(settings) as parts, _stop_when_told() as stop:
        return await simulate_creators(
            parts,
            build_world(plan.spec),
            settled,
            handles,
            drafter=plan.drafter,
            stop=stop,
            on_day=lambda *day: _PROCESS["told"].put(day),
            meeting=_AtBarrier(),
        )


@asynccontextmanager
async def _stop_when_told() -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()

    async def look() -> None:
        # The event is one of processes: an event loop cannot wait for it.
        while not _PROCESS["stopped"].is_set():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        stop.set()

    looking = asyncio.create_task(look())
    try:
        yield stop
    finally:
        looking.cancel()
