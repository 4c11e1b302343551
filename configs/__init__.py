"""HOW MUCH: every number a user may set, with its meaning, unit and range."""
