"""The page of tells is looked at in the same browser as the others."""

from tests.site.conftest import browser

__all__ = ["browser"]
