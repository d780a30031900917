"""``python -m airflow_provider_d360``: see :mod:`airflow_provider_d360.cli`."""

import sys

from airflow_provider_d360.cli import main

if __name__ == "__main__":
    sys.exit(main())
