"""What the README shows works as shown."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from madem.chips import parse_chip
from madem.cli import app

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    ("example", "printed"), list(zip(blocks("python"), ["(4, 64, 64)", "True"], strict=True))
)
def test_the_python_examples_run(example, printed, capsys):
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == printed


def test_the_chip_is_valid():
    (chip,) = blocks("toml")
    assert parse_chip(chip).name == "mine"


COMMANDS = [
    line.split("#")[0].strip()
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("madem ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_shown_exist_with_their_options(command):
    _, name, *arguments = shlex.split(command)
    subcommand = get_command(app).commands[name]
    subcommand.make_context(name, arguments)


def test_every_link_inside_leads_somewhere():
    root = Path(__file__).parent.parent
    for page in (root / "README.md", *(root / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
