"""The documentation: what it shows can be typed, and its links lead somewhere."""

import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from click import Group
from percent import cells_of
from typer.main import get_command

from madem.cli import COMMANDS, app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "RESULTS.md", *sorted(DOCS.rglob("*.md"))]


def text_of(page):
    """Markdown of a page, a tutorial's included."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".py":
        return "\n\n".join(cell.text for cell in cells_of(text) if not cell.code)
    return text


def fenced(page, language):
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), re.DOTALL)


def commands_of(page):
    """Commands of madem that a page shows, fenced or indented."""
    lines = [line for block in fenced(page, "sh") for line in joined(block)]
    lines += [line.strip() for line in joined(text_of(page)) if line.startswith("    madem ")]
    return [line for line in lines if line.startswith("madem ")]


def joined(block):
    return block.replace("\\\n", " ").splitlines()


SHOWN = [
    pytest.param(command, id=f"{page.stem}: {command[:50]}")
    for page in [*PAGES, *TUTORIALS]
    for command in commands_of(page)
]


@pytest.mark.parametrize("command", SHOWN)
def test_the_commands_shown_exist_with_their_options(command):
    known = get_command(app)
    _, *arguments = shlex.split(re.sub(r" [|&>…].*", "", command), comments=True)
    name = "madem"
    while isinstance(known, Group):
        name, *arguments = arguments
        known = known.commands[name]
    known.make_context(name, arguments)


@pytest.mark.parametrize("page", [*PAGES, *TUTORIALS], ids=lambda page: page.stem)
def test_the_commands_named_exist(page):
    for name in re.findall(r"`madem ([a-z]+)", text_of(page)):
        assert name in COMMANDS.data, f"madem {name}"


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_examples_can_be_read_and_import_what_is_there(page):
    for block in fenced(page, "toml"):
        tomllib.loads(block)
    for block in fenced(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                for name in node.names:
                    assert hasattr(module, name.name), f"{node.module}.{name.name}"


@pytest.mark.parametrize("page", [*PAGES, *TUTORIALS], ids=lambda page: page.stem)
def test_every_link_leads_somewhere_in_the_repository(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", text_of(page)):
        assert (page.parent / target).exists(), target
