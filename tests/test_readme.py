"""What the README shows works as shown, and the commands in the docs exist."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from madem.chips import parse_chip
from madem.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))


def blocks(language, page=README):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


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


COMMANDS = [
    line.split("#")[0].strip()
    for page in PAGES
    for block in blocks("sh", page)
    for line in block.splitlines()
    if line.startswith("madem ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_shown_exist_with_their_options(command):
    _, name, *arguments = shlex.split(command)
    subcommand = get_command(app).commands[name]
    subcommand.make_context(name, arguments)


def test_every_link_inside_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
