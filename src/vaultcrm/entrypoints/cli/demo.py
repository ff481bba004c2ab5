"""`vaultcrm demo`: the whole product with made-up data, on this machine, in one command."""

import os
from pathlib import Path
from typing import Annotated

import typer

from vaultcrm.bootstrap import open_parts, utc_now
from vaultcrm.entrypoints.cli.demo_filling import DEMO_EMAIL, fill
from vaultcrm.entrypoints.cli.environment import run, settings_or_exit, stderr, stdout
from vaultcrm.entrypoints.cli.serving import serve_until_stopped
from vaultcrm.settings import default_home
from vaultcrm.workflows.manage_people import sign_in_link


def demo(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 8000,
    home: Annotated[
        Path | None,
        typer.Option(help="folder of the demo's data; by default beside that of real data"),
    ] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="make data and link, and do not serve")
    ] = False,
) -> None:
    """Run everything with made-up creators and fans, and print a link that signs you in.

    The data lies apart from real data and is kept between runs. Fans answer while it runs.
    """
    settings = settings_or_exit(home or demo_home()).model_copy(
        update={"simulated_fans": True, "vaultcrm_base_url": f"http://{host}:{port}"}
    )

    async def prepare() -> str:
        with stderr.status("Starting the database") as status:
            async with open_parts(settings) as parts:
                await fill(parts, status.update)
                return await sign_in_link(parts.pool, settings, DEMO_EMAIL, utc_now())

    link = run(prepare)
    if prepare_only:
        stdout.print(link, soft_wrap=True, markup=False)
        return

    def announce() -> None:
        stdout.print("\nVaultCRM is ready. This link signs you in:\n", markup=False)
        stdout.print(link, soft_wrap=True, markup=False)
        stdout.print("\nFans write and answer while this runs. Ctrl+C stops it.\n", markup=False)

    serve_until_stopped(
        settings, host=host, port=port, processes=1, with_worker=True, announce=announce
    )


def demo_home() -> Path:
    """VAULTCRM_HOME where it is set, else a folder beside the default one."""
    chosen = os.environ.get("VAULTCRM_HOME")
    if chosen:
        return Path(chosen)
    ordinary = default_home()
    return ordinary.with_name(f"{ordinary.name}-demo")
