"""The key under which everything that one customer's messages may open happens in turn."""

from hashlib import blake2b

from owner.models.addresses import Address


def customer_lock(owner_id: int, customer: Address) -> int:
    """A signed 64-bit key for an advisory lock; a collision costs a wait, never a mistake.

    The channel is no part of it: somebody who writes by SMS and WhatsApp at once is one new contact, not two.
    """
    words = f"{owner_id}\x1f{customer.value}"
    return int.from_bytes(
        blake2b(words.encode(errors="surrogatepass"), digest_size=8).digest(), "big", signed=True
    )
