"""Where chance comes from: everything random hangs on the seed and a name, never on the order of calls.

Two agents of one site that simulate the same plant must agree, whichever points they publish and however often they
are asked. So there is no running random state: a draw is keyed by seed and purpose, noise by seed, point and time.
"""

import zlib

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_STRIDE = np.uint64(0x9E3779B97F4A7C15)
_HALF = 0xFFFFFFFF


def generator(seed: int, *keys: str | int) -> np.random.Generator:
    """A generator of its own for that seed and purpose."""
    return np.random.default_rng([seed & _HALF, *(_number(key) for key in keys)])


def keys_of(seed: int, names: list[str]) -> Keys:
    """One 64-bit key per name, for `noise` and `uniform`."""
    return np.array([_number(f"{seed}:{name}:a") << 32 | _number(f"{seed}:{name}:b") for name in names], np.uint64)


def uniform(keys: Keys, time: int) -> Floats:
    """One number in [0, 1) per key for that time (any whole number); the same each time it is asked for."""
    return (_mixed(keys, time) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def noise(keys: Keys, time: int) -> Floats:
    """One number in (-1, 1) per key, triangular around 0 (standard deviation 0.41); the same each time."""
    mixed = _mixed(keys, time)
    high = (mixed >> np.uint64(32)).astype(np.float64)
    low = (mixed & np.uint64(_HALF)).astype(np.float64)
    return (high + low) * 2.0**-32 - 1.0


def uniform_along(name: str, seed: int, times: npt.NDArray[np.int64]) -> Floats:
    """As `uniform` for one name, at each of the times."""
    return (_along(name, seed, times) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def noise_along(name: str, seed: int, times: npt.NDArray[np.int64]) -> Floats:
    """As `noise` for one name, at each of the times."""
    mixed = _along(name, seed, times)
    high = (mixed >> np.uint64(32)).astype(np.float64)
    low = (mixed & np.uint64(_HALF)).astype(np.float64)
    return (high + low) * 2.0**-32 - 1.0


def _along(name: str, seed: int, times: npt.NDArray[np.int64]) -> Keys:
    return _finished(keys_of(seed, [name]) + times.astype(np.uint64) * _STRIDE)


def drift(keys: Keys, time: int, period: int) -> Floats:
    """Noise that changes slowly: drawn anew every `period` ms and joined by straight lines."""
    turn, rest = divmod(time, period)
    share = rest / period
    return noise(keys, turn) * (1.0 - share) + noise(keys, turn + 1) * share


def _number(key: str | int) -> int:
    return key & _HALF if isinstance(key, int) else zlib.crc32(key.encode())


def _mixed(keys: Keys, time: int) -> Keys:
    # splitmix64 (Steele, Lea, Flood 2014): unsigned overflow of arrays is meant.
    return _finished(keys + np.array([time & 0xFFFFFFFFFFFFFFFF], np.uint64) * _STRIDE)


def _finished(mixed: Keys) -> Keys:
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    whole: Keys = mixed ^ (mixed >> np.uint64(31))
    return whole
