"""What a check of `vaultcrm doctor` answers, and the checks that need nothing but this machine."""

import platform
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from vaultcrm import __version__
from vaultcrm.domain.errors import DatabaseUnavailable, InvalidInput
from vaultcrm.entrypoints.cli.survey import Survey
from vaultcrm.settings import Settings, is_secret


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, what was seen, and what to do about it ("" for nothing)."""

    name: str
    state: State
    seen: str
    todo: str = ""


def ok(name: str, seen: str, todo: str = "") -> Check:
    return Check(name, State.OK, seen, todo)


def warning(name: str, seen: str, todo: str) -> Check:
    return Check(name, State.WARNING, seen, todo)


def failed(name: str, seen: str, todo: str) -> Check:
    return Check(name, State.FAILED, seen, todo)


# --- this machine ----------------------------------------------------------------------------

LEAST_FREE_BYTES = 200 * 1024**2
"""With less than this the embedded database may not start."""

LITTLE_FREE_BYTES = 1024**3


def check_python() -> Check:
    place = "" if sys.prefix == sys.base_prefix else f", in {sys.prefix}"
    return ok("Program", f"VaultCRM {__version__}, Python {platform.python_version()}{place}")


def check_home(settings: Settings) -> list[Check]:
    """Whether the folder is there or can be made, can be written, and has room."""
    home = settings.vaultcrm_home
    embedded = settings.database_url is None
    if embedded:
        from vaultcrm.db.embedded.place import check_place, place_of

        try:
            check_place(place_of(home))
        except DatabaseUnavailable as error:
            return [failed("Home", str(home), str(error))]
    elsewhere = "Give it to the user that runs VaultCRM, or set VAULTCRM_HOME to another folder."
    try:
        there = nearest_folder(home)
        if not there.is_dir():
            return [failed("Home", f"{there} is no folder", elsewhere)]
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return [failed("Home", f"{home} cannot be written: {error.strerror}", elsewhere)]
    exists = "" if there == home else "; not there yet, the first start makes it"
    checks = [ok("Home", f"{home}{exists}")]
    room = f"{free / 1024**3:.1f} GB free"
    if embedded and free < LEAST_FREE_BYTES:
        checks.append(failed("Disk", room, f"Free at least 200 MB on the disk of {home}."))
    elif embedded and free < LITTLE_FREE_BYTES:
        checks.append(warning("Disk", room, f"Free some on the disk of {home}: data grows."))
    else:
        checks.append(ok("Disk", room))
    return checks


def nearest_folder(path: Path) -> Path:
    """The path itself, or the nearest thing above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def check_file(survey: Survey) -> list[Check]:
    """Whether `vaultcrm.env` can be read, and by others too although it holds secrets."""
    file = survey.file
    if survey.unreadable:
        return [failed("File", f"{file} cannot be read: {survey.unreadable}", "Mend or remove it.")]
    if file.exists() and not file.is_file():
        return [failed("File", f"{file} is no file", "Remove it, or write the settings there.")]
    secret = any(
        origin.place == "file" and is_secret(field) for field, origin in survey.origins.items()
    )
    if secret and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return [
            warning(
                "File", f"{file} holds secrets and others can read it", f"Run chmod 600 {file}."
            )
        ]
    return []


# --- what the settings say together ----------------------------------------------------------


def check_switches(settings: Settings) -> Check:
    """Whether AI is on, and for whom."""
    stage = settings.ai_rollout_stage
    if not settings.enable_ai_chat:
        return ok("AI", "off for everybody: ENABLE_AI_CHAT is false")
    if stage == 1 and not settings.ai_rollout_creator:
        return warning(
            "AI",
            "on for nobody: stage 1 is for one creator, and none is named",
            "Set AI_ROLLOUT_CREATOR to a creator's handle, or AI_ROLLOUT_STAGE to 2.",
        )
    who = {
        1: f"drafts for {settings.ai_rollout_creator} alone, each waits for a person",
        2: "drafts for all creators, each waits for a person",
        3: "simple replies to fans of low value are sent by themselves",
        4: "simple replies are sent by themselves, but for whales and high tiers",
    }
    return ok("AI", f"on, stage {stage}: {who[stage]}")


