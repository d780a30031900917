"""What each ``airflow dags test`` would do again, done once before it is forked: imports take longer than a run."""

from __future__ import annotations

import asyncio
import gc

import airflow.__main__
import airflow.api_fastapi.execution_api.routes
import airflow.api_fastapi.execution_api.versions
import airflow.cli.commands.dag_command
import airflow.cli.commands.db_command
import airflow.sdk.execution_time.task_runner  # noqa: F401
import alembic.autogenerate  # noqa: F401
import httpx
from airflow.sdk.execution_time.supervisor import in_process_api_server
from sqlalchemy.orm import configure_mappers


async def _ask_the_execution_api() -> None:
    """Let it build its routes, for each of its versions, which takes six seconds."""
    async with httpx.AsyncClient(
        transport=in_process_api_server().atransport, base_url="http://in-process"
    ) as client:
        await client.get("/nothing")


configure_mappers()
asyncio.run(_ask_the_execution_api())
gc.freeze()  # what stands here is not to be copied by each run's first look for garbage
