"""The key under which everything that may open a conversation with one customer happens in turn."""

from hashlib import blake2b

from owner.models.addresses import Address


def thread_lock(owner_id: int, customer: Address, our_address: str) -> int:
    """A signed 64-bit key for an advisory lock; a collision costs a wait, never a mistake."""
    words = "\x1f".join((str(owner_id), customer.channel, customer.value, our_address))
    return int.from_bytes(
        blake2b(words.encode(errors="surrogatepass"), digest_size=8).digest(), "big", signed=True
    )
