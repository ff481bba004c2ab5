"""A process that seals one creator's rows, to be killed at it: `python -m … CREATOR_ID`."""

import asyncio
import sys
from uuid import UUID

from vaultcrm.bootstrap import open_parts
from vaultcrm.settings import load_settings
from vaultcrm.workflows.seal_audit import seal_audit


async def main() -> None:
    async with open_parts(load_settings()) as parts:
        await seal_audit(parts, UUID(sys.argv[1]))


if __name__ == "__main__":
    asyncio.run(main())
