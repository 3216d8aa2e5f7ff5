"""Derivatives, integrals, equations, matrices, printing."""

import sympy

x, y = sympy.symbols("x y")
assert sympy.diff(sympy.sin(x) * x, x) == x * sympy.cos(x) + sympy.sin(x)
assert sympy.integrate(sympy.exp(-x), (x, 0, sympy.oo)) == 1
assert sympy.solve([x + y - 3, x - y - 1], [x, y]) == {x: 2, y: 1}
assert sympy.Matrix([[1, 2], [3, 4]]).det() == -2
assert sympy.latex(sympy.sqrt(x) / 2) == r"\frac{\sqrt{x}}{2}"
assert sympy.lambdify(x, x**2)(5) == 25
