"""Airflow's public REST API, as far as an answer to a question of its own operators needs it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    _Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 20.0
_DOES_NOT_WORK = "Airflow's API at [d360] airflow_conn_id does not work"
_SKEW_SECONDS = 60.0  # a request that was made so long after its question is another one; clocks differ


class AirflowUnavailableError(Exception):
    """Airflow's API cannot be reached, or does not work now; a later try may succeed. It quotes nothing."""


class Verdict(Enum):
    """The outcome of an answer."""

    ACCEPTED = "accepted"
    SETTLED = "somebody else was faster"
    REFUSED = "the bot account may not answer this"
    GONE = "nobody asks any more"


@dataclass(frozen=True, slots=True)
class TaskPlace:
    """
    A task instance.

    :param dag_id: Its DAG.
    :param run_id: Its run.
    :param task_id: Its task.
    :param map_index: Its index; -1 without mapping.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @property
    def path(self) -> str:
        """The path of the task in the API."""
        dag, run, task = (quote(one, safe="") for one in (self.dag_id, self.run_id, self.task_id))
        return f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}"


@dataclass(slots=True)
class AirflowApi:
    """
    Calls Airflow with the account of a bot.

    :param base_url: Where Airflow is.
    :param username: The bot's name.
    :param password: Its password.
    """

    base_url: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    _token: str | None = field(default=None, init=False, repr=False)

    def answer(self, place: TaskPlace, option: str, asked_at: float, note: str) -> Verdict:
        """
        Answer a question, and note who answered.

        It is read before, so that a request which took its place since is not answered. Asked again after a
        lost response, it says that the answer was accepted.

        :param place: The task that asks.
        :param option: The option that was chosen.
        :param asked_at: When the person was asked, in Unix seconds.
        :param note: The note of the task.
        :raises AirflowUnavailableError: Airflow cannot be reached.
        """
        path = f"{place.path}/{place.map_index}/hitlDetails"
        status, detail = self._request("GET", path)
        if status != 200:
            return _verdict(status)
        created_at = str(detail.get("created_at"))
        if _seconds(created_at) > asked_at + _SKEW_SECONDS:
            return Verdict.GONE
        if option not in (detail.get("options") or ()):  # before 3.3, Airflow would fail the task
            return Verdict.GONE
        if detail.get("response_received"):
            return _is_ours(detail, option)
        # Before 3.4, Airflow ignores the time of the request.
        body = {"chosen_options": [option], "params_input": {}, "request_created_at": created_at}
        status, _ = self._request("PATCH", path, body)
        if status == 409:
            return _is_ours(self._request("GET", path)[1], option)
        if status == 200:
            self._note(place, note)
            return Verdict.ACCEPTED
        return _verdict(status)

    def _note(self, place: TaskPlace, note: str) -> None:
        path = place.path if place.map_index < 0 else f"{place.path}/{place.map_index}"
        try:
            status, _ = self._request("PATCH", f"{path}?update_mask=note", {"note": note})
        except AirflowUnavailableError:
            status = 0
        if status != 200:
            log.warning("The answer was accepted, but who gave it could not be noted (%s)", status or "lost")

    def _request(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON of a response; log in when that is needed."""
        import requests

        problem: str | None
        try:
            if self._token is None:
                self._token = self._log_in()
            response = self._send(method, path, body)
            if response.status_code == 401:  # it has expired
                self._token = self._log_in()
                response = self._send(method, path, body)
            status = response.status_code
            data = response.json() if status == 200 else {}
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            problem = type(error).__name__  # its text may hold the address or the token
        else:
            if (problem := _problem(status)) is None:
                return status, data if isinstance(data, dict) else {}
        raise AirflowUnavailableError(f"{_DOES_NOT_WORK}: {problem}")

    def _send(self, method: str, path: str, body: Any) -> requests.Response:
        return self._call(method, path, body, self._authorized)

    def _authorized(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _log_in(self) -> str:
        body = {"username": self.username, "password": self.password}
        response = self._call("POST", "/auth/token", body, _unchanged)
        problem = _problem(response.status_code)
        if response.status_code in (401, 403):
            problem = "it refuses the login and password of the connection"
        if problem is not None:
            raise AirflowUnavailableError(f"{_DOES_NOT_WORK}: {problem}")
        return str(response.json()["access_token"])

    def _call(self, method: str, path: str, body: Any, auth: _Auth) -> requests.Response:
        """Send a request. With ``auth``, requests does not look for credentials in ``.netrc``."""
        import requests

        return requests.request(
            method,
            self.base_url + path,
            json=body,
            auth=auth,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _problem(status: int) -> str | None:
    """Return why a response says nothing about the request; None if it does."""
    if 300 <= status < 400:
        return f"HTTP {status}, it is elsewhere. Give the whole address, with https:// and path"
    return f"HTTP {status}" if status >= 500 or status == 429 else None


def _verdict(status: int) -> Verdict:
    return Verdict.GONE if status == 404 else Verdict.REFUSED


def _is_ours(detail: dict[str, Any], option: str) -> Verdict:
    return Verdict.ACCEPTED if detail.get("chosen_options") == [option] else Verdict.SETTLED


def _seconds(created_at: str) -> float:
    """Read a time of the API; one that cannot be read is no reason to refuse an answer."""
    try:
        return datetime.fromisoformat(created_at.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
