"""Packaging: `pip install .` gives the command `unikit`; runtimes/, templates/ and qemu/ travel with it as data."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

DATA = ("runtimes", "templates", "qemu")


class BuildWithData(build_py):
    """Copies the data folders, which stand beside the package in a checkout, to `unikit/data` in the wheel."""

    def run(self) -> None:
        super().run()
        for folder in DATA:
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file():
                    target = Path(self.build_lib, "unikit", "data", file)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self.copy_file(str(file), str(target))


setup(
    name="unikit",
    version="0.1.0",
    description="A Python application as one bootable unikernel image",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.10",
    packages=find_packages(include=["unikit", "unikit.*"]),
    install_requires=[
        "capstone>=5",
        "click>=8.1",
        "cyclonedx-python-lib>=9",
        "jinja2>=3.1",
        "lz4>=4.0",
        "networkx>=3.0",
        "pyinstaller-hooks-contrib>=2024.0",
        "pyelftools>=0.29",
        "rich>=13",
        'tomli>=2; python_version < "3.11"',
        "xxhash>=3.0",
        "zstandard>=0.19",
    ],
    extras_require={
        "test": [
            "aiohttp>=3.9",
            "aiosqlite>=0.19",
            "certifi",
            "cffi>=1.15",
            "clang-format==14.0.6",  # another version, another layout
            "clang-tidy==14.0.6",  # and other complaints
            "cyclonedx-python-lib[json-validation]>=9",
            "django>=5.1",
            "dnslib>=0.9.24",
            "fastapi>=0.110",
            "flask>=2.3",
            "grpcio>=1.60",
            "gunicorn>=21",
            "httpx[http2]>=0.27",
            "hypercorn>=0.16",
            "mypy>=1.8",
            "os-ken>=2.5",
            "psutil>=5.9",
            "psycopg[binary,pool]>=3.1",
            "pytest-timeout>=2.2",
            "pytest>=7.4",
            "redis>=5",
            "ruff>=0.4",
            "sqlalchemy[asyncio]>=2.0",
            "types-networkx",
            "uvicorn[standard]>=0.29",
            "waitress>=2.1",
            "websockets>=15",
        ],
    },
    entry_points={
        "console_scripts": ["unikit = unikit.cli:main"],
        "pytest11": ["unikit = unikit.testing.plugin"],
    },
    cmdclass={"build_py": BuildWithData},
)
