"""Air, camera and targets with known truth."""
