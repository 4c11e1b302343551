"""Which Prefect server and which device a run uses."""
