"""An emulator behind a socket, and both colours of everything that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.emulator.app import KEYS
from airflow_provider_d360.emulator.server import EmulatorServer
from airflow_provider_d360.emulator.testing import ServedEmulator
from airflow_provider_d360.transport.client import Transport
from airflow_provider_d360.transport.settings import ConnectionSettings


@pytest.fixture
def emulator() -> Iterator[ServedEmulator]:
    emulator = ServedEmulator()
    with EmulatorServer(emulator) as server:
        emulator.url = server.url
        yield emulator


class Carrier:
    """Performs calls and runs flows, blocking or async. Waits are noted, not slept."""

    def __init__(self, emulator: ServedEmulator, colour: str) -> None:
        self.emulator, self.colour = emulator, colour
        self.waits: list[float] = []

    def call(self, call: Any, *, hosting: Any = CLOUD, **limits: Any) -> Any:
        transport = self._transport(hosting, limits)
        if self.colour == "sync":
            return self._closing(transport, transport.perform, call)
        return asyncio.run(self._aclosing(transport, transport.aperform, call))

    def run(self, flow: Any, *arguments: Any, hosting: Any = CLOUD, **options: Any) -> Any:
        """Run a flow: a generator function that takes the connection's settings and these arguments."""
        transport = self._transport(hosting, {})
        steps = flow(transport.settings, *arguments, **options)
        if self.colour == "sync":
            return self._closing(transport, transport.run, steps)
        return asyncio.run(self._aclosing(transport, transport.arun, steps))

    def _transport(self, hosting: Any, limits: dict[str, Any]) -> Transport:
        key = next(key for key, place in KEYS.items() if place is hosting)

        async def asleep(seconds: float) -> None:
            self.waits.append(seconds)

        account = ConnectionSettings(hosting, key, self.emulator.url, **limits)
        return Transport(account, sleep=self.waits.append, asleep=asleep, jitter=lambda: 1.0)

    @staticmethod
    def _closing(transport: Transport, function: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        finally:
            transport.close()

    @staticmethod
    async def _aclosing(transport: Transport, function: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return await function(*arguments, **options)
        finally:
            await transport.aclose()


@pytest.fixture(params=["sync", "async"])
def carrier(request: pytest.FixtureRequest, emulator: ServedEmulator) -> Carrier:
    return Carrier(emulator, request.param)
