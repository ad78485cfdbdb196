"""What somebody else wrote, on its way to a terminal."""


def harmless(text: str) -> str:
    """`text` without escape sequences: a model may say anything, and so may a server."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
