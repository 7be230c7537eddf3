"""The report of a run that is going on, in a browser: the page of `report/html`, fed from the run file."""
