"""The report as one HTML file: opens from disk, asks no network for anything, and runs no script but its own."""

from wsload.report.html.page import render_page

__all__ = ["render_page"]
