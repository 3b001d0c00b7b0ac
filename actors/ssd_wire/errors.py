"""What can be wrong with something from outside this process."""


class ProtocolError(Exception):
    """A peer sent what is no valid message of this run. Names what was wanted and found."""


class RunFileError(Exception):
    """A run file, or an override of it, is not usable. Names the section, the key and the fault."""


class EndpointError(Exception):
    """An address that cannot, or must not, be bound or connected to."""


class RefusedError(Exception):
    """A peer refused us for good: another run, an invalid segment."""


class ReplacedError(RefusedError):
    """A process that started later has our place."""


class KeyFileError(Exception):
    """A file of keys is missing, unsafe, or holds none. Names the file, and what was wanted."""
