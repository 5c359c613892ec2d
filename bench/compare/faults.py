"""The two ways a measurement can end without a figure."""


class SetupFault(Exception):
    """The bench cannot start on this machine; the message says what to install or change."""


class NotMeasured(Exception):
    """One contender gave no figure; the message stands in its row and the bench goes on."""
