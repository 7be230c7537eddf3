"""What people see of a run. Pure: data in, text out."""
