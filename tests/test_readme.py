"""What the README shows works as shown; `test_docs` tries its commands and links."""

import re
from pathlib import Path

import pytest

from madem.chips import parse_chip

README = Path(__file__).parent.parent / "README.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("example", "printed"),
    list(zip(blocks("python"), ["(4, 64, 64)", "True", "True"], strict=True)),
)
def test_the_python_examples_run(example, printed, capsys):
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == printed


def test_the_chip_is_valid():
    (chip,) = blocks("toml")
    assert parse_chip(chip).name == "mine"
