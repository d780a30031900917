"""The operator that changes the list of opt-outs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from airflow_provider_d360.hooks.suppression import SCOPES, suppress, unsuppress
from airflow_provider_d360.tasks.arguments import check_choice, check_value
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.operator import D360Operator

if TYPE_CHECKING:
    from typing import Any

    from airflow.sdk import Context


class D360SuppressOperator(D360Operator):
    """
    Add people to the list of opt-outs, or remove them, and return how many.

    The list applies to operators, hooks and campaigns; to alerts, if the scope is ``all``. What
    people set in WhatsApp and the stop words that they write are added by the receiver. See
    ``docs/opt-outs.md``.

    :param to: One recipient, or a list of them. (templated)
    :param action: ``add`` (default), or ``remove``: these people want messages again.
    :param scope: Which messages they do not get: ``all`` (default), or ``marketing``. Only for ``add``.
    :param reason: Why; it is kept with the opt-out. (templated)
    :param d360_conn_id: The 360dialog connection, for its ``default_region``. (templated)
    """

    template_fields: Sequence[str] = ("to", "reason", "d360_conn_id")
    private_fields: ClassVar[frozenset[str]] = frozenset({"to", "reason"})

    def __init__(
        self,
        *,
        to: str | Sequence[str],
        action: Literal["add", "remove"] = "add",
        scope: Literal["all", "marketing"] = "all",
        reason: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("action", action, "add", "remove")
        check_choice("scope", scope, *SCOPES)
        self.to = to
        self.action = action
        self.scope = scope
        self.reason = reason

    def execute(self, context: Context) -> int:
        with fail_at_once(self.d360_conn_id):
            to, reason = self.rendered("to"), self.rendered("reason")
            check_value("to", to)
            if self.action == "add":
                count = self.hook.run(suppress, to, scope=self.scope, reason=reason, source="operator")
            else:
                count = self.hook.run(unsuppress, to, reason=reason, source="operator")
        self.log.info("%s %d people", "Added" if self.action == "add" else "Removed", count)
        return count
