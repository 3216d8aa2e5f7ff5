"""Linear algebra, a Fourier transform, random numbers with a seed, files."""

import io

import numpy as np

a = np.arange(12, dtype=np.float64).reshape(3, 4)
assert (a @ a.T)[2, 2] == 366
solution = np.linalg.solve(np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([9.0, 8.0]))
assert np.allclose(solution, [2, 3])
signal = np.sin(2 * np.pi * 5 * np.linspace(0, 1, 128, endpoint=False))
assert int(np.argmax(np.abs(np.fft.rfft(signal)))) == 5
values = np.random.default_rng(7).normal(size=10_000)
assert abs(values.mean()) < 0.05 and abs(values.std() - 1) < 0.05
file = io.BytesIO()
np.savez(file, a=a, values=values)
file.seek(0)
assert np.array_equal(np.load(file)["a"], a)
assert str(np.datetime64("2024-02-28") + 2) == "2024-03-01"
