"""unikit turns a Python application into one bootable virtual machine image."""

__version__ = "0.1.0"
