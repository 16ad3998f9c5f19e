"""What the theme leaves out for screen readers."""

from typing import Any


def on_post_page(output: str, **_: Any) -> str:
    """Name the dialog of the search."""
    return output.replace(
        'data-md-component="search" role="dialog"',
        'data-md-component="search" role="dialog" aria-label="Search"',
    )
