"""
Deliveries in all shapes that 360dialog sends, with what is in them.

Statuses are told as (id, status, time, error code), messages as (id, type, time, sender, reply to).
"""

from __future__ import annotations

from typing import Any

NUMBER, USER = "4915112345678", "DE.77001"
AT, OTHER_AT = 1700000001.0, 1700000002.0
METADATA = {"display_phone_number": "+49 30 901820", "phone_number_id": "1065"}
CONTEXT = {"from": "4930901820", "id": "asked"}


def cloud(*values: object, field: str = "messages") -> dict[str, object]:
    changes = [{"field": field, "value": value} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": "108", "changes": changes}]}


def change_value(**more: object) -> dict[str, object]:
    return {"messaging_product": "whatsapp", "metadata": METADATA, **more}


def status(name: str, message_id: str = "s", **more: object) -> dict[str, object]:
    return {"id": message_id, "status": name, "timestamp": "1700000001", "recipient_id": NUMBER, **more}


def message(type: str, message_id: str = "m", **more: object) -> dict[str, object]:
    return {"from": NUMBER, "id": message_id, "timestamp": "1700000002", "type": type, **more}


def failed(**error: object) -> dict[str, object]:
    return cloud(change_value(statuses=[status("failed", errors=[{"title": "No", **error}])]))


# What stands in a message beside its sender, id, time and type.
_CONTENTS: dict[str, dict[str, Any]] = {
    "text": {"text": {"body": "\N{GRINNING FACE} \N{RIGHT-TO-LEFT OVERRIDE}"}},
    "image": {
        "image": {"id": "1", "mime_type": "image/jpeg", "sha256": "x", "caption": "c", "url": "https://…"}
    },
    "video": {"video": {"id": "1", "mime_type": "video/mp4"}, "context": {"forwarded": True}},
    "audio": {"audio": {"id": "1", "voice": True, "mime_type": "audio/ogg; codecs=opus"}},
    "voice": {"voice": {"id": "1", "file": "/media/1"}},
    "document": {"document": {"id": "1", "filename": "a.pdf"}, "context": {"frequently_forwarded": True}},
    "sticker": {"sticker": {"id": "1", "animated": False}},
    "location": {"location": {"latitude": 52.5, "longitude": -13, "name": "here"}},
    "contacts": {"contacts": [{"name": {"formatted_name": "Bo"}, "phones": [{"phone": "+1", "wa_id": "1"}]}]},
    "reaction": {"reaction": {"message_id": "asked"}},
    "order": {"order": {"catalog_id": "1", "product_items": [{"quantity": 3, "item_price": 9.99}]}},
    "system": {"system": {"body": "changed", "wa_id": "491", "type": "user_changed_number"}},
    "request_welcome": {},
    "edit": {"edit": {"original_message_id": "o", "message": {"type": "text", "text": {"body": "b"}}}},
    "revoke": {"revoke": {"original_message_id": "o"}},
    "unsupported": {"errors": [{"code": 131051, "title": "Unknown type"}]},
    "unknown": {"errors": [{"code": 501, "details": "Not supported"}]},
    "ephemeral": {"errors": [{"code": 501}]},
    "hologram": {"hologram": [[1, None, {"a": True}]]},
}
_REPLIES: dict[str, dict[str, Any]] = {
    "button": {"button": {"payload": "Yes", "text": "Yes"}},
    "interactive": {"interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": '{"a": 1}'}}},
    "text": {"text": {"body": "that one?"}, "referral": {"source_type": "ad", "ctwa_clid": "c"}},
}
_PRICING = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "marketing_lite"}
_CONVERSATION = {"id": "c", "expiration_timestamp": "1700009999", "origin": {"type": "marketing"}}

_NAMES = ("sent", "delivered", "read", "played", "failed", "deleted", "warning")
_TEXT = message("text", text={"body": "Hi"})
_GOT_TEXT = ("m", "text", OTHER_AT, NUMBER, None)
_SENT, _GOT_SENT = status("sent"), ("s", "sent", AT, None)

