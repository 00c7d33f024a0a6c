"""Synthetic people: a data set in the competition's layout, drawn procedurally (docs/howto/people.md)."""

from __future__ import annotations

from hoego.apps.people.write import PeopleSettings, PeopleSummary, write_people

__all__ = ["PeopleSettings", "PeopleSummary", "write_people"]
