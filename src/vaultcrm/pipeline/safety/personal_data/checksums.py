"""Checksums that tell an account or a card from an ordinary number.

Luhn: ISO/IEC 7812-1. IBAN: ISO 13616, check digits by ISO 7064 mod 97-10. Base58Check: Bitcoin's
address format. Bech32 and Bech32m: BIP 173 and BIP 350. EIP-55: letters of an Ethereum address are
capitals where the Keccak-256 hash of the small address has a digit of 8 or more.
"""

from hashlib import sha256

IBAN_LENGTHS = {
    "ad": 24, "ae": 23, "al": 28, "at": 20, "az": 28, "ba": 20, "be": 16, "bg": 22, "bh": 22,
    "br": 29, "by": 28, "ch": 21, "cr": 22, "cy": 28, "cz": 24, "de": 22, "dk": 18, "do": 28,
    "ee": 20, "eg": 29, "es": 24, "fi": 18, "fo": 18, "fr": 27, "gb": 22, "ge": 22, "gi": 23,
    "gl": 18, "gr": 27, "gt": 28, "hr": 21, "hu": 28, "ie": 22, "il": 23, "iq": 23, "is": 26,
    "it": 27, "jo": 30, "kw": 30, "kz": 20, "lb": 28, "lc": 32, "li": 21, "lt": 20, "lu": 20,
    "lv": 21, "mc": 27, "md": 24, "me": 22, "mk": 19, "mr": 27, "mt": 31, "mu": 30, "nl": 18,
    "no": 15, "pk": 24, "pl": 28, "ps": 29, "pt": 25, "qa": 29, "ro": 24, "rs": 22, "sa": 24,
    "se": 24, "si": 19, "sk": 24, "sm": 27, "tn": 24, "tr": 26, "ua": 29, "va": 22, "vg": 24,
    "xk": 20,
}  # fmt: skip
"""Characters of an IBAN by country, in small letters."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others, by ISO/IEC 7812-1."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_is_valid(compact: str) -> bool:
    """Whether a lower-case IBAN without spaces has its country's length and right check digits."""
    if IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


_BASE58 = {
    char: value
    for value, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}


def base58check_is_valid(address: str) -> bool:
    """Whether the last four bytes are the double SHA-256 of the others (Bitcoin's Base58Check)."""
    number = 0
    for char in address:
        if char not in _BASE58:
            return False
        number = number * 58 + _BASE58[char]
    raw = number.to_bytes(25, "big") if number < 1 << 200 else b""
    return bool(raw) and sha256(sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


_BECH32 = {char: value for value, char in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUMS = (1, 0x2BC830A3)


def bech32_is_valid(address: str) -> bool:
    """Whether a lower-case address has the checksum of Bech32 or Bech32m (BIP 173, BIP 350)."""
    prefix, separator, data = address.rpartition("1")
    if not prefix or not separator or len(data) < 6 or any(char not in _BECH32 for char in data):
        return False
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    values += [_BECH32[char] for char in data]
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for place, term in enumerate(_BECH32_GENERATOR):
            if top >> place & 1:
                total ^= term
    return total in _BECH32_SUMS


def eip55_is_valid(address: str) -> bool:
    """Whether the capitals of an Ethereum address (40 hexadecimal digits) are as EIP-55 says.

    An address all in small or all in capital letters has no checksum and is taken as it is.
    """
    if address in {address.lower(), address.upper()}:
        return True
    digest = keccak256(address.lower().encode()).hex()
    return all(
        char.isdigit() or char.isupper() == (int(digit, 16) > 7)
        for char, digit in zip(address, digest, strict=False)
    )


_KECCAK_RATE = 136
_LANE = (1 << 64) - 1


def _round_constants() -> tuple[int, ...]:
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant ^= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


_ROUND_CONSTANTS = _round_constants()


def _rotated(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _LANE if by else lane


def _permuted(lanes: list[int]) -> list[int]:
    """Keccak-f[1600] over 25 lanes, lane (x, y) at x + 5 y."""
    for constant in _ROUND_CONSTANTS:
        parity = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        mixed = [parity[(x - 1) % 5] ^ _rotated(parity[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[place % 5] for place, lane in enumerate(lanes)]
        x, y, moved = 1, 0, lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            turned = _rotated(moved, (step + 1) * (step + 2) // 2 % 64)
            moved, lanes[x + 5 * y] = lanes[x + 5 * y], turned
        lanes = [
            lane
            ^ (~lanes[(place + 1) % 5 + place // 5 * 5] & lanes[(place + 2) % 5 + place // 5 * 5])
            for place, lane in enumerate(lanes)
        ]
        lanes[0] ^= constant
    return lanes


def keccak256(message: bytes) -> bytes:
    """The 32 bytes of Keccak-256 as Ethereum uses it: SHA-3's sponge with the padding 0x01."""
    padded = bytearray(message) + b"\x01"
    padded += bytes(-len(padded) % _KECCAK_RATE)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _KECCAK_RATE):
        for place in range(_KECCAK_RATE // 8):
            at = start + 8 * place
            lanes[place] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
