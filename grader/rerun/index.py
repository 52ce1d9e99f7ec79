"""Where packages come from: the user's own pip settings, said again in uv's words (uv reads none of pip's)."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

_LISTS = ("extra-index-url", "find-links")
_KNOWN = ("index-url", "cert", "no-index", *_LISTS)


@dataclass(frozen=True)
class IndexSettings:
    """What pip would use. cert: a file of trusted certificates; empty for the system's."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    cert: str = ""

    def uv_options(self) -> list[str]:
        """Options of ``uv pip`` that mean the same; over several indexes the best version counts, as with pip."""
        options = ["--index-strategy", "unsafe-best-match"]
        if self.index_url:
            options += ["--index-url", self.index_url]
        for url in self.extra_index_urls:
            options += ["--extra-index-url", url]
        for place in self.find_links:
            options += ["--find-links", place]
        if self.no_index:
            options += ["--no-index"]
        return options


def read(environment: Mapping[str, str] | None = None) -> IndexSettings:
    """The settings of this user's pip: its configuration files, then ``PIP_*`` variables over them."""
    environment = os.environ if environment is None else environment
    settings = from_config_list(_config_list())
    for name in _KNOWN:
        if value := environment.get("PIP_" + name.upper().replace("-", "_")):
            settings[name] = value
    cert = settings.get("cert", "") or environment.get("SSL_CERT_FILE", "")
    return IndexSettings(
        index_url=settings.get("index-url", ""),
        extra_index_urls=tuple(settings.get("extra-index-url", "").split()),
        find_links=tuple(settings.get("find-links", "").split()),
        no_index=settings.get("no-index", "").lower() in ("1", "true", "yes", "on"),
        cert=cert,
    )


def from_config_list(printed: str) -> dict[str, str]:
    """The settings in what ``pip config list`` prints; the ``install`` section goes before ``global``."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for line in printed.splitlines():
        section, _, rest = line.partition(".")
        name, _, value = rest.partition("=")
        if section not in found or name not in _KNOWN:
            continue
        try:
            found[section][name] = str(ast.literal_eval(value))
        except (ValueError, SyntaxError):
            continue
    return {**found["global"], **found["install"]}


@cache
def _config_list() -> str:
    command = [sys.executable, "-I", "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
