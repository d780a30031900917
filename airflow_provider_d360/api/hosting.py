"""Cloud, on-premise and sandbox: base URLs, paths and body dialects. The one place where they differ."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hosting:
    """
    Where a number lives: the paths and rules of its API. A path is ``None`` where there is no such endpoint.

    :param name: The value of the connection's ``hosting`` extra.
    :param base_url: Scheme and host of the API.
    :param messages: Path for sending messages.
    :param webhook: The webhook of one number.
    :param waba_webhook: The webhook of a whole WhatsApp Business Account.
    :param health: Whether the service, and on cloud the number, is able to send.
    :param media: Uploading media.
    :param media_item: The path before a media id.
    :param media_by_url: Media is downloaded from a signed URL that another request returns.
    :param largest_upload: How many bytes one upload may have.
    :param uploads: Uploading what becomes a sample in a template, or a profile picture.
    :param templates: Listing, creating and deleting templates.
    :param message_templates: The newer, Meta-shaped way to templates.
    :param profile: The business profile.
    :param blocked_users: Blocking people, unblocking them, and listing who is blocked.
    :param contact_block: Blocking one person; ``{number}`` is replaced by their number.
    :param names_product: Bodies carry ``"messaging_product": "whatsapp"``.
    :param reads_by_put: A message is marked as read by ``PUT {messages}/{id}``, not by a ``POST``.
    :param wants_namespace: Templates are addressed with their ``namespace``.
    :param plain_webhook_host: Webhook hosts may hold no ``_`` and no port.
    :param always_returns_id: The response to an accepted message always holds its id.
    """

    name: str
    base_url: str
    messages: str
    webhook: str = "/v1/configs/webhook"
    waba_webhook: str | None = None
    health: str | None = None
    media: str | None = None
    media_item: str | None = None
    media_by_url: bool = False
    largest_upload: int = 100 * _MEGABYTE
    uploads: str | None = None
    templates: str | None = None
    message_templates: str | None = None
    profile: str | None = None
    blocked_users: str | None = None
    contact_block: str | None = None
    names_product: bool = True
    reads_by_put: bool = False
    wants_namespace: bool = False
    plain_webhook_host: bool = False
    always_returns_id: bool = True

    @property
    def product(self) -> dict[str, object]:
        """What the bodies of this hosting begin with."""
        return {"messaging_product": "whatsapp"} if self.names_product else {}

    def need(self, path: str | None, what: str) -> str:
        """
        Return one of this hosting's paths.

        :param path: The path, or ``None``.
        :param what: What the path is for, for the error.
        :raises D360RequestError: naming the hosting, when ``path`` is ``None``.
        """
        if path is None:
            title = f"The {self.name} hosting has no {what}"
            raise D360RequestError(ErrorDetail(title, "Use a connection whose hosting has it."))
        return path


CLOUD = Hosting(
    name="cloud",
    base_url="https://waba-v2.360dialog.io",
    messages="/messages",
    waba_webhook="/waba_webhook",
    health="/health_status",
    media="/media",
    media_item="/",
    media_by_url=True,
    uploads="/uploads",
    templates="/v1/configs/templates",
    message_templates="/message_templates",
    profile="/whatsapp_business_profile",
    blocked_users="/block_users",
    plain_webhook_host=True,
)

ON_PREMISE = Hosting(
    name="on_premise",
    base_url="https://waba.360dialog.io",
    messages="/v1/messages",
    health="/v1/health",
    media="/v1/media",
    media_item="/v1/media/",
    largest_upload=64 * _MEGABYTE,
    templates="/v1/configs/templates",
    profile="/v1/settings/business/profile",
    contact_block="/v1/contacts/{number}/block",
    names_product=False,
    reads_by_put=True,
    wants_namespace=True,
)

# The sandbox has the paths of on-premise and takes the bodies of the cloud. 360dialog's page says that its
# responses carry no information yet, so an id is not certain.
# https://docs.360dialog.com/docs/sandbox
SANDBOX = Hosting(
    name="sandbox",
    base_url="https://waba-sandbox.360dialog.io",
    messages="/v1/messages",
    always_returns_id=False,
)

HOSTINGS = {hosting.name: hosting for hosting in (CLOUD, ON_PREMISE, SANDBOX)}
