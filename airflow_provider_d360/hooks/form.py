"""The connection form of Airflow 3.1: the fields of ``get_provider_info``, as form widgets."""

from __future__ import annotations

from typing import Any

from airflow_provider_d360.get_provider_info import get_provider_info


def field_behaviour() -> dict[str, Any]:
    """Return the labels and placeholders of the standard fields; 3.1 writes the keys with underscores."""
    behaviour = _connection_type()["ui-field-behaviour"]
    return {key.replace("-", "_"): value for key, value in behaviour.items()}


def widgets() -> dict[str, Any]:
    """Return a widget for each extra field. The form libraries are installed only with Airflow 3.1."""
    return {name: _widget(field) for name, field in _connection_type()["conn-fields"].items()}


def _widget(field: dict[str, Any]) -> Any:
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import IntegerField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    schema = field["schema"]
    kind, look = StringField, BS3TextFieldWidget
    if "integer" in schema["type"]:
        kind = IntegerField
    elif schema.get("format") == "password":
        kind, look = PasswordField, BS3PasswordFieldWidget
    validators = [Optional()] + ([any_of(schema["enum"])] if "enum" in schema else [])
    return kind(
        field["label"],
        validators=validators,
        description=field["description"],
        default=schema.get("default"),
        widget=look(),
    )


def _connection_type() -> dict[str, Any]:
    info: dict[str, Any] = get_provider_info()["connection-types"][0]
    return info
