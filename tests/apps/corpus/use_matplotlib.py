"""A figure with several kinds of plots, written as PNG, SVG and PDF."""

import io

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

figure, axes = plt.subplots(1, 2, figsize=(6, 3))
x = np.linspace(0, 6, 60)
axes[0].plot(x, np.sin(x), label="sine $\\alpha$")
axes[0].legend()
axes[0].set_title("lines")
axes[1].bar(["a", "b"], [3, 5], color="tab:orange")
axes[1].scatter([0, 1], [1, 2])
for format, head in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
    file = io.BytesIO()
    figure.savefig(file, format=format)
    assert file.getvalue().startswith(head) and len(file.getvalue()) > 3000
