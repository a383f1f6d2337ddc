"""`python -m chef_push_jobs`: the command `chef-push-jobs`, also from a clone where nothing is installed."""

import sys

from chef_push_jobs.cli.app import main

sys.exit(main())
