"""``airflow d360 check``: prove the way to WhatsApp from end to end, before it is needed at night."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360RequestError,
    D360UnavailableError,
    ErrorDetail,
)
from airflow_provider_d360.api.privacy import mask_number, short_id
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.cli.command import Command
from airflow_provider_d360.cli.notices import check_notices
from airflow_provider_d360.cli.textfile import write_result
from airflow_provider_d360.progress_bar import Progress

if TYPE_CHECKING:
    from airflow_provider_d360.store.watch import Waited

_SIGNS = {"ok": "✓", "warning": "!", "failed": "✗"}

# What a shell or a monitor can tell apart; 2 is argparse's own code for a wrong call.
EXIT_CODES: dict[type[Exception], int] = {
    D360RequestError: 3,
    D360AuthError: 4,
    D360RecipientError: 5,
    D360RateLimitError: 6,
    D360UnavailableError: 6,
    D360AmbiguousError: 7,
}
UNSERVED = 8
NO_STATUS = 9

_EPILOG = """
exit codes:
  0  everything works
  2  the command was called wrongly, or the file of --prometheus cannot be written
  3  the connection or the message is wrong
  4  the key or the account is rejected
  5  the recipient cannot get the message
  6  360dialog cannot be reached, or asks to wait
  7  the response to the message was lost: it may be on its way
  8  nobody serves the webhook's URL, seen from this machine
  9  with --wait: the store cannot be used, or no status of the message came in time
  10  WhatsApp has stopped the account, the number, or the template of --template
"""

_DEFAULT_WAIT_SECONDS = 60.0
_POLL_SECONDS = 1.0

# State and text of a finding, and its exit code if it is not that of an error.
_Result = tuple[str, str] | tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    The result of one step of the check.

    :param step: ``connection``, ``recipient``, ``health``, ``notices``, ``webhook``, ``store``, ``message``
        or ``status``.
    :param state: ``ok``, ``warning`` or ``failed``.
    :param text: The result, with a remedy where something is wrong.
    :param exit_code: The exit code of the command after a failed step. Default: 0, for the other states.
    """

    step: str
    state: str
    text: str
    exit_code: int = 0


def examine(
    conn_id: str,
    to: str | None,
    template: str | None = None,
    language: str | None = None,
    wait_seconds: float = 0.0,
) -> Iterator[Finding]:
    """
    Check step by step, and stop at the first step that failed.

    :param conn_id: The connection to check.
    :param to: Send a real message to this number; ``None`` sends nothing.
    :param template: Send this approved template, with the seven parameters of an alert, in place of a free
        text. Default: a free text.
    :param language: The language of that template. Default: ``en``.
    :param wait_seconds: How long to wait for the status of the message, in seconds. Default: 0, do not wait.
    """
    examination = _Examination(conn_id, to or "", template, language or "en", wait_seconds)
    for step in examination.steps():
        try:
            finding = Finding(step.__name__, *step())
        except D360Error as error:
            finding = Finding(step.__name__, "failed", str(error), EXIT_CODES[type(error)])
        yield finding
        if finding.state == "failed":
            return


