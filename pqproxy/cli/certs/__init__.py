"""`pqproxy certs VERB`: an authority of one's own. One file a kind of verbs."""

from typing import Any

from pqproxy.cli.certs import bundles, making, renewal, requests, revocation, show


def add_parser(subparsers: Any) -> None:
    """Describe the command and its verbs."""
    parser = subparsers.add_parser("certs", help="make and show certificates of your own authority")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in (making, requests, renewal, revocation, bundles, show):
        module.add_verbs(verbs)
