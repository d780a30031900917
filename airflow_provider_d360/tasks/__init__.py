"""What the Airflow classes share: base classes, arguments, errors, retries, tracking."""
