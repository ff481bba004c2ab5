"""`vaultcrm demo`: the whole product with made-up data, on this machine, in one command."""

import os
from pathlib import Path
from typing import Annotated

import typer

from vaultcrm.entrypoints.cli.environment import run, settings_or_exit, stderr, stdout
from vaultcrm.entrypoints.cli.listening import address_of, listen_or_exit


def demo(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="where to listen; 0.0.0.0 lets others in")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 8000,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="folder of the demo's data; by default beside that of real data"
        ),
    ] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="make data and link, and do not serve")
    ] = False,
) -> None:
    """Run everything with made-up creators and fans, and print a link that signs you in.

    The data lies apart from real data and is kept between runs. Fans answer while it runs.
    """
    from vaultcrm.bootstrap import open_parts, utc_now
    from vaultcrm.entrypoints.cli.demo_filling import DEMO_EMAIL, fill
    from vaultcrm.entrypoints.cli.serving import serve_until_stopped
    from vaultcrm.workflows.manage_people import sign_in_link

    settings = settings_or_exit(home or demo_home())
    listener = None if prepare_only else listen_or_exit(host, port)
    address = address_of(listener) if listener else f"http://{host}:{port}"
    settings = settings.model_copy(update={"simulated_fans": True, "vaultcrm_base_url": address})

    async def prepare() -> str:
        with stderr.status("Starting the database") as status:
            async with open_parts(settings) as parts:
                await fill(parts, status.update)
                # What it opens is made up: it works as often as somebody opens it.
                return await sign_in_link(parts.pool, settings, DEMO_EMAIL, utc_now(), repeats=True)

    link = run(prepare)
    if listener is None:
        stdout.print(link, soft_wrap=True, markup=False)
        return

    def announce() -> None:
        stdout.print("\nVaultCRM is ready. This link signs you in:\n", markup=False)
        stdout.print(link, soft_wrap=True, markup=False)
        stdout.print("\nFans write and answer while this runs. Ctrl+C stops it.", markup=False)
        stdout.print(
            f"Commands see this demo's data with: export VAULTCRM_HOME={settings.vaultcrm_home}\n",
            soft_wrap=True,
            markup=False,
        )

    serve_until_stopped(settings, listener, processes=1, with_worker=True, announce=announce)


def demo_home() -> Path:
    """VAULTCRM_HOME where it is set, else a folder beside the default one."""
    from vaultcrm.settings import default_home

    chosen = os.environ.get("VAULTCRM_HOME")
    if chosen:
        return Path(chosen)
    ordinary = default_home()
    return ordinary.with_name(f"{ordinary.name}-demo")
