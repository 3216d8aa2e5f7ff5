"""What the application reaches in Python: the walk over its imports, and what else decides which modules are needed."""
