"""360dialog as values: no I/O, no clock, no Airflow."""
