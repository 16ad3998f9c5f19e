"""Labelled samples: what files give, what is refused, how they are drawn."""

import gzip
import hashlib
import struct

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idx_for_tests import idx_bytes
from madem._checks import InputError
from madem.data import (
    Dataset,
    Shift,
    idx,
    label_batches,
    load_dataset,
    load_digits,
    load_idx_folder,
    load_idx_half,
    one_hot,
    read_idx,
    scaled,
    split_by_class,
)

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (30, 4, 5), dtype=np.uint8)
LABELS = (np.arange(30) % 10).astype(np.uint8)


def write_folder(folder, images=IMAGES, labels=LABELS):
    folder.mkdir(exist_ok=True)
    for half in ("train", "t10k"):
        (folder / f"{half}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{half}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    return folder


def dataset(samples=40, classes=4, features=6) -> Dataset:
    return Dataset(
        x=RANDOM.uniform(0, 255, (samples, features)).astype(np.float32),
        y=np.arange(samples, dtype=np.int32) % classes,
        shape=(2, 3),
        classes=classes,
        name="made up",
    )


def test_an_idx_folder_gives_back_what_was_written_packed_or_not(tmp_path):
    split = load_idx_folder(write_folder(tmp_path / "clothes"))
    for half in split:
        np.testing.assert_array_equal(half.x, IMAGES.reshape(30, 20))
        np.testing.assert_array_equal(half.y, LABELS)
        assert (half.shape, half.classes, half.name) == ((4, 5), 10, "clothes")


def test_a_set_is_named_after_its_contents_where_they_are_known(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "somewhere")
    names = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    known = {
        name: hashlib.sha256(idx_bytes(values)).hexdigest()
        for name, values in zip(names, (IMAGES, LABELS), strict=True)
    }
    monkeypatch.setattr(idx, "_MNIST", known)
    assert load_idx_half(folder, "t10k").name == "mnist"
    write_folder(folder, labels=LABELS[::-1].copy())
    assert load_idx_half(folder, "t10k").name == "somewhere"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "nothing"),
        (b"PK\x03\x04 a zip file", "50 4b 03 04"),
        (bytes([0, 0, 13, 1]) + struct.pack(">i", 1) + bytes(4), "00 00 0d 01"),
        (bytes([0, 0, 8, 3, 0, 0]), "within its header"),
        (idx_bytes(IMAGES)[:-7], r"holds 593 values .* promises 600 \(30 × 4 × 5\)"),
        (idx_bytes(IMAGES) + b"!", "holds 601 values"),
    ],
)
def test_a_file_that_is_not_whole_idx_is_refused(tmp_path, content, says):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_idx(path)


@pytest.mark.parametrize("cut", [20, -9])
def test_a_packed_file_cut_off_is_refused(tmp_path, cut):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES))[:cut])
    with pytest.raises(InputError, match="damaged or cut off"):
        read_idx(path)


def test_a_folder_with_files_that_do_not_fit_together_is_refused(tmp_path):
    with pytest.raises(InputError, match="neither train-images-idx3-ubyte nor"):
        load_idx_folder(tmp_path)
    with pytest.raises(InputError, match="30 samples and 29 labels"):
        load_idx_folder(write_folder(tmp_path / "short", labels=LABELS[1:]))
    with pytest.raises(InputError, match="label 10; give labels from 0 to 9"):
        load_idx_folder(write_folder(tmp_path / "odd", labels=LABELS + 1))
    folder = write_folder(tmp_path / "sizes")
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES.reshape(30, 5, 4)))
    with pytest.raises(InputError, match=r"\(4, 5\) and those to test on \(5, 4\)"):
        load_idx_folder(folder)
    (folder / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES.reshape(30, 20)))
    with pytest.raises(InputError, match="images have 2 dimensions"):
        load_idx_folder(folder)


