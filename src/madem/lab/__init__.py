"""A live page on this machine: a chip learns words while a person breaks it.

`madem.lab.server` serves it, and needs the extra `lab`.
"""

from madem.lab._serving import PORT, address_of, check_lab_extra, lab_chips, listening

__all__ = ["PORT", "address_of", "check_lab_extra", "lab_chips", "listening"]
