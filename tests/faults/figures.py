"""The figures of the faults: kept with each test's report, shown in one table at the end.

They travel in the reports, so that the table is whole however many processes ran the tests.
"""

from typing import Any

import pytest

PROPERTY = "fault"


def keep(test: pytest.Item, pace: str, fault: str, seconds: float, lost: int, doubled: int) -> None:
    """Keep a figure with a test."""
    test.user_properties.append((PROPERTY, [pace, fault, round(seconds, 1), lost, doubled]))


def show(terminal: Any) -> None:
    """Write the table, if there are figures: of each fault the longest recovery."""
    figures: dict[str, list[Any]] = {}
    for reports in terminal.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name == PROPERTY:
                        pace, fault, *figure = value
                        figures.setdefault(fault, []).append(figure)
    if not figures:
        return
    terminal.section(f"faults, with the {pace} settings")
    terminal.line(f"{'recovered after':>15}  {'tasks':>5}  {'lost':>4}  {'doubled':>7}  fault")
    for fault, rows in sorted(figures.items()):
        seconds, lost, doubled = zip(*rows, strict=True)
        terminal.line(
            f"{max(seconds):>13.1f} s  {len(rows):>5}  {sum(lost):>4}  {sum(doubled):>7}  {fault}"
        )
    every = [row for rows in figures.values() for row in rows]
    lost, doubled = sum(row[1] for row in every), sum(row[2] for row in every)
    terminal.line(f"{len(figures)} faults, {len(every)} tasks: lost {lost}, doubled {doubled}")
