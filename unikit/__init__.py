"""unikit turns a Python application into one bootable virtual machine image."""

from unikit.target.guest import after_thaw, before_freeze, freeze

__all__ = ["__version__", "after_thaw", "before_freeze", "freeze"]
__version__ = "0.1.0"
