"""The record as one self-contained HTML page: no script, no network, light and dark as the reader prefers."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chef_push_jobs.cli.report.record import Record

TEMPLATE = "page.html.j2"


def page(record: Record) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE).render(r=record, seconds=seconds, n=number)


def seconds(value: float) -> str:
    """Formats seconds: `0.4 s`, `54 s`, `3 min 20 s`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    return f"{value // 60:.0f} min {value % 60:.0f} s"


def number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
