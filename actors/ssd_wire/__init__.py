"""Messages, their encoding and checks; sockets; run files. Only this package imports ZeroMQ."""
