"""The node under test: what serves the functions, and how its use is measured."""
