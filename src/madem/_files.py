"""Files that are whole or not there: written aside, then renamed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from madem._checks import MademError


class WriteError(MademError):
    """A file could not be written; what stood there before still does."""


@contextlib.contextmanager
def replacing(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file beside `path`, and put it in its place once it is written and on the disk.

    If anything fails, the file aside is removed and `path` stays as it was. Raises `WriteError`
    for a full disk and the like.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    encoding = None if "b" in mode else "utf-8"
    try:
        with aside.open(mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror or error}; what was there is kept, free some "
            "space or mend the permissions"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file. Raises `WriteError`."""
    with replacing(path, "w") as file:
        file.write(text)
