"""Studies of points that take no time."""

from pathlib import Path

from madem.studies.sweep.study import Study, read_study

TINY = """
seeds = 3

[train.data]
kind = "braille"
words = ["ada", "bob"]
test_samples = 50
[train.network]
kind = "hopfield"
hidden = [3]
[train.training]
steps = 20
batch = 4

[axes]
optimiser.rate = { low = 0.01, high = 1.0, scale = "log", levels = 3 }
rule.kind = ["centred", "one-sided"]
"""
CHIP = TINY.replace(
    "[train.training]",
    '[train.chip]\nname = "ideal"\n[train.update]\nkind = "direct"\n[train.training]',
)
SOBOL = '[design]\nkind = "sobol"\npoints = 8\nseed = 1\n'


def study(tmp_path: Path, text: str = TINY, *changes: tuple[str, str]) -> Path:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str = TINY, *changes: tuple[str, str]) -> Study:
    return read_study(study(tmp_path, text, *changes))
