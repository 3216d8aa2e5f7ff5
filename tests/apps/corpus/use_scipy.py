"""Optimisation, integration, statistics, interpolation, sparse systems, signals."""

import numpy as np
from scipy import integrate, interpolate, optimize, signal, sparse, special, stats
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

found = optimize.minimize(lambda x: (x[0] - 1) ** 2 + (x[1] + 2) ** 2, [0, 0])
assert found.success and np.allclose(found.x, [1, -2], atol=1e-4)
assert abs(integrate.quad(np.sin, 0, np.pi)[0] - 2) < 1e-9
run = integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], rtol=1e-8)
assert abs(run.y[0, -1] - np.exp(-1)) < 1e-6
assert abs(stats.norm.cdf(1.96) - 0.975) < 1e-3
assert stats.ttest_ind([1, 2, 3, 4], [11, 12, 13, 14]).pvalue < 0.01
assert abs(float(interpolate.CubicSpline([0, 1, 2, 3], [0, 1, 4, 9])(1.5)) - 2.25) < 0.1
matrix = sparse.csc_matrix([[4.0, 1.0], [1.0, 3.0]])
assert np.allclose(matrix @ spsolve(matrix, np.array([1.0, 2.0])), [1, 2])
assert np.isclose(special.gamma(5), 24)
b, c = signal.butter(2, 0.2)
assert len(signal.lfilter(b, c, np.ones(20))) == 20
assert cKDTree([[0, 0], [5, 5]]).query([4, 4])[1] == 1
