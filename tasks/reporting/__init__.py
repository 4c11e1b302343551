"""report.json and report.html from finished products."""
