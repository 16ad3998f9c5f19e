"""Images and labels in IDX files, laid out as MNIST is.

The format is that of yann.lecun.com/exdb/mnist: two zero bytes, the type of the values, the
number of dimensions, their sizes (32 bits each, high byte first), and the values.
"""

import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np

from madem._checks import InputError
from madem.data.dataset import Dataset, Split

_UNSIGNED_BYTES = 8  # the type that MNIST and its kin have
_DIGEST = "sha256"
_MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of MNIST's files, unpacked: packed ones differ by who packed them."""


def read_idx(path: Path) -> np.ndarray:
    """Values of an IDX file of unsigned bytes, packed (.gz) or not.

    Raises `InputError` if it cannot be read, is no such file, or is shorter or longer than its
    header says.
    """
    return _parse_idx(_content(path), path)


def load_idx_half(folder: Path, half: str) -> Dataset:
    """Images and labels of the `train` or the `t10k` files of a folder, packed or not.

    MNIST, Fashion-MNIST and KMNIST all have this layout; `name` is `mnist` if the contents are
    MNIST's, the folder's name otherwise. Raises `InputError` as `read_idx`, and if images and
    labels do not belong together.
    """
    names = (f"{half}-images-idx3-ubyte", f"{half}-labels-idx1-ubyte")
    paths = [_packed_or_not(folder, name) for name in names]
    contents = [_content(path) for path in paths]
    images, labels = map(_parse_idx, contents, paths)
    if images.ndim != 3 or labels.ndim != 1:  # noqa: PLR2004
        raise InputError(
            f"{folder}: images have {images.ndim} dimensions and labels {labels.ndim}; expected "
            "3 (count, height, width) and 1"
        )
    digests = [hashlib.new(_DIGEST, content).hexdigest() for content in contents]
    known = digests == [_MNIST.get(name) for name in names]
    return Dataset(
        x=images.reshape(len(images), -1).astype(np.float32),
        y=labels.astype(np.int32),
        shape=images.shape[1:],
        classes=10,
        name="mnist" if known else folder.resolve().name,
    )


def load_idx_folder(folder: Path) -> Split:
    """Both halves of a folder in MNIST's layout. Raises `InputError` as `load_idx_half`."""
    split = Split(load_idx_half(folder, "train"), load_idx_half(folder, "t10k"))
    if split.train.shape != split.test.shape:
        raise InputError(
            f"{folder}: images to learn from are {split.train.shape} and those to test on "
            f"{split.test.shape} pixels; give one size"
        )
    return split


def _packed_or_not(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise InputError(
        f"{folder} has neither {name} nor {name}.gz; give the folder that holds the four IDX files"
    )


def _content(path: Path) -> bytes:
    try:
        packed = path.read_bytes()
        return gzip.decompress(packed) if path.suffix == ".gz" else packed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged or cut off ({error}); fetch it again") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _parse_idx(content: bytes, path: Path) -> np.ndarray:
    head, dimensions = content[:4], content[3] if len(content) > 3 else 0  # noqa: PLR2004
    if head[:3] != bytes([0, 0, _UNSIGNED_BYTES]) or dimensions == 0:
        raise InputError(
            f"{path} is no IDX file of unsigned bytes: it begins with {head.hex(' ') or 'nothing'}"
            f", expected 00 00 {_UNSIGNED_BYTES:02x} and the number of dimensions"
        )
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise InputError(f"{path} is cut off within its header; fetch it again")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    values = np.frombuffer(content, np.uint8, offset=start)
    expected = int(np.prod(shape, dtype=np.int64))
    if len(values) != expected:
        raise InputError(
            f"{path} holds {len(values):,} values and its header promises {expected:,} "
            f"({' × '.join(map(str, shape))}); it is cut off or damaged, fetch it again"
        )
    return values.reshape(shape)
