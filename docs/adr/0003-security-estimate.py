"""Primal uSVP estimate for the payload's RLWE instance, by the 2016 estimate (Albrecht, Goepfert, Virdia, Wunderer,
ASIACRYPT 2017): BKZ-beta succeeds when sigma * sqrt(beta) <= delta(beta)^(2 beta - d - 1) * q^(m / d).

Cost models: core-SVP (ADPS16), BDGL16 as in SEAL's rows, and MATZOV's gate counts as the lattice estimator fits them.
Run: python3 0003-security-estimate.py
"""
from math import e, log2, pi, sqrt


def root_hermite(beta):
    return ((pi * beta) ** (1 / beta) * beta / (2 * pi * e)) ** (1 / (2 * (beta - 1)))


def smallest_beta(n, log_q, sigma_secret, sigma_error, samples):
    """Scaled embedding: secret coordinates are stretched to the error's width."""
    scale = sigma_error / sigma_secret
    for beta in range(60, 1200):
        delta = log2(root_hermite(beta))
        for m in range(200, samples + 1, 8):
            d = n + m + 1
            volume = (m * log_q + n * log2(scale)) / d
            if log2(sigma_error) + 0.5 * log2(beta) <= (2 * beta - d - 1) * delta + volume:
                return beta, d
    raise SystemExit("no block size found")


def costs(beta, d):
    core = 0.292 * beta
    bdgl = 0.292 * beta + 16.4 + log2(8 * d)
    # Per-SVP gates 2^(0.29613 beta + 20.388) in dimension beta - d4f(beta), times d - beta calls, times 1 / (1 - 2^-0.29613).
    free = max(0.0, beta * log2(4 / 3) / log2(beta / (2 * pi * e)))
    matzov = 0.29613 * (beta - free) + 20.388 + log2(d - beta) + log2(1 / (1 - 2**-0.29613))
    return core, bdgl, matzov


rows = [
    ("SEAL's row: ternary secret, sigma 3.2, 54 bits", 54, sqrt(2 / 3), 3.2),
    ("Gaussian secret and error 3.35 (given the key sum), 54 bits", 54, 3.35, 3.35),
    ("Gaussian secret and error 3.35 (given the key sum), 53 bits", 53, 3.35, 3.35),
    ("Gaussian secret and error 6.7 (before the key sum is known), 54 bits", 54, 6.7, 6.7),
]
print(f"{'instance, N = 2048':70} beta     d  core  BDGL16  MATZOV")
for name, log_q, secret, error in rows:
    beta, d = smallest_beta(2048, log_q, secret, error, 4096)
    core, bdgl, matzov = costs(beta, d)
    print(f"{name:70} {beta:4} {d:5} {core:5.1f} {bdgl:7.1f} {matzov:7.1f}")
