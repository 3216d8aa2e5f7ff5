"""Tests of images (fixtures that build and boot them) and tests in images (`pytest --unikit`); docs/testing.md."""
