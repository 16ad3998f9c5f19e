"""A live page on this machine: a chip learns words while a person breaks it."""

from madem.lab._serving import (
    PORT,
    ServerError,
    address_of,
    check_lab_extra,
    lab_chips,
    listening,
    serve,
)

__all__ = [
    "PORT",
    "ServerError",
    "address_of",
    "check_lab_extra",
    "lab_chips",
    "listening",
    "serve",
]
