"""What people would use instead of this project: the same order for each, as each of them would have it written."""

from bench.contenders import ansible, pyinfra_, shell, terraform
from bench.contenders.contender import Contender

ALL: tuple[Contender, ...] = (
    ansible.LINEAR,
    ansible.FREE,
    pyinfra_.PYINFRA,
    shell.SHELL,
    terraform.TERRAFORM,
)
