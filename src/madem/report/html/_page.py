"""From a report to a page: template, style, scripts, all in one text."""

import importlib.util
from importlib import resources

import madem
from madem._checks import InputError
from madem.report.html._report import Report

_NEEDED = {"jinja2": "Jinja2", "plotly": "Plotly"}


def check_report_extra() -> None:
    """Raise `InputError` unless what a report is made with is installed."""
    missing = [name for module, name in _NEEDED.items() if not importlib.util.find_spec(module)]
    if missing:
        raise InputError(
            f"a report needs {' and '.join(missing)}; install madem[report], such as with: "
            "pip install 'madem[report]'"
        )


def report_html(report: Report) -> str:
    """The whole page. Raises `InputError` if Jinja2 or Plotly are not installed."""
    check_report_extra()
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 (an extra)
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 (an extra)

    environment = Environment(
        loader=PackageLoader("madem.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    files = resources.files("madem.report").joinpath("templates")
    page = environment.get_template("report.html").render(
        report=report,
        version=madem.__version__,
        style=files.joinpath("report.css").read_text(encoding="utf-8"),
        script=files.joinpath("report.js").read_text(encoding="utf-8"),
        plotly=get_plotlyjs(),
    )
    # Half a surrogate pair, which JSON can hold, is no text that UTF-8 can.
    return page.encode(errors="replace").decode()
