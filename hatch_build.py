"""What the package index shows: the addresses of this project, and the README with links that work there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?!https?://|mailto:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)"
)


class AddressHook(MetadataHookInterface):
    """Reads the addresses from ``[tool.hatch.metadata.hooks.custom]`` in ``pyproject.toml``."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """
        Set the project's URLs, and the README with absolute links.

        :param metadata: The metadata of the project, which is changed.
        """
        repository, documentation = self.config["repository"], self.config["documentation"]
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute_links(readme, repository, documentation),
        }
        metadata["urls"] = {
            "Documentation": documentation,
            "Source": repository,
            "Issues": f"{repository}/issues",
            "Changelog": f"{documentation}/changelog.html",
        }


def absolute_links(readme: str, repository: str, documentation: str) -> str:
    """
    Return the README with each relative link made absolute.

    Pages of ``docs/`` lead to the documentation, all else to the repository.

    :param readme: The README, in Markdown.
    :param repository: The address of the repository.
    :param documentation: The address of the documentation.
    """

    def absolute(link: re.Match[str]) -> str:
        path, anchor = link["path"], link["anchor"] or ""
        page = re.fullmatch(r"docs/(.+)\.md", path)
        if page:
            target = f"{documentation}/{page[1]}.html{anchor}"
        else:
            target = f"{repository}/{'raw' if link['image'] else 'blob'}/main/{path}{anchor}"
        return f"{link['image']}[{link['text']}]({target})"

    return _LINK.sub(absolute, readme)
