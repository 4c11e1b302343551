"""The table of PSF models, one file each."""
