"""WHEN: Prefect flows and the command line, without arithmetic or open files."""