class _Examination:
    """The steps of one check. Each method is a step and has its name."""

    def __init__(
        self, conn_id: str, to: str, template: str | None, language: str, wait_seconds: float
    ) -> None:
        from airflow_provider_d360.hooks.d360 import D360Hook

        self._hook = D360Hook(conn_id)
        self._to, self._template, self._language = to, template, language
        self._wait_seconds = wait_seconds
        self._message_id: str | None = None

    def steps(self) -> list[Callable[[], _Result]]:
        """Return the steps that the arguments ask for, in their order."""
        steps: list[Callable[[], _Result]] = [self.connection, self.health, self.notices, self.webhook]
        if self._to:
            steps = [self.connection, self.recipient, *steps[1:], self.message]
        if self._wait_seconds:
            steps = [*steps[:-1], self.store, self.message, self.status]
        return steps

    def connection(self) -> _Result:
        try:
            settings = self._hook.get_conn().settings
        except D360UnavailableError as error:  # there is no such connection
            raise D360RequestError(error.detail) from error
        text = f"{self._hook.d360_conn_id}: {settings.hosting.name} at {settings.base_url}"
        return ("warning", f"{text}; {settings.restriction}") if settings.restriction else ("ok", text)

    def recipient(self) -> _Result:
        number = canonical(self._to, default_region=self._hook.get_conn().settings.default_region)
        return "ok", f"{mask_number(number)} can be a recipient"

    def health(self) -> _Result:
        if self._hook.get_conn().settings.hosting.health is None:
            return "warning", "this hosting does not report whether the number is able to send"
        health = self._hook.health()
        problems = f": {'; '.join(health.problems)}" if health.problems else ""
        state = {"AVAILABLE": "ok", "LIMITED": "warning"}.get(health.can_send_message.upper())
        if state is None:
            title = f"The number may not send ({health.can_send_message}){problems}"
            raise D360AuthError(ErrorDetail(title, "Look at its state in the 360dialog Hub."))
        return state, f"the number is {health.can_send_message}{problems}"

    def notices(self) -> _Result:
        reports_health = self._hook.get_conn().settings.hosting.health is not None
        return check_notices(self._hook.d360_conn_id, self._template, is_key_accepted=reports_health)

    def webhook(self) -> _Result:
        from airflow_provider_d360.operators.webhooks import without_secrets
        from airflow_provider_d360.transport.reachability import why_unserved

        url = self._hook.get_webhook().url
        if not url:
            return "warning", "none is set: messages can be sent, but their statuses are not delivered"
        shown, reason = without_secrets(url), why_unserved(url)
        if reason is None:
            return "ok", f"deliveries go to {shown}"
        text = f"nobody serves the webhook's URL {shown}, seen from here ({reason.rstrip('.')})."
        if self._wait_seconds:
            return "warning", f"{text} The status of the message will show whether 360dialog reaches it."
        remedy = "Start the receiver and the proxy in front of it, or correct the webhook's URL."
        alternative = "If this machine cannot reach its own public address, use --to … --wait."
        return "failed", f"{text} {remedy} {alternative}", UNSERVED

    def store(self) -> _Result:
        from airflow_provider_d360.compat import AirflowNotFoundException
        from airflow_provider_d360.store import StoreError
        from airflow_provider_d360.tasks.tracking import require_store

        try:
            require_store()
        except (StoreError, ValueError, AirflowNotFoundException) as error:
            known = isinstance(error, StoreError)
            reason = str(error) if known else "its connection is missing, or is none to a database"
            remedy = "Correct store_conn_id or store_path in the section [d360]. Nothing was sent."
            return "failed", f"the store cannot be used: {reason.rstrip('.')}. {remedy}", NO_STATUS
        return "ok", "the store of statuses can be written"

    def message(self) -> _Result:
        from airflow_provider_d360 import messages
        from airflow_provider_d360.alerts.alert import TEST, Alert
        from airflow_provider_d360.alerts.writing import parameters

        test = f"Test of the Airflow connection {self._hook.d360_conn_id}: alerts reach this phone."
        message: messages.TextMessage | messages.TemplateMessage = messages.text(test)
        if self._template:
            values = parameters(Alert(TEST, "airflow d360 check", details=test))
            message = messages.template(self._template, self._language, body=values)
        self._message_id = self._hook.send(self._to, message, on_newline="flatten").message_id
        return (
            "ok",
            f"accepted for {mask_number(self._to)}, message {short_id(self._message_id)}: look at the phone",
        )

    def status(self) -> _Result:
        from airflow_provider_d360.api.responses import failed_status

        if self._message_id is None:
            return "failed", "this hosting gives its messages no id, so no status can be found", NO_STATUS
        shown, seconds = f"message {short_id(self._message_id)}", f"{self._wait_seconds:g} s"
        waited = _wait(self._message_id, self._wait_seconds)
        if waited.state == "failed":
            raise failed_status(
                waited.error_code, waited.error_title, waited.error_details, on_premise=waited.on_premise
            )
        if waited.state == "reached":
            return "ok", f"{shown} is {waited.status}: the webhook works"
        if waited.status:
            return "ok", (
                f"{shown} is {waited.status}: the webhook works, but the message was not delivered within "
                f"{seconds}; the phone may be off"
            )
        remedy = (
            "Look whether the receiver runs and logs deliveries, whether it writes to the same store as this "
            "machine reads ([d360] store_conn_id, store_path), and whether the webhook's URL leads to it."
        )
        return "failed", f"no status of {shown} came within {seconds}. {remedy}", NO_STATUS


