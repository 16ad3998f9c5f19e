"""Tutorials as pages: scripts of docs/tutorials, with what they print and draw.

With `MADEM_TUTORIALS=run` in the environment, as `make docs` sets it, each is run; else pages show
text and code alone. A script that fails stops the build.
"""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority, get_plugin_logger
from mkdocs.structure.files import File, Files
from percent import Output, cells_of, shown

ROOT = Path(__file__).resolve().parents[2]
_LIMIT = 600
"""Seconds after which a tutorial has gone astray; each should take well below 180."""
_log = get_plugin_logger(__name__)


@event_priority(100)  # before links of the pages are looked at
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page, and its pictures, for each tutorial."""
    wanted = os.environ.get("MADEM_TUTORIALS") == "run"
    for path in sorted((ROOT / "docs" / "tutorials").glob("*.py")):
        outputs = _run(path) if wanted else None
        page, pictures = page_of(path, outputs)
        uri = f"tutorials/{path.stem}.md"
        files.append(File.generated(config, uri, content=page))
        for name, png in pictures.items():
            files.append(File.generated(config, f"tutorials/{name}", content=png))
    return files


def page_of(path: Path, outputs: list[Output] | None) -> tuple[str, dict[str, bytes]]:
    """The page of a tutorial in Markdown, and its pictures by name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    left = iter(outputs or [])
    for cell in cells_of(path.read_text(encoding="utf-8")):
        if not cell.code:
            parts.append(cell.text)
            continue
        parts.append(f"```python\n{shown(cell.text)}\n```")
        output = next(left, Output(""))
        if output.printed:
            parts.append(f"```text\n{output.printed}\n```")
        if output.picture:
            if not cell.picture:
                raise PluginError(f"{path}:{cell.line}: say after # %% what the picture shows")
            name = f"{path.stem}-{len(pictures)}.png"
            pictures[name] = output.picture
            parts.append(f"![{cell.picture}]({name})")
    # As HTML: links of Markdown to it would lead to this page.
    parts.append(
        f'<a href="{path.name}">This page as a script</a>, which editors open as a notebook.'
    )
    return "\n\n".join(parts) + "\n", pictures


def _run(path: Path) -> list[Output]:
    """Run a tutorial in a folder of its own, with the repository's examples in it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "examples").symlink_to(ROOT / "examples")
        found = Path(folder) / "outputs.pickle"
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(Path(__file__).parent / "run_tutorial.py"), str(path), str(found)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT,
        )
        if done.returncode:
            raise PluginError(f"a tutorial failed: {done.stderr}")
        _log.info("%s took %.0f s", path.name, time.perf_counter() - started)
        return [Output(*each) for each in pickle.loads(found.read_bytes())]
