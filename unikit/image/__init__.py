"""What is in an image, and its form: the root file system, the manifest, the one graph, the file that boots."""
