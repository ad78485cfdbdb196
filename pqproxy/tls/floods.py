"""What a peer may send that costs us and brings nothing, counted (the limits of BoringSSL).

Each count starts anew when the peer sends application data.
"""

from __future__ import annotations

from pqproxy.tls.alerts import AlertDescription, FatalAlert, unexpected_message

MAX_EMPTY_RECORDS = 32
MAX_POST_HANDSHAKE_MESSAGES = 32  # KeyUpdate and NewSessionTicket
MAX_WARNINGS = 4  # the fifth in a row is refused
MAX_CHANGE_CIPHER_SPECS = 32
MAX_EARLY_DATA = 32 * 1024  # bytes of early data passed over


class Floods:
    """The counts of one connection.

    Attributes:
        counting: there are counts that end with application data.

    Raises:
        FatalAlert: unexpected_message, by each method that counts, above its limit.
    """

    __slots__ = (
        "_change_cipher_specs",
        "_early_data",
        "_empty",
        "_post_handshake",
        "_warnings",
        "counting",
    )

    def __init__(self) -> None:
        self.counting = False
        self._empty = self._post_handshake = self._warnings = 0
        self._change_cipher_specs = self._early_data = 0

    def data_came(self) -> None:
        """Application data: the peer is doing its work."""
        self._empty = self._post_handshake = self._warnings = 0
        self.counting = False

    def empty_record(self) -> None:
        """A record without content."""
        self.counting = True
        self._empty += 1
        if self._empty > MAX_EMPTY_RECORDS:
            raise unexpected_message(f"over {MAX_EMPTY_RECORDS} empty records in a row")

    def post_handshake_message(self) -> None:
        """A KeyUpdate or a NewSessionTicket."""
        self.counting = True
        self._post_handshake += 1
        if self._post_handshake > MAX_POST_HANDSHAKE_MESSAGES:
            raise unexpected_message(
                f"over {MAX_POST_HANDSHAKE_MESSAGES} handshake messages without application data"
            )

    def warning(self) -> None:
        """A warning alert."""
        self.counting = True
        self._warnings += 1
        if self._warnings > MAX_WARNINGS:
            raise unexpected_message(f"over {MAX_WARNINGS} warning alerts in a row")

    def change_cipher_spec(self) -> None:
        """A compatibility record."""
        self._change_cipher_specs += 1
        if self._change_cipher_specs > MAX_CHANGE_CIPHER_SPECS:
            raise unexpected_message(f"over {MAX_CHANGE_CIPHER_SPECS} change_cipher_spec records")

    def early_data(self, length: int) -> None:
        """A record of early data that is passed over."""
        if not length:  # would never reach the limit
            self.empty_record()
        self._early_data += length
        if self._early_data > MAX_EARLY_DATA:
            raise FatalAlert(
                AlertDescription.UNEXPECTED_MESSAGE, f"over {MAX_EARLY_DATA} bytes of early data"
            )
