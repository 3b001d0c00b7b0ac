"""Every message, its bytes and its checks; the sockets; run files. The only package that knows ZeroMQ."""
