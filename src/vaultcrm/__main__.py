"""`python -m vaultcrm` is the `vaultcrm` command."""

from vaultcrm.entrypoints.cli.main import app

app(prog_name="vaultcrm")
