"""What a round trip and a connection cost, measured side by side against the floor. See README.md."""
