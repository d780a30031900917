"""Which files may be uploaded: ``[d360] upload_roots`` names directories and prefixes in object storages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail
from airflow_provider_d360.compat import conf


def allowed(path: Any) -> Any:
    """
    Return the path to open, or raise; every path is allowed while ``upload_roots`` is empty.

    A local path is returned with symbolic links and ``..`` resolved, and must lie in one of the directories.
    A path in an object storage must begin with one of the prefixes, connection included, and hold no ``..``.

    :param path: A ``Path`` or an ``ObjectStoragePath``.
    :raises D360RequestError: when the path lies outside of all roots. The text does not repeat it.
    """
    roots = [
        root.strip() for root in conf.get("d360", "upload_roots", fallback="").split(",") if root.strip()
    ]
    if not roots:
        return path
    local = _local(path)
    if local is None:
        if any(_is_below(str(path), root) for root in roots):
            return path
    elif any(local.is_relative_to(_resolved(root)) for root in roots if "://" not in root):
        return local
    raise D360RequestError(
        ErrorDetail(
            "The file lies outside of the allowed directories",
            "Move it, or add its directory to upload_roots in the section [d360] of Airflow's configuration.",
        )
    )


def _local(path: Any) -> Path | None:
    """Return a local path with links and ``..`` resolved; ``None`` for a path in an object storage."""
    protocol = getattr(path, "protocol", None)
    if protocol is None:  # not isinstance: on Airflow 3.1, paths in an object storage are of type Path, too
        return _resolved(str(path))
    is_local = "::" not in str(path) and protocol in ("", "file", "local")
    return _resolved(str(path.path)) if is_local else None


def _resolved(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _is_below(path: str, root: str) -> bool:
    """Compare whole parts of paths. A chain of file systems (``zip::s3://…``) is below nothing."""
    if "://" not in root or "::" in path or ".." in path.split("/"):
        return False
    return path.startswith(root.rstrip("/") + "/")
