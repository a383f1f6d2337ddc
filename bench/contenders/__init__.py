"""The tools that people would use instead of this project: the same order for each, written as its users would."""

from bench.contenders import ansible, pyinfra_, shell, terraform
from bench.contenders.contender import Contender

ALL: tuple[Contender, ...] = (
    ansible.LINEAR,
    ansible.FREE,
    pyinfra_.PYINFRA,
    shell.SHELL,
    terraform.TERRAFORM,
)
