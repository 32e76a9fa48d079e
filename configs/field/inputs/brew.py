"""Keeps the temperature of the station's boiler and writes a log line every ten minutes."""
import argparse
import logging
import time
from dataclasses import dataclass

LOG = logging.getLogger("brew")


@dataclass
class Boiler:
    target: float = 93.5
    measured: float = 20.0
    power: float = 0.0

    def step(self, seconds: float) -> float:
        error = self.target - self.measured
        self.power = min(max(0.08 * error, 0.0), 1.0)
        self.measured += (self.power * 2.4 - 0.004 * (self.measured - 18.0)) * seconds
        return self.measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=float, default=93.5)
    parser.add_argument("--interval", type=float, default=600.0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    boiler = Boiler(target=options.target)
    while True:
        LOG.info("%.1f degrees at %.0f %% power", boiler.step(1.0), 100 * boiler.power)
        time.sleep(options.interval)


if __name__ == "__main__":
    main()
