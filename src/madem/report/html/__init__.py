"""A report of runs as one HTML file that needs nothing else."""

from madem.report.html._page import check_report_extra, report_html
from madem.report.html._report import Part, Report, report_of

__all__ = ["Part", "Report", "check_report_extra", "report_html", "report_of"]
