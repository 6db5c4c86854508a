"""Stored records in, one HTML page out."""

from ddiv.report.render import render

__all__ = ["render"]
