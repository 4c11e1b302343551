"""How a step is run: store, Prefect, Dask, device, memory."""
