"""VaultCRM: AI chat for creators' teams. Start reading at `vaultcrm.workflows`."""

__version__ = "0.1.0"
