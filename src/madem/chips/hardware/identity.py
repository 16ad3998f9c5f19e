"""Who is at the other end of a wire."""

from dataclasses import dataclass

from madem._checks import InputError
from madem.chips.hardware.protocol import VERSION, LinkError


@dataclass(frozen=True)
class Identity:
    """Who a chip says that it is."""

    maker: str
    """Who made it."""
    model: str
    """What kind of chip it is."""
    serial: str
    """Which one of them."""
    version: str
    """Version of the protocol that it speaks."""

    @classmethod
    def parse(cls, text: str) -> "Identity":
        """Read an answer to `*IDN?`.

        Raises `InputError` if it speaks another version of
        the protocol, `LinkError` if it makes no sense.
        """
        fields = [field.strip() for field in text.split(",")]
        if len(fields) != 4 or not all(fields):  # noqa: PLR2004
            raise LinkError(
                f"the chip calls itself {text[:80]!r}; expected maker,model,serial,{VERSION}"
            )
        identity = cls(*fields)
        if identity.version != VERSION:
            raise InputError(
                f"{text} speaks version {identity.version} of the protocol and this madem {VERSION}"
            )
        return identity

    def __str__(self) -> str:
        return f"{self.maker},{self.model},{self.serial},{self.version}"