def _wait(message_id: str, seconds: float) -> Waited:
    """Read the status each second until the message is delivered or failed, or the time is over."""
    from airflow_provider_d360.store import StoreUnavailableError
    from airflow_provider_d360.store.configured import configured_store
    from airflow_provider_d360.store.watch import judge

    ends = time.monotonic() + seconds
    waited = judge(message_id, None, "delivered")
    progress = Progress("waiting for the status of the message", seconds)
    with contextlib.closing(configured_store()) as store, progress:
        while True:
            remaining = ends - time.monotonic()
            progress.update()
            with contextlib.suppress(StoreUnavailableError):  # it was writable before: it may be so again
                waited = judge(message_id, store.statuses.current([message_id]).get(message_id), "delivered")
            if waited.state != "waiting" or remaining <= 0:
                return waited
            time.sleep(min(_POLL_SECONDS, remaining))


def _wrong_call(args: argparse.Namespace) -> str | None:
    for option, value in {"--to": args.to, "--template": args.template}.items():
        if value is not None and not value.strip():  # a variable of the shell that is not set
            return f"{option} is empty, so nothing would be sent"
    for option, given in {"--template": args.template, "--wait": args.wait != 0}.items():
        if given and not args.to:
            return f"{option} needs --to: the number to send to"
    return None


def check(args: argparse.Namespace) -> int:
    """
    Run the check, print its findings, and return the exit code.

    :param args: The arguments of the command line.
    """
    if problem := _wrong_call(args):
        print(problem, file=sys.stderr)
        return 2
    wait_seconds = _DEFAULT_WAIT_SECONDS if args.wait is None else args.wait
    findings, out = [], sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # Airflow logs to stdout, where a program may be reading
        for finding in examine(args.conn_id, args.to, args.template, args.language, wait_seconds):
            findings.append(finding)
            if args.output == "text":
                print(f"{_SIGNS[finding.state]} {finding.step:<11} {finding.text}", file=out, flush=True)
    code = max(finding.exit_code for finding in findings)
    if args.prometheus:
        try:
            write_result(Path(args.prometheus), args.conn_id, code)
        except OSError as error:
            print(f"--prometheus: the file cannot be written: {error.strerror}", file=sys.stderr)
            code = code or 2
    if args.output == "json":
        steps = [{"step": each.step, "state": each.state, "text": each.text} for each in findings]
        print(json.dumps({"ok": code == 0, "exit_code": code, "steps": steps}, ensure_ascii=False, indent=2))
    return code


def _seconds(text: str) -> float:
    """Read a number of seconds from the command line: more than 0, at most a day."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 86_400:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 86400")


_ARGUMENTS: dict[str, dict[str, Any]] = {
    "--conn-id": {"default": "d360_default", "help": "the connection to check (default: d360_default)"},
    "--to": {"help": "send a real message to this number; without it nothing is sent"},
    "--template": {
        "help": "with --to: send this approved template, with the parameters of an alert; a free text "
        "reaches only people who wrote within the last 24 hours"
    },
    "--language": {"help": "the language of the template (default: en)"},
    # Airflow's Arg takes no const: --wait alone is None, no --wait at all is 0.
    "--wait": {
        "nargs": "?",
        "type": _seconds,
        "default": 0.0,
        "metavar": "SECONDS",
        "help": "with --to: wait for the message's status in the store, which proves webhook and receiver "
        "(default: 60 seconds)",
    },
    "--prometheus": {
        "metavar": "FILE",
        "help": "write the result to this file, for the textfile collector of Prometheus' node exporter",
    },
    "--output": {"choices": ("text", "json"), "default": "text", "help": "how to print (default: text)"},
}

COMMAND = Command(
    "check",
    "Check connection, health and webhook; with --to send a message, and with --wait follow its status.",
    check,
    _ARGUMENTS,
    _EPILOG,
)
