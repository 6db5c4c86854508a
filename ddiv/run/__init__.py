"""Runs: what one pytest session plans, shares among its workers, forecasts and leaves."""
