"""Errors in what comes from outside this process: peers, files, addresses."""


class ProtocolError(Exception):
    """A peer sent an invalid message. Names what was wanted and what was found."""


class RunFileError(Exception):
    """A run file or an override of it is unusable. Names the section, the key and the fault."""


class EndpointError(Exception):
    """An address that cannot or must not be used."""


class RefusedError(Exception):
    """A server refused this actor for good: another run, or an invalid segment."""


class ReplacedError(RefusedError):
    """A newer process plays this one's agent."""


class KeyFileError(Exception):
    """A key file is missing, unsafe or invalid. Names the file and what was wanted."""
