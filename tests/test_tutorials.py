"""Every tutorial runs, with few steps; `make docs` runs them whole."""

from pathlib import Path

import pytest
from percent import cells_of, run_cells, shown

DOCS = Path(__file__).parent.parent / "docs"
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
