"""Who may see messages, who may settle them, and which requests come from Airflow's own pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException, Request

from airflow_provider_d360.urls import base_url

OUTSIDE = ""  # the DAG of messages that were sent outside of DAGs

_LONGEST_FORM = 10_000


class NoticeError(Exception):
    """
    A request cannot be fulfilled, for a reason that its sender may know.

    :param status: The HTTP status of the response.
    :param title: What is wrong.
    :param text: What to do about it.
    """

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(title)
        self.status, self.title, self.text = status, title, text


def require_runs(user: GetUserDep) -> None:
    """
    Refuse users who may not view DAG runs. Airflow's own check would let the query name the DAG to check.

    :param user: The user.
    """
    if not _may_use_runs(user, None, "GET"):
        raise HTTPException(403)


def require_same_origin(request: Request) -> None:
    """
    Refuse a request that another site's page has made: the browser would add Airflow's cookie to it.

    The cookie is ``SameSite=Lax`` with some auth managers only, and that admits sibling domains. Browsers
    send ``Sec-Fetch-Site`` over HTTPS and to localhost, and ``Origin`` always.

    :param request: A request that changes something.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    hosts = {request.headers.get("host"), urlsplit(base_url()).netloc}
    if site != "same-origin" if site else urlsplit(origin).netloc not in hosts - {None, ""}:
        raise NoticeError(
            403,
            "This did not come from Airflow's own page",
            "Nothing was changed. Open the page in Airflow and try again; if that does not help, set [api] "
            "base_url to the address that your browser shows.",
        )


def permitted(dag_ids: set[str], user: Any, method: ResourceMethod = "GET") -> list[str]:
    """
    Return the DAGs that somebody may read or edit, runs and all.

    Messages that were sent outside of DAGs are for those who may do so with runs in general.

    :param dag_ids: DAGs, and :data:`OUTSIDE`.
    :param user: The user.
    :param method: ``GET`` to read, ``PUT`` to edit.
    """
    allowed = get_auth_manager().get_authorized_dag_ids(user=user, method=method) | {OUTSIDE}
    return sorted(dag_id for dag_id in dag_ids & allowed if _may_use_runs(user, dag_id or None, method))


def may_read_inbox(user: Any) -> bool:
    """
    Return whether somebody may read what people wrote: those who may edit runs in general.

    :param user: The user.
    """
    return _may_use_runs(user, None, "PUT")


async def read_form(request: Request) -> dict[str, str]:
    """
    Read a small form.

    :param request: Its request.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise NoticeError(413, "That is too long", "Nothing was changed.")
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _may_use_runs(user: Any, dag_id: str | None, method: ResourceMethod) -> bool:
    return get_auth_manager().is_authorized_dag(
        method=method, access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=user
    )