def check_base_url(settings: Settings) -> Check:
    """Whether sign-in links lead anywhere."""
    problem = _address_problem(settings.vaultcrm_base_url)
    if problem:
        return failed(
            "Console",
            f"VAULTCRM_BASE_URL {problem}",
            "Set it to where people reach the console, such as https://crm.example.com.",
        )
    return ok("Console", f"sign-in links lead to {settings.vaultcrm_base_url}")


def check_channels(settings: Settings) -> list[Check]:
    """Whether each channel that is set up can be put together."""
    checks = [ok("Simulator", "always there, for trying things out")]
    if settings.webhook_secret is None:
        if settings.webhook_target_url is None:
            checks.append(ok("Webhook", "not set up: WEBHOOK_SECRET is not set"))
        else:
            checks.append(
                warning(
                    "Webhook",
                    "off: WEBHOOK_TARGET_URL is set, but WEBHOOK_SECRET is not",
                    "Set WEBHOOK_SECRET to the secret that both sides share.",
                )
            )
        return checks
    faults = [*_secret_faults(settings.webhook_secret), *_target_faults(settings)]
    if faults:
        return [*checks, *faults]
    if settings.webhook_target_url is None:
        seen = "takes messages in; sends none, as WEBHOOK_TARGET_URL is not set"
    else:
        seen = "set up, in and out"
    return [*checks, ok("Webhook", seen)]


def _secret_faults(secret: SecretStr) -> Iterator[Check]:
    from vaultcrm.adapters.channels.webhook import WebhookChannel

    try:
        WebhookChannel(secret.get_secret_value(), "")
    except InvalidInput as error:
        yield failed(
            "Webhook",
            f"WEBHOOK_SECRET {error.problems[0].reason}",
            "Set it to whsec_ and the base64 of 24 to 64 random bytes, on both sides.",
        )


def _target_faults(settings: Settings) -> Iterator[Check]:
    target = settings.webhook_target_url
    if target is None:
        return
    if problem := _address_problem(target):
        yield failed(
            "Webhook",
            f"WEBHOOK_TARGET_URL {problem}",
            "Set it to the address that takes messages, such as https://crm.example.com/hook.",
        )
    elif _is_in_the_clear(target):
        yield warning(
            "Webhook",
            "WEBHOOK_TARGET_URL is http: messages travel in the clear",
            "Use https, unless the way there is yours alone.",
        )


def _address_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        usable = False
    return "" if usable else "is not an http or https address"


def _is_in_the_clear(url: str) -> bool:
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "::1"} or (parts.hostname or "").startswith("127.")
    return parts.scheme == "http" and not local


def check_filter() -> Check:
    """Whether the content filter can be put together, and how long that takes."""
    from vaultcrm.pipeline.safety.filter import ContentFilter
    from vaultcrm.pipeline.safety.packs import PackError, load_packs

    started = time.perf_counter()
    try:
        packs = load_packs()
        ContentFilter(packs)
    except PackError as error:
        return failed("Filter", str(error), "Install VaultCRM again: a file of it is damaged.")
    took = (time.perf_counter() - started) * 1000
    rules = sum(len(pack.rules) for pack in packs)
    return ok("Filter", f"{rules} rules in {len(packs)} categories, loaded in {took:.0f} ms")


# --- the clock -------------------------------------------------------------------------------

SKEW_WARNING_SECONDS = 30
SKEW_FAILED_SECONDS = 300
"""Webhooks whose time is further off than this are refused (Standard Webhooks)."""


def check_clock(ahead: Mapping[str, float]) -> Check:
    """How far other clocks, by name, are ahead of this machine's, in seconds."""
    if not ahead:
        return ok("Clock", "not compared: there is no other clock to compare with")
    other, seconds = max(ahead.items(), key=lambda item: abs(item[1]))
    if abs(seconds) <= SKEW_WARNING_SECONDS:
        return ok("Clock", f"agrees with {' and '.join(ahead)}")
    side = "behind" if seconds > 0 else "ahead of"
    seen = f"{abs(seconds):,.0f} seconds {side} {other}"
    todo = "Set it, best by NTP: signatures of webhooks and sign-in links depend on it."
    if abs(seconds) > SKEW_FAILED_SECONDS:
        return failed("Clock", seen, todo)
    return warning("Clock", seen, todo)
