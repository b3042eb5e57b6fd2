"""Running a program of another make."""

import asyncio
import os
from pathlib import Path

_SECONDS = 120.0


async def output_of(*command: str | Path, **environment: str) -> tuple[int, str, str]:
    """The exit code of a program, and what it said on both ways."""
    started = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_SECONDS):
        said, complained = await started.communicate()
    return started.returncode or 0, said.decode(), complained.decode()
