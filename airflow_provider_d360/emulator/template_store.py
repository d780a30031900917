"""The in-memory store of templates, and the review that each goes through."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from airflow_provider_d360.api.hosting import CLOUD, Hosting
from airflow_provider_d360.emulator.records import JSONObject

NAMESPACE = "c8ae5f90_307a_ca4c_b8f6_d1e2a2573574"
_CODE_TEXT = "*{{1}}* is your verification code."
_CODE_ADVICE = " For your security, do not share this code."


@dataclass(slots=True)
class StoredTemplate:
    """
    One template in one language.

    :param template_id: Its id.
    :param hosting: The hosting whose account it belongs to.
    :param content: The body that created it.
    :param status: ``pending``, ``approved``, ``rejected``, or what a test sets, such as ``paused``.
    :param rejected_reason: The reason that its review ends with; empty when it ends with an approval.
    :param due: When its review ends, on the monotonic clock.
    :param pending_reads: How many more reads show it as pending after that.
    """

    template_id: str
    hosting: Hosting
    content: JSONObject
    status: str = "pending"
    rejected_reason: str = ""
    due: float = 0.0
    pending_reads: int = 0

    @property
    def name(self) -> str:
        """The name of the template."""
        return str(self.content["name"])

    @property
    def language(self) -> str:
        """The language code of the template."""
        return str(self.content["language"])

    def read_status(self) -> str:
        """Return the status as the API shows it, which is some time after the review has ended."""
        if self.status == "pending" and time.monotonic() >= self.due:
            if self.pending_reads > 0:
                self.pending_reads -= 1
            else:
                self.status = "rejected" if self.rejected_reason else "approved"
        return self.status


@dataclass(slots=True)
class TemplateStore:
    """
    Templates in memory.

    :param stored: The templates, oldest first.
    :param review_seconds: The least time that a review takes.
    :param pending_reads: How many reads after that still show a template as pending.
    :param rejections: Reasons for a rejection by name of the template; ``*`` matches as in a shell.
    :param categories: Categories that Meta assigns, by name of the template; ``*`` matches as in a shell.
    """

    stored: list[StoredTemplate] = field(default_factory=list)
    review_seconds: float = 0.0
    pending_reads: int = 1
    rejections: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)

    def add(
        self, content: JSONObject, *, hosting: Hosting = CLOUD, status: str | None = None
    ) -> StoredTemplate:
        """
        Store a template, as if it had been created over the API; nothing is checked.

        :param content: ``name``, ``language``, ``category`` and ``components``.
        :param hosting: The hosting whose account it belongs to.
        :param status: Its status at once, without a review.
        """
        template = StoredTemplate(str(10**14 + secrets.randbelow(10**14)), hosting, content)
        self.review(template)
        template.status = status or template.status
        self.stored.append(template)
        return template

    def review(self, template: StoredTemplate) -> None:
        """
        Start the review of a template.

        :param template: The template; ``pending`` from now on.
        """
        template.status = "pending"
        template.rejected_reason = _matching(self.rejections, template.name) or ""
        template.due = time.monotonic() + self.review_seconds
        template.pending_reads = self.pending_reads

    def category(self, template: StoredTemplate) -> str:
        """
        Return the category of a template: the one that Meta assigned, as soon as its review is over.

        :param template: The template.
        """
        assigned = _matching(self.categories, template.name) if template.status != "pending" else None
        return assigned or str(template.content["category"])

    def listed(self, template: StoredTemplate) -> JSONObject:
        """
        Write a template as the service lists it.

        :param template: The template.
        """
        status = template.read_status()
        content = dict(template.content)
        if content["category"] == "AUTHENTICATION":
            content["components"] = [_listed_component(one) for one in content["components"]]
        return {
            **content,
            "category": self.category(template),
            "id": template.template_id,
            "namespace": NAMESPACE,
            "status": status,
            "rejected_reason": template.rejected_reason if status == "rejected" else "NONE",
        }


def _listed_component(part: JSONObject) -> JSONObject:
    """Write a component of an authentication template with the text that WhatsApp gives to it."""
    kind = str(part.get("type", "")).upper()
    if kind == "BODY" and "text" not in part:
        advice = _CODE_ADVICE if part.get("add_security_recommendation") else ""
        return {**part, "text": _CODE_TEXT + advice, "example": {"body_text": [["123456"]]}}
    if kind == "FOOTER" and "code_expiration_minutes" in part:
        return {**part, "text": f"This code expires in {part['code_expiration_minutes']} minutes."}
    if kind == "BUTTONS":
        return {**part, "buttons": [_listed_button(one) for one in part.get("buttons") or ()]}
    return part


def _listed_button(button: JSONObject) -> JSONObject:
    if str(button.get("type", "")).upper() != "OTP":
        return button
    kind = str(button.get("otp_type", "")).upper()
    url = f"https://www.whatsapp.com/otp/code/?otp_type={kind}&code=otp"
    text = button.get("text") or "Copy code"
    return {"type": "URL", "text": text, "url": url + "{{1}}", "example": [url + "123456"]}


def _matching(patterns: Mapping[str, str], name: str) -> str | None:
    return next((value for pattern, value in patterns.items() if fnmatchcase(name, pattern)), None)