def test_npz_hdf5_and_csv_give_the_same_set(tmp_path):
    x, y = IMAGES[:12].astype(float), LABELS[:12].astype(int)
    np.savez(tmp_path / "set.npz", x=x, y=y)
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file["x"], file["y"] = x, y
    columns = np.column_stack([x.reshape(12, 20)[:, :3], y, x.reshape(12, 20)[:, 3:]])
    names = [*"abc", "y", *(f"p{n}" for n in range(17))]
    np.savetxt(tmp_path / "set.csv", columns, delimiter=",", header=",".join(names), comments="")
    sets = [load_dataset(tmp_path / f"set.{kind}") for kind in ("npz", "h5", "csv")]
    for one in sets:
        np.testing.assert_array_equal(one.x, x.reshape(12, 20))
        np.testing.assert_array_equal(one.y, y)
        assert (one.classes, one.name) == (10, "set")
    assert [one.shape for one in sets] == [(4, 5), (4, 5), (20,)]


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": np.ones((3, 2))}, "has no 'y'"),
        ({"x": np.ones((3, 2)), "y": np.zeros(4, int)}, r"x of shape \(3, 2\) and y of shape"),
        ({"x": np.ones(3), "y": np.zeros(3, int)}, r"x of shape \(3,\)"),
        ({"x": np.ones((0, 2)), "y": np.zeros(0, int)}, r"x of shape \(0, 2\)"),
        ({"x": np.ones((3, 2)), "y": np.array([0, 0.5, 1])}, "not whole numbers"),
        ({"x": np.ones((3, 2)), "y": np.array([0, -1, 1])}, "sample 1 has the label -1"),
        ({"x": np.ones((3, 2)), "y": np.array(list("abc"))}, "y holds <U1"),
        ({"x": np.array([[1, 2], [3, np.nan]]), "y": np.array([0, 1])}, "sample 1 has features"),
    ],
)
def test_a_file_of_arrays_that_is_no_labelled_set_is_refused(tmp_path, arrays, says):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(InputError, match=says):
        load_dataset(tmp_path / "set.npz")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("set.txt", "", "ends in .npz, .csv, .h5, .hdf5"),
        ("set.npz", "no zip", "cannot be read"),
        ("set.h5", "no hdf5", "cannot be read"),
        ("set.csv", "a,b\n1,2\n", "has no 'y'"),
        ("set.csv", "a,y\n1,2,3\n", "names 2 columns and has rows of 3 values"),
        ("set.csv", "a,y\n1,zwei\n", "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says):
        load_dataset(tmp_path / name)
    with pytest.raises(InputError, match=r"is no file|give a file"):
        load_dataset(tmp_path / f"absent-{name}")


def test_the_digits_of_scikit_learn():
    digits = load_digits()
    assert (digits.x.shape, digits.shape, digits.classes) == ((1797, 64), (8, 8), 10)
    assert (digits.x.min(), digits.x.max()) == (0, 16)
    assert np.bincount(digits.y).min() == 174


def test_scaling_is_linear_and_shared_by_both_parts_of_a_split():
    whole = dataset()
    ends = scaled(whole, -1, 1)
    assert (ends.x.min(), ends.x.max()) == (-1, 1)
    np.testing.assert_allclose(np.corrcoef(ends.x.ravel(), whole.x.ravel())[0, 1], 1, atol=1e-6)
    np.testing.assert_allclose(scaled(whole, 0, 1, (0, 255)).x, whole.x / 255, rtol=1e-6)
    with pytest.raises(InputError, match="nothing to scale"):
        scaled(whole.take(slice(0, 1)), 0, 1, (3.0, 3.0))


@given(test=st.floats(0.1, 0.9), seed=st.integers(0, 5))
def test_a_split_takes_the_same_share_of_each_class_and_every_sample_once(test, seed):
    whole = dataset()
    split = split_by_class(whole, test, seed)
    np.testing.assert_array_equal(np.bincount(split.test.y, minlength=4), round(test * 10))
    both = np.concatenate([split.train.x, split.test.x])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(whole.x, axis=0))
    again = split_by_class(whole, test, seed)
    np.testing.assert_array_equal(again.test.x, split.test.x)


def test_splits_of_different_seeds_differ_and_empty_ones_are_refused():
    whole = dataset()
    one, other = (split_by_class(whole, 0.5, seed).test.x for seed in (0, 1))
    assert not np.array_equal(one, other)
    for share in (0.0, 1.0):
        with pytest.raises(InputError, match="none to learn from or none to test on"):
            split_by_class(whole, share, 0)


def test_batches_pair_samples_with_their_own_targets_and_draw_all_of_them():
    whole = dataset()
    batches = label_batches(whole, 32, level=0.9)
    drawn = jax.vmap(batches)(jax.random.split(KEY, 20))
    rows = np.asarray(drawn.inputs).reshape(-1, 6)
    index = np.argmin(np.abs(rows[:, None] - whole.x).sum(-1), axis=1)
    np.testing.assert_array_equal(rows, whole.x[index])
    np.testing.assert_array_equal(drawn.labels.ravel(), whole.y[index])
    np.testing.assert_array_equal(
        drawn.targets.reshape(-1, 4), np.where(np.eye(4)[whole.y[index]], 0.9, -0.9).astype("f")
    )
    assert set(index) == set(range(40))  # one of 40 is missed by chance 4e-6 of the time
    np.testing.assert_array_equal(batches(KEY).inputs, batches(KEY).inputs)


@pytest.mark.parametrize("size", [0, 41])
def test_a_batch_larger_than_the_set_or_empty_is_refused(size):
    with pytest.raises(InputError, match=f"a batch of {size} from 40 samples"):
        label_batches(dataset(), size)


def test_one_hot_targets():
    np.testing.assert_allclose(
        one_hot(jnp.array([2, 0]), 3, 0.5), [[-0.5, -0.5, 0.5], [0.5, -0.5, -0.5]]
    )


def test_shifts_move_whole_images_each_way_alike():
    image = jnp.asarray(RANDOM.uniform(0, 1, (1, 20)), jnp.float32)
    shift = Shift((4, 5), pixels=1, background=-1.0)
    moved = shift(jnp.repeat(image, 900, 0), KEY).reshape(900, 4, 5)
    framed = np.pad(image.reshape(4, 5), 1, constant_values=-1)
    expected = np.stack([framed[y : y + 4, x : x + 5] for y in range(3) for x in range(3)])
    counts = [(np.asarray(moved) == one).all((1, 2)).sum() for one in expected]
    assert sum(counts) == 900
    chi2 = sum((count - 100) ** 2 / 100 for count in counts)
    assert chi2 < 31.8  # 8 degrees of freedom: exceeded by chance once in 10,000
    still = Shift((4, 5), pixels=0, background=-1.0)
    np.testing.assert_array_equal(still(image, KEY), image)
    with pytest.raises(InputError, match="pixels is 4; give 0 to 3"):
        Shift((4, 5), pixels=4, background=0.0)
