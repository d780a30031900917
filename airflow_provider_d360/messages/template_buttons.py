"""Values for the buttons of a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from airflow_provider_d360.messages.commerce import ProductSections, product_sections
from airflow_provider_d360.messages.interactives import without_none
from airflow_provider_d360.messages.values import String


class _TemplateButton(TypedDict):
    sub_type: String


class TemplateButton(_TemplateButton, total=False):
    """A button, without its place: :func:`template` gives it ``type`` and ``index``."""

    index: String
    parameters: Sequence[Mapping[str, object]]


def url_button(suffix: String) -> TemplateButton:
    """
    Fill the end of a link.

    :param suffix: What follows the template's address; it must be URL-encoded already.
    """
    return {"sub_type": "url", "parameters": [{"type": "text", "text": suffix}]}


def quick_reply_button(payload: String) -> TemplateButton:
    """
    Say what a reply brings back.

    :param payload: Comes back when the button is tapped.
    """
    return {"sub_type": "quick_reply", "parameters": [{"type": "payload", "payload": payload}]}


def copy_code_button(code: String) -> TemplateButton:
    """
    Fill a button that copies a coupon code. For a one-time code see :func:`one_time_code`.

    :param code: At most 20 characters; 15 for a limited-time offer.
    """
    return {"sub_type": "copy_code", "parameters": [{"type": "coupon_code", "coupon_code": code}]}


def flow_button(token: String | None = None, *, data: Mapping[str, object] | None = None) -> TemplateButton:
    """
    Open a flow.

    :param token: Comes back with the reply; ``unused`` by default.
    :param data: The first screen's data; not an empty dict.
    """
    action = without_none(flow_token=token, flow_action_data=data)
    if not action:
        return {"sub_type": "flow"}
    return {"sub_type": "flow", "parameters": [{"type": "action", "action": action}]}


def catalog_button(thumbnail_product_retailer_id: String | None = None) -> TemplateButton:
    """
    Open the catalogue.

    :param thumbnail_product_retailer_id: The product whose picture is shown; the first one without it.
    """
    if thumbnail_product_retailer_id is None:
        return {"sub_type": "CATALOG"}
    action = {"thumbnail_product_retailer_id": thumbnail_product_retailer_id}
    return {"sub_type": "CATALOG", "parameters": [{"type": "action", "action": action}]}


def products_button(thumbnail_product_retailer_id: String, sections: ProductSections) -> TemplateButton:
    """
    Open a list of products.

    :param thumbnail_product_retailer_id: The product whose picture is shown.
    :param sections: ``{title: [product id, …]}``: up to 30 products in up to 10 sections.
    """
    action = {
        "thumbnail_product_retailer_id": thumbnail_product_retailer_id,
        "sections": product_sections(sections),
    }
    return {"sub_type": "mpm", "parameters": [{"type": "action", "action": action}]}
