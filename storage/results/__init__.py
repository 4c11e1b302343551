"""Files that go out: published results, truth, night record."""
