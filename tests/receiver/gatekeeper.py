"""An auth manager of some people and a stranger, whose token is their name."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from jwt import ExpiredSignatureError, InvalidTokenError

READABLE = {
    "ada": {"shop", "billing", "empty"},
    "bob": {"billing"},
    "stranger": {"shop"},
    "clerk": {"shop", "billing"},  # may view the runs of the shop, and no others
    "eve": {"shop", "billing"},  # may not view those of billing
    "ops": {"shop", "billing"},
    "ron": {"shop", "billing"},  # may edit the shop, but not its runs
}
EDITABLE = {"ops": {"shop"}, "ron": {"shop"}}


class Gatekeeper(SimpleAuthManager):
    async def get_user_from_token(self, token: str) -> SimpleAuthManagerUser:
        if token == "expired":
            raise ExpiredSignatureError
        if token not in READABLE:
            raise InvalidTokenError
        return SimpleAuthManagerUser(username=token, role="viewer")

    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None
    ) -> bool:
        if access_entity is not DagAccessEntity.RUN:
            return False
        dag_id = details.id if details else None
        if method != "GET":
            return bool(method == "PUT" and user.username == "ops")
        return {"stranger": False, "clerk": dag_id == "shop", "eve": dag_id != "billing"}.get(
            user.username, True
        )

    def get_authorized_dag_ids(self, *, user: Any, method: Any = "GET", session: Any = None) -> set[str]:
        return READABLE[user.username] if method == "GET" else EDITABLE.get(user.username, set())
