"""Every tutorial runs, with few steps; `make docs` runs them whole."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS / "hooks"))

from percent import cells_of, run_cells, shown  # noqa: E402  # pyright: ignore[reportMissingImports]

TUTORIALS = sorted((DOCS / "tutorials").glob("*.py"))


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_it_runs(tutorial, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(DOCS.parent / "examples")
    outputs = run_cells(tutorial, quick=True)
    cells = [cell for cell in cells_of(tutorial.read_text(encoding="utf-8")) if cell.code]
    assert any(one.printed for one in outputs)
    for cell, output in zip(cells, outputs, strict=True):
        assert bool(output.picture) == bool(cell.picture), cell.picture or cell.text
        assert "# quick" not in shown(cell.text)
