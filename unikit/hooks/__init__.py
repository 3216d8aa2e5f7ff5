"""What no reading of Python source shows: imports made from C, computed imports, data files, and which optional
imports an application can do without. Tables of facts, a file a subject."""
