"""One connection, or some, for a person or a script: connect by hand, replay what was recorded."""
