"""One module a resource: its calls and the values that they return."""
