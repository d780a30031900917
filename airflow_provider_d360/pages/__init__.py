"""What people open in Airflow's user interface."""
