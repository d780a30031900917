"""The events about templates, numbers and the account that a webhook gets."""

from __future__ import annotations

import time
from collections.abc import Mapping

from airflow_provider_d360.emulator.records import WABA_ID, JSONObject
from airflow_provider_d360.emulator.template_store import StoredTemplate

_TEMPLATE = ("message_template_id", "message_template_name", "message_template_language")

# What each field always has, one page a field:
# https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_update
FIELDS: Mapping[str, tuple[str, ...]] = {
    "message_template_status_update": (*_TEMPLATE, "event", "reason"),
    "message_template_quality_update": (*_TEMPLATE, "previous_quality_score", "new_quality_score"),
    "template_category_update": (*_TEMPLATE, "new_category"),
    "account_update": ("event",),
    "account_alerts": ("entity_type", "entity_id", "alert_info"),
    "phone_number_quality_update": ("display_phone_number", "event"),
    "phone_number_name_update": ("display_phone_number", "decision", "requested_verified_name"),
}


def account_event(field: str, value: JSONObject) -> JSONObject:
    """
    Make an event about a template, a number or the account.

    :param field: The field of the webhook, such as ``account_update``.
    :param value: What it says.
    :raises ValueError: when the service has no such field, or the value lacks what it always has.
    """
    if field not in FIELDS:
        raise ValueError(f"There is no field {field!r}; there are {', '.join(FIELDS)}")
    if missing := [name for name in FIELDS[field] if name not in value]:
        raise ValueError(f"A value of {field} has {', '.join(missing)} as well")
    change = {"field": field, "value": value}
    entry = {"id": WABA_ID, "time": int(time.time()), "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def status_value(template: StoredTemplate, reason: str) -> JSONObject:
    """
    Say which status a template has now.

    :param template: The template.
    :param reason: Why, in WhatsApp's words; ``NONE`` without a reason.
    """
    return {
        "event": template.status.upper(),
        "message_template_id": int(template.template_id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "reason": reason,
        "message_template_category": template.content["category"],
    }
