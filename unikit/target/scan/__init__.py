"""Reads Python files and says what they import, without running them.

Standard input: a JSON object `{"words": REGEX}`, then a file name a line. Standard output: one JSON object a file:

  scopes    the module's own statements first, then its functions, methods and plain tables: what can run or not
  strings   constants that look like dotted names (or module:attribute)
  constants every short string, of the application's own files
  dynamic   lines of imports whose name is computed
  metadata  whether importlib.metadata is used
  exports   the constants of `__all__`
  aliases   [name, what was imported under it], as in chains
  words     identifiers and words of strings that match REGEX
  error     [line, message, text] in place of all this: the file does not compile

and of every scope

  keys      by what it comes to life: `NAME`: a function, class or table of the module; `@NAME`: a method; `.NAME`: a
            branch of the module's __getattr__ for that attribute; none: it always is
  imports   [line, level, module, names or null, flags, function]   null: `import module`; names: `from module import
            names`
  chains    what is used through imported names: `import a` and `a.b.c` give "a.b.c"; relative ones have dots first
  codecs    names of text encodings
  computed  whether the name of an encoding is computed
  groups    entry point groups that are asked for
  computed_imports   the constant beginnings of names of modules that are computed: "pkg.sub.prefix_", ".", or ""
  names     what else it uses: `~NAME`: a name of the module; `.NAME`: an attribute of something unknown; `'NAME`: a
            word in a string; `NAME*`, `*NAME`: how names begin or end that it computes; `*`: all names of the module;
            `=CHAIN`: what a table takes from elsewhere at once, even if nobody uses the table
  text      whether it asks for the text of code, and does not go on without
  calls     [line, name, whether it is made as soon as the module is imported] of calls through imported names; in the
            application's own files `a.b[c]` and `c in a.b` count as calls of a.b.__getitem__ and a.b.__contains__

What can be decided for this interpreter (sys.version_info, sys.platform, TYPE_CHECKING, __name__) is decided, and
what is then dead is left out.
"""
