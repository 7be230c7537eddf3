"""The timeline of a run: what is asked of it, HAR files, what a later run answered differently."""

from wsload.timeline.query import JsonTest, Query, parse_json_test

__all__ = ["JsonTest", "Query", "parse_json_test"]