DELIVERIES: dict[str, tuple[object, list[tuple[object, ...]]]] = {
    **{
        f"a message of type {name}": (
            cloud(change_value(messages=[message(name, **content)])),
            [(*_GOT_TEXT[:1], name, *_GOT_TEXT[2:])],
        )
        for name, content in _CONTENTS.items()
    },
    **{
        f"a reply of type {name}": (
            cloud(change_value(messages=[message(name, context=CONTEXT, **content)])),
            [("m", name, OTHER_AT, NUMBER, "asked")],
        )
        for name, content in _REPLIES.items()
    },
    **{
        f"a flat message of type {name}": (
            {"contacts": [{"wa_id": NUMBER}], "messages": [message(name, **content)]},
            [("m", name, OTHER_AT, NUMBER, None)],
        )
        for name, content in _CONTENTS.items()
    },
    **{
        f"status {name}": (cloud(change_value(statuses=[status(name)])), [("s", name, AT, None)])
        for name in _NAMES
    },
    **{
        f"flat status {name}": (
            {"statuses": [status(name, type="message", message={"recipient_id": NUMBER})]},
            [("s", name, AT, None)],
        )
        for name in _NAMES
    },
    "a priced status": (
        cloud(change_value(statuses=[status("sent", pricing=_PRICING, conversation=_CONVERSATION)])),
        [_GOT_SENT],
    ),
    "a failure with details": (
        failed(code=131026, message="No", error_data={"details": "Not on WhatsApp"}),
        [("s", "failed", AT, 131026)],
    ),
    "a failure of code 0": (failed(code=0), [("s", "failed", AT, 0)]),
    "a flat failure": (
        {"statuses": [status("failed", errors=[{"code": 470, "title": "Too late", "href": "https://…"}])]},
        [("s", "failed", AT, 470)],
    ),
    "two participants of a group": (
        cloud(
            change_value(
                statuses=[status("read", recipient_type="group", recipient_participant_id=n) for n in "12"]
            )
        ),
        [("s", "read", AT, None)] * 2,
    ),
    "a message in a group": (cloud(change_value(messages=[message("text", group_id="g")])), [_GOT_TEXT]),
    "a sender without a number": (
        cloud(
            change_value(
                messages=[{"id": "m", "from_user_id": USER, "type": "text", "timestamp": 1700000002}]
            )
        ),
        [("m", "text", OTHER_AT, None, None)],
    ),
    "a status without a number": (
        cloud(
            change_value(
                statuses=[{"id": "s", "status": "sent", "timestamp": 1700000001, "recipient_user_id": USER}]
            )
        ),
        [_GOT_SENT],
    ),
    "a message beside an error": (
        cloud(change_value(messages=[_TEXT], errors=[{"code": 131000, "title": "Unsupported payload"}])),
        [_GOT_TEXT],
    ),
    "several changes": (
        cloud(change_value(statuses=[_SENT]), change_value(messages=[_TEXT])),
        [_GOT_SENT, _GOT_TEXT],
    ),
    "a topic nobody knows": (
        cloud(change_value(statuses=[_SENT], messages=[_TEXT]), field="standby"),
        [_GOT_SENT, _GOT_TEXT],
    ),
    "a call": (
        cloud(change_value(statuses=[status("RINGING", type="call")]), field="calls"),
        [("s", "RINGING", AT, None)],
    ),
    "a call that failed": (
        cloud(change_value(statuses=[status("failed", type="call")]), field="calls"),
        [("s", "call failed", AT, None)],
    ),
    "a payment": (
        cloud(change_value(statuses=[status("captured", type="payment", payment={"reference_id": "r"})])),
        [("s", "captured", AT, None)],
    ),
    "a payment that failed is no message that failed": (
        cloud(change_value(statuses=[status("failed", type="payment", errors=[{"code": 7}])])),
        [("s", "payment failed", AT, 7)],
    ),
    "what we wrote with the phone": (
        cloud(
            change_value(message_echoes=[{**_TEXT, "to": "491"}], messages=[_TEXT]),
            field="smb_message_echoes",
        ),
        [],
    ),
    "what was said before": (
        cloud(
            change_value(history=[{"threads": [{"messages": [_TEXT]}]}], messages=[_TEXT]), field="history"
        ),
        [],
    ),
    "a status beside what was said before": (
        cloud(change_value(statuses=[_SENT], messages=[_TEXT]), field="history"),
        [_GOT_SENT],
    ),
    "one change": ({"field": "messages", "value": change_value(messages=[_TEXT])}, [_GOT_TEXT]),
    "one entry": (
        {"id": "108", "changes": [{"field": "messages", "value": change_value(statuses=[_SENT])}]},
        [_GOT_SENT],
    ),
    "one thing where a list should be": (
        {"entry": {"changes": {"value": change_value(statuses=_SENT, messages=_TEXT)}}},
        [_GOT_SENT, _GOT_TEXT],
    ),
    "several envelopes": (
        [cloud(change_value(statuses=[_SENT])), {"messages": [_TEXT]}],
        [_GOT_SENT, _GOT_TEXT],
    ),
    "a template's review": (
        cloud({"event": "APPROVED", "message_template_id": 1}, field="message_template_status_update"),
        [],
    ),
    "somebody who wants no marketing": (
        cloud(change_value(user_preferences=[{"wa_id": NUMBER, "value": "stop"}]), field="user_preferences"),
        [],
    ),
    "what partners are told": ({"id": "1", "event": "number_created", "data": {"id": "2"}}, []),
    "an error of its own": ({"errors": [{"code": 1014}]}, []),
    "another product": ({"object": "page", "entry": [{"id": "1", "messaging": [{"message": {}}]}]}, []),
}
