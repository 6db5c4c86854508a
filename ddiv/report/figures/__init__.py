"""The figures of the report, a file each."""
