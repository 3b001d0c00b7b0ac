"""Messages, their bytes and checks; sockets; run files. The only package that knows ZeroMQ."""
