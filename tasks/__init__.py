"""WHAT: one file per step of the workflow."""
