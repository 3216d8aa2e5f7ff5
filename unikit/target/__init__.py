"""Programs that the *target* interpreter runs on the build machine: CPython 3.10 and up, nothing but its standard
library.

They are started as files and talk JSON over standard input and output, so that unikit's own version of Python may be
another one. They never import the application itself.
"""
