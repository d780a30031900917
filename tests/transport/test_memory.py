"""A hundred megabytes go up and come down in a process that hardly grows."""

import json
import os
import subprocess
import sys

import pytest

SIZE = 100 * 1024 * 1024
MOST_EXTRA_BYTES = 20 * 1024 * 1024

# The emulator keeps whole files, so it lives in a process of its own, and the client in another.
SERVER = """
import sys
from airflow_provider_d360.emulator import Emulator, EmulatorServer
with EmulatorServer(Emulator()) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
CLIENT = """
import asyncio, hashlib, json, resource, sys
from pathlib import Path
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.emulator.app import CLOUD_KEY
from airflow_provider_d360.sending import media
from airflow_provider_d360.transport.client import Transport
from airflow_provider_d360.transport.settings import ConnectionSettings

url, folder, colour = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
big, small = folder / "big.pdf", folder / "small.pdf"

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def there_and_back(path):
    transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, url))
    if colour == "sync":
        media_id = transport.run(media.upload_media(transport.settings, path))
        return transport.run(media.download_media(transport.settings, media_id, folder / "back.pdf"))
    async def both():
        try:
            media_id = await transport.arun(media.upload_media(transport.settings, path))
            return await transport.arun(
                media.download_media(transport.settings, media_id, folder / "back.pdf")
            )
        finally:
            await transport.aclose()
    return asyncio.run(both())

there_and_back(small)  # now everything is imported
before = peak()
done = there_and_back(big)
print(json.dumps({"extra": peak() - before, "size": done.media.size, "sha256": done.media.sha256}))
"""


@pytest.fixture
def served():
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    yield process.stdout.readline().strip()
    process.stdin.close()
    process.wait(10)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_document_of_100_megabytes_takes_less_than_20_of_memory(served, tmp_path, colour):
    (tmp_path / "small.pdf").write_bytes(b"%PDF")
    with (tmp_path / "big.pdf").open("wb") as big:
        big.write(b"%PDF")
        big.truncate(SIZE)
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, served, str(tmp_path), colour],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["size"] == SIZE
    assert report["extra"] < MOST_EXTRA_BYTES, report
