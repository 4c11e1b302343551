"""WHEN: Prefect flows and the command line. No arithmetic, no files opened."""
