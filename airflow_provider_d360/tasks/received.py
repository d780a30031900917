"""How a message that somebody sent looks in XCom."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.inbound import read_content
from airflow_provider_d360.api.privacy import mask_number

if TYPE_CHECKING:
    from airflow_provider_d360.store import InboxMessage


def describe_message(message: InboxMessage, *, with_numbers: bool) -> dict[str, Any]:
    """
    Describe a message as a dict that fits into XCom.

    :param message: The message.
    :param with_numbers: Give the sender's whole number, or user id, instead of the masked one.
    """
    content = read_content(message.type, message.content)
    sender = message.sender or message.sender_user_id
    at = message.at if message.at is not None else message.received_at
    return {
        "message_id": message.message_id,
        "type": message.type,
        "at": datetime.fromtimestamp(at, timezone.utc).isoformat(),
        "reply_to": message.reply_to,
        "number": message.number,
        "sender": sender if with_numbers or sender is None else mask_number(sender),
        "text": content.text,
        "payload": content.payload,
        "media_id": content.media_id,
        "mime_type": content.mime_type,
        "filename": content.filename,
    }
