"""Messages: send one, mark one as read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

from airflow_provider_d360.api.checks.identifiers import require_id
from airflow_provider_d360.api.checks.messages import MOST_CALLBACK_DATA
from airflow_provider_d360.api.errors import request_error
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.privacy import private_strings, public_strings, readable
from airflow_provider_d360.api.reading import json_object, objects, read_nothing, string
from airflow_provider_d360.api.recipients import address
from airflow_provider_d360.api.wire import Call, Request, Response, json_request

_ENVELOPE = ("to", "recipient", "recipient_type")
_DEEPEST = 50
_ID_REMEDY = "Give the id of a message, such as the XCom of the task that sent it."


@dataclass(frozen=True, slots=True)
class Sent:
    """
    A message that 360dialog has accepted; only its statuses tell whether it arrives.

    :param message_id: The message's id. ``None`` only on the sandbox, whose response may lack it.
    :param wa_id: The recipient's WhatsApp id, if the response has it. It can differ from ``to``.
    :param user_id: The recipient's business-scoped user id, if the response has it.
    :param message_status: ``accepted``, ``held_for_quality_assessment`` or ``paused``; of templates only.
    """

    message_id: str | None = field(repr=False)
    wa_id: str | None = field(default=None, repr=False)
    user_id: str | None = field(default=None, repr=False)
    message_status: str | None = None


def send_message(
    hosting: Hosting,
    to: object,
    message: Mapping[str, object],
    *,
    recipient_type: str = "individual",
    reply_to: str | None = None,
    biz_opaque_callback_data: str | None = None,
) -> Call[Sent]:
    """
    Send one message. Not repeatable: WhatsApp has no idempotency key, so sent twice is received twice.

    :param hosting: The hosting that it goes to.
    :param to: The recipient, see :func:`~airflow_provider_d360.api.recipients.address`.
    :param message: The content, without recipient. Its ``messaging_product`` is set here, and its own
        ``biz_opaque_callback_data`` is sent unchanged.
    :param recipient_type: ``individual`` or ``group``. Groups take no interactive messages.
    :param reply_to: The id of the message that this one quotes. A reaction cannot quote.
    :param biz_opaque_callback_data: Comes back in each status of the message, unless the message brings its
        own. From 1 to 512 characters; not sent to the on-premise hosting, which does not know it.
    :raises D360RequestError: when the recipient, the content or an argument cannot be sent.
    """
    for name in _ENVELOPE:
        if name in message:
            raise request_error(
                f"message holds {name!r}", "Give the recipient beside the message, not inside it."
            )
    if recipient_type == "group" and message.get("type") == "interactive":
        raise request_error("message is interactive, which groups do not take", "Send a text or a template.")
    content = {key: value for key, value in message.items() if key != "messaging_product"}
    recipient = address(to, recipient_type)
    body: dict[str, object] = {**hosting.product, **recipient, **content}
    if reply_to is not None:
        body["context"] = {"message_id": _quoted(message, reply_to)}
    if biz_opaque_callback_data is not None:
        _check_callback_data(biz_opaque_callback_data)
        if hosting.names_product and message.get("biz_opaque_callback_data") is None:
            body["biz_opaque_callback_data"] = biz_opaque_callback_data
    return Call(
        _json_or_refuse("POST", hosting.messages, body),
        partial(read_sent, id_required=hosting.always_returns_id),
        repeatable=False,
        private=partial(private_strings, body),
        public=partial(public_strings, message),
        recipient=recipient.get("recipient") or recipient["to"],
    )


def mark_as_read(hosting: Hosting, message_id: str, *, typing: bool = False) -> Call[None]:
    """
    Mark a message as read, which its sender sees.

    :param hosting: The hosting of the number that received it.
    :param message_id: The id of the message that was received.
    :param typing: Show *typing…* as well, for at most 25 seconds or until a reply; not on on-premise.
    :raises D360RequestError: when the id is missing.
    """
    require_id("message_id", message_id, _ID_REMEDY)
    if not isinstance(typing, bool):
        raise request_error("typing must be True or False", "A text is neither.")
    if not hosting.reads_by_put:
        body: dict[str, object] = {**hosting.product, "status": "read", "message_id": message_id}
        if typing:
            body["typing_indicator"] = {"type": "text"}
        request = json_request("POST", hosting.messages, body)
    else:
        if typing:
            hosting.need(None, "typing indicator")
        request = json_request("PUT", f"{hosting.messages}/{quote(message_id, safe='')}", {"status": "read"})
    return Call(request, read_nothing, repeatable=True)


def read_sent(response: Response, *, id_required: bool) -> Sent:
    """
    Read the response to a send.

    :param response: The response.
    :param id_required: Raise an error for a response without a message id.
    :raises ValueError: when an id is required and missing.
    """
    if not response.body.strip() and not id_required:
        return Sent(None)
    body = json_object(response)
    message = next(objects(body.get("messages")), {})
    contact = next(objects(body.get("contacts")), {})
    message_id = string(message.get("id"))
    if message_id is None and id_required:
        raise ValueError("it holds no message id")
    return Sent(
        message_id,
        string(contact.get("wa_id")),
        string(contact.get("user_id")),
        string(message.get("message_status")),
    )


def _quoted(message: Mapping[str, object], reply_to: str) -> str:
    if message.get("context") is not None:
        raise request_error("message holds 'context' and reply_to is given", "Give one of the two.")
    if message.get("type") == "reaction":
        raise request_error("reply_to is given for a reaction, which cannot quote", "Leave reply_to out.")
    return require_id("reply_to", reply_to, _ID_REMEDY)


def _check_callback_data(value: object) -> None:
    if not isinstance(value, str):
        problem = f"must be a string, not {type(value).__name__}"
    elif not value.strip():
        problem = "is empty"
    elif len(value) > MOST_CALLBACK_DATA:
        problem = f"has {len(value)} characters, at most {MOST_CALLBACK_DATA}"
    else:
        return
    raise request_error(
        f"biz_opaque_callback_data {problem}", f"Give 1 to {MOST_CALLBACK_DATA} characters, or leave it out."
    )


def _json_or_refuse(method: str, path: str, body: dict[str, object]) -> Request:
    try:
        return json_request(method, path, body)
    except (TypeError, ValueError, RecursionError):
        problem = f"message holds {_unsendable(body) or 'itself'}"
    raise request_error(problem, "Render it to text or a plain number before sending.")


def _unsendable(value: object, path: str = "", depth: int = 0) -> str:
    """Name the first value that JSON cannot express, by its type and place."""
    if isinstance(value, Mapping) and depth < _DEEPEST:
        keys = {key: readable(str(key)) for key in value}  # keys in data of the author's own are private
        problems = (
            _unsendable(item, f"{path}.{keys[key]}" if path else keys[key], depth + 1)
            for key, item in value.items()
        )
        return next(filter(None, problems), "")
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        problems = (_unsendable(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value))
        return next(filter(None, problems), "")
    try:
        json_request("POST", "/", value)
    except (TypeError, ValueError, RecursionError):
        return f"a value of type {type(value).__name__} at {path}"
    return ""
