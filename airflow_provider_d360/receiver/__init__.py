"""The receiver of 360dialog's deliveries: inside Airflow's API server, or standalone."""
