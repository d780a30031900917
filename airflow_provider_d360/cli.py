"""
Prove the way to WhatsApp from end to end, before it is needed at night.

``airflow d360 check`` where Airflow takes commands from providers (3.2 and later), and everywhere
``python -m airflow_provider_d360 check``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360RequestError,
    D360UnavailableError,
    Refusal,
)

if TYPE_CHECKING:
    from airflow_provider_d360.hooks.d360 import D360Hook

_SIGNS = {"ok": "✓", "warning": "!", "failed": "✗"}

# What a shell or a monitor can tell apart; 2 is argparse's own for a wrong call.
EXIT_CODES: dict[type[Exception], int] = {
    D360RequestError: 3,
    D360AuthError: 4,
    D360RecipientError: 5,
    D360RateLimitError: 6,
    D360UnavailableError: 6,
    D360AmbiguousError: 7,
}

_EPILOG = """
exit codes:
  0  everything works
  2  the command was called wrongly
  3  the connection or the message is wrong
  4  the key or the account is refused
  5  the recipient cannot get the message
  6  360dialog cannot be reached, or asks to wait
  7  the answer to the message was lost: it may be on its way
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What one step of the check found.

    :param step: ``connection``, ``health``, ``webhook`` or ``message``.
    :param state: ``ok``, ``warning`` or ``failed``.
    :param text: What was found, with a remedy where something is wrong.
    :param exit_code: What a failed step makes the command end with.
    """

    step: str
    state: str
    text: str
    exit_code: int = 0


def examine(
    conn_id: str, to: str | None, template: str | None = None, language: str | None = None
) -> Iterator[Finding]:
    """
    Check step by step, and stop at the first step without which the next makes no sense.

    :param conn_id: The connection to check.
    :param to: Send a real message to this number; ``None`` sends nothing.
    :param template: Send this approved template, with the seven parameters of an alert, in place of a free
        text.
    :param language: The language of that template.
    """
    from airflow_provider_d360.hooks.d360 import D360Hook

    hook = D360Hook(conn_id)
    steps: list[tuple[str, Callable[[D360Hook], tuple[str, str]]]] = [
        ("connection", _connection),
        ("health", _health),
        ("webhook", _webhook),
    ]
    if to is not None:
        steps.append(("message", lambda hook: _message(hook, to, template, language)))
    for step, look in steps:
        try:
            finding = Finding(step, *look(hook))
        except D360Error as error:
            finding = Finding(step, "failed", str(error), EXIT_CODES[type(error)])
        yield finding
        if finding.state == "failed":
            return


def _connection(hook: D360Hook) -> tuple[str, str]:
    from airflow_provider_d360.compat import AirflowNotFoundException

    try:
        account = hook.get_conn().account
    except AirflowNotFoundException:
        title = f"There is no connection {hook.d360_conn_id!r}"
        raise D360RequestError(Refusal(title, "Add it, with the API key as its password.")) from None
    return "ok", f"{hook.d360_conn_id}: {account.hosting.name} at {account.base_url}"


def _health(hook: D360Hook) -> tuple[str, str]:
    if hook.get_conn().account.hosting.health is None:
        return "warning", "this hosting does not tell whether the number is able to send"
    health = hook.health()
    problems = f": {'; '.join(health.problems)}" if health.problems else ""
    state = {"AVAILABLE": "ok", "LIMITED": "warning"}.get(health.can_send_message.upper())
    if state is None:
        title = f"The number may not send ({health.can_send_message}){problems}"
        raise D360AuthError(Refusal(title, "Look at its state in the 360dialog Hub."))
    return state, f"the number is {health.can_send_message}{problems}"


def _webhook(hook: D360Hook) -> tuple[str, str]:
    from airflow_provider_d360.operators.webhooks import shown

    url = hook.get_webhook().url
    if not url:
        return "warning", "none is set: messages can be sent, but nobody hears what becomes of them"
    return "ok", f"deliveries go to {shown(url)}"


def _message(hook: D360Hook, to: str, template: str | None, language: str | None) -> tuple[str, str]:
    from airflow_provider_d360 import messages
    from airflow_provider_d360.api.privacy import mask_number
    from airflow_provider_d360.notifications import alerts

    said = f"Test of the Airflow connection {hook.d360_conn_id}: alerts reach this phone."
    message: messages.TextMessage | messages.TemplateMessage = messages.text(said)
    if template:
        values = alerts.parameters(alerts.Alert(alerts.TEST, "airflow d360 check", details=said))
        message = messages.template(template, language or "en", body=values)
    sent = hook.send(to, message, on_newline="flatten")
    return "ok", f"accepted for {mask_number(to)}, message id {sent.message_id}: look at the phone"


def check(args: argparse.Namespace) -> int:
    """Run the check, print what it finds, and give the exit code."""
    if args.template and not args.to:
        print("--template needs --to: whom to send it to", file=sys.stderr)
        return 2
    findings, out = [], sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # Airflow logs to stdout, where a program may be reading
        for finding in examine(args.conn_id, args.to, args.template, args.language):
            findings.append(finding)
            if args.output == "text":
                print(f"{_SIGNS[finding.state]} {finding.step:<11} {finding.text}", file=out, flush=True)
    code = max(finding.exit_code for finding in findings)
    if args.output == "json":
        steps = [
            {key: value for key, value in asdict(found).items() if key != "exit_code"} for found in findings
        ]
        print(json.dumps({"ok": code == 0, "exit_code": code, "steps": steps}, ensure_ascii=False, indent=2))
    return code


_ARGUMENTS: dict[str, dict[str, Any]] = {
    "--conn-id": {"default": "d360_default", "help": "the connection to check (default: d360_default)"},
    "--to": {"help": "send a real message to this number; without it nothing is sent"},
    "--template": {
        "help": "with --to: send this approved template, with the parameters of an alert; a free text "
        "reaches only people who wrote within the last 24 hours"
    },
    "--language": {"help": "the language of the template (default: en)"},
    "--output": {"choices": ("text", "json"), "default": "text", "help": "how to print (default: text)"},
}

_HELP = "Check connection, health and webhook, and with --to send a message."


def commands() -> list[Any]:
    """Tell Airflow's command line about ``airflow d360 check``."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    arguments = tuple(Arg((flag,), **options) for flag, options in _ARGUMENTS.items())
    action = ActionCommand("check", _HELP, run_from_airflow, arguments, epilog=_EPILOG)
    return [GroupCommand("d360", "WhatsApp through 360dialog", [action])]


def run_from_airflow(args: argparse.Namespace) -> None:
    """Run the check as a command of Airflow's."""
    sys.exit(_in_server_context(args))


def main(arguments: list[str] | None = None) -> int:
    """Run the check as ``python -m airflow_provider_d360 check``."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_d360")
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "check", help=_HELP, description=_HELP, epilog=_EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    for flag, options in _ARGUMENTS.items():
        command.add_argument(flag, **options)
    return _in_server_context(parser.parse_args(arguments))


def _in_server_context(args: argparse.Namespace) -> int:
    # As Airflow's own commands do: or connections in Airflow's database are not found outside a task.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    return check(args)
