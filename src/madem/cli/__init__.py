"""The command line: parse, call, print.

Results go to standard output, all else to standard error. Exit status: 0 done, 1 the run failed,
2 the input was wrong, 130 stopped by Ctrl-C.
"""

import os
import sys
from collections import UserDict
from importlib import import_module
from typing import Annotated, Any, NoReturn

import platformdirs
import typer
from typer.core import TyperGroup

import madem
from madem._checks import InputError, MademError
from madem.cli._console import StoppedError, messages


class _Commands(UserDict[str, Any]):
    """Commands by name, from the modules that hold a function (or a group) of that name.

    A module is imported when its command is asked for: JAX and Matplotlib take seconds.
    """

    def __getitem__(self, name: str) -> Any:
        found = getattr(import_module(self.data[name]), name)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(found)
        return typer.main.get_command(alone)


COMMANDS = _Commands(
    braille="madem.cli.braille",
    train="madem.cli.train",
    resume="madem.cli.resume",
    recall="madem.cli.braille",
    compare="madem.cli.compare",
    sweep="madem.cli.sweep",
    report="madem.cli.report",
    lab="madem.cli.lab",
    cost="madem.cli.cost",
    chip="madem.cli.chip",
    fit="madem.cli.fit",
    solve="madem.cli.circuits",
    netlist="madem.cli.circuits",
)


class _Group(TyperGroup):
    def __init__(self, **options: Any):
        super().__init__(**options)
        self.commands = COMMANDS


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Train neural networks on memristor crossbars by activity differences.",
)


def main() -> NoReturn:
    """Run `madem`."""
    try:
        _keep_compiled_programs()
        app()
    except StoppedError as stopped:
        _fail(stopped, 130)
    except InputError as error:
        _fail(error, 2)
    except MademError as error:
        _fail(error, 1)
    sys.exit(0)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(madem.__version__)  # noqa: T201
        raise typer.Exit


def _keep_compiled_programs() -> None:
    """Keep what JAX compiles in the user's cache folder: the second start is a fast one."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", platformdirs.user_cache_dir("madem"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


def _fail(error: MademError, status: int) -> NoReturn:
    messages.print(f"madem: {error}", style="bold red", markup=False, soft_wrap=True)
    sys.exit(status)
