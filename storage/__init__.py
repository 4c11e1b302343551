"""WHERE: the only code that touches a disk."""
