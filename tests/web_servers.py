"""Web servers of this machine, for tests of what talks to them."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from pathlib import Path


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Serve on a thread of its own, and end at once: the default looks for an end twice a second only."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def untrusted_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a TLS context for localhost and its certificate, which nobody trusts."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subject = "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    kind = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    command = f"openssl req -x509 {kind} -keyout {key} -out {certificate} {subject}"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
