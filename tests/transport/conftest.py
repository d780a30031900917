"""An emulator behind a socket, and both colours of everything that talks to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.emulator.app import KEYS
from airflow_provider_d360.emulator.server import EmulatorServer
from airflow_provider_d360.emulator.testing import ServedEmulator
from airflow_provider_d360.transport import Account, Transport


@pytest.fixture
def emulator() -> Iterator[ServedEmulator]:
    emulator = ServedEmulator()
    with EmulatorServer(emulator) as server:
        emulator.url = server.url
        yield emulator


class Carrier:
    """Performs calls, and functions that take a transport, in one colour. Waits are noted, not slept."""

    def __init__(self, emulator: ServedEmulator, colour: str) -> None:
        self.emulator, self.colour = emulator, colour
        self.waits: list[float] = []

    def call(self, call: Any, *, hosting: Any = CLOUD, **limits: Any) -> Any:
        transport = self._transport(hosting, limits)
        if self.colour == "sync":
            return self._closing(transport, transport.perform, call)
        return asyncio.run(self._aclosing(transport, transport.aperform, call))

    def run(self, function: Any, *arguments: Any, hosting: Any = CLOUD, **options: Any) -> Any:
        """Run a function, or its asynchronous twin of the same name with an ``a`` before it."""
        transport = self._transport(hosting, {})
        if self.colour == "sync":
            return self._closing(transport, function, transport, *arguments, **options)
        twin = getattr(sys.modules[function.__module__], f"a{function.__name__}")
        return asyncio.run(self._aclosing(transport, twin, transport, *arguments, **options))

    def _transport(self, hosting: Any, limits: dict[str, Any]) -> Transport:
        key = next(key for key, place in KEYS.items() if place is hosting)

        async def asleep(seconds: float) -> None:
            self.waits.append(seconds)

        account = Account(hosting, key, self.emulator.url, **limits)
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
