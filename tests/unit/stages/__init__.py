"""The stages from the source to the root file system, on small applications and packages made for each test."""
