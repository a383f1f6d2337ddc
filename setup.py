"""What pyproject.toml cannot say: that packages are found, and that components/ is installed inside chef_push_jobs.

So a user's own folder `components/` is no clash, and here nothing in chef_push_jobs/ imports Pulumi.
"""

from setuptools import find_packages, setup  # type: ignore[import-untyped]  # its types are another package

setup(
    packages=[*find_packages(include=["chef_push_jobs", "chef_push_jobs.*"]), "chef_push_jobs.components"],
    package_dir={"chef_push_jobs.components": "components"},
)
