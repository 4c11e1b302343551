"""What each step leaves, declared, and typed views of it."""
