"""Energy and carbon of a training run, estimated: from devices, hours, watts, PUE and grid, each with a range and an origin.

kWh = devices · hours · watts/1000 · PUE, kg CO2e = kWh · g/kWh / 1000 (D. Patterson et al., 2021, arXiv:2104.10350, section 2.5).
The ends of the result are all low and all high ends multiplied: the widest that the inputs allow, no confidence
interval. Left out, and not small: making the machines, idle nodes, runs that failed (A. Luccioni et al., 2023, arXiv:2211.02001:
BLOOM's 24.7 t of use became 50.5 t with machines and idling).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Given:
    """A number with its range, and where it comes from.

    Parameters
    ----------
    low, value, high : float
        In the unit of the input that it stands for.
    source : str
        Document, table or meter; empty means that the number is assumed.

    Raises
    ------
    ValueError
        If an end is missing, negative or not finite, or they are not in order.
    """

    low: float
    value: float
    high: float
    source: str = ""

    def __post_init__(self) -> None:
        ends = (self.low, self.value, self.high)
        for end in ends:
            if end is None or isinstance(end, bool) or not isinstance(end, int | float):
                raise ValueError(f"A range needs three numbers, low, value and high; got {ends!r}.")
            if not 0 <= end < math.inf:
                raise ValueError(f"A range must be 0 or more and finite; got {ends!r}.")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"low <= value <= high does not hold for {ends!r}.")

    def times(self, other: Given | float) -> Given:
        """Multiply end by end; the product has no source of its own."""
        by = other if isinstance(other, Given) else Given(other, other, other)
        return Given(self.low * by.low, self.value * by.value, self.high * by.high)

    def __str__(self) -> str:
        value, low, high = (
            f"{one:,.0f}" if one >= 1_000 else f"{one:.4g}" for one in (self.value, self.low, self.high)
        )
        return f"{value} ({low} to {high})"


def exactly(value: float, source: str = "") -> Given:
    """Return a number without a range."""
    return Given(value, value, value, source)


EMBER = "Ember, 2023 yearly averages over the life cycle"
# Grams of CO2e a kilowatt-hour.
GRIDS = {
    "world": Given(30, 481, 713, f"{EMBER}: world; ends Norway and India (Statista 943137)"),
    "France": exactly(56, f"{EMBER} (Our World in Data, carbon intensity of electricity)"),
    "Germany": exactly(381, f"{EMBER} (Our World in Data, carbon intensity of electricity)"),
    "India": exactly(713, f"{EMBER} (Statista 943137)"),
    "Norway": exactly(30, f"{EMBER} (Statista 943137)"),
}


# Watts of a device with its share of the node: processors, memory, network, fans. The board's own maximum is not the high end.
WATTS = {
    "A100": Given(
        400, 600, 812,
        "400: the board's maximum, its node left out (A100 data sheet); 812: an eighth of a DGX A100's maximum of 6.5 kW (user guide); "
        "600 lies between, assumed",
    ),
    "H100": Given(
        700, 900, 1275,
        "700: the board's maximum, its node left out (H100 data sheet); 1275: an eighth of the 10.2 kW that a node of eight is rated for; "
        "measured at most: 1,050, an eighth of 8.4 kW (I. Latif et al., 2025, IEEE Access 13, arXiv:2412.08602); 900 lies between, assumed",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Footprint:
    """An estimate of a run, and what it rests on.

    Parameters
    ----------
    kwh, kg : Given
        Electricity in kilowatt-hours, emissions in kilograms of CO2 equivalent.
    inputs : dict
        Every input by name, with its range and source.
    """

    kwh: Given
    kg: Given
    inputs: dict[str, Given]

    @property
    def documented(self) -> dict[str, str]:
        """Inputs with a source, and the source."""
        return {name: one.source for name, one in self.inputs.items() if one.source}

    @property
    def assumed(self) -> list[str]:
        """Inputs without one."""
        return [name for name, one in self.inputs.items() if not one.source]

    def __str__(self) -> str:
        lines = [f"Electricity {self.kwh} kWh, emissions {self.kg} kg CO2e; all inputs at their low and high ends."]
        lines += [f"{name}: {one}; {one.source or 'ASSUMED'}" for name, one in self.inputs.items()]
        lines.append("Not counted: making the machines, idle nodes, runs that failed or were only tried.")
        return "\n".join(lines)


def footprint(devices: int, hours: Given, watts: Given, pue: Given, grid: Given) -> Footprint:
    """Estimate electricity and emissions of a run.

    Parameters
    ----------
    devices : int
        GPUs that ran.
    hours : Given
        Wall-clock hours of the run.
    watts : Given
        Power of one device with its share of the node, in watts, at all three ends, such as ``WATTS["A100"]``. The node adds half of the
        board's power and more, so the board's maximum is no high end.
    pue : Given
        Electricity of the data centre over that of the machines, 1 or more.
    grid : Given
        Grams of CO2e a kilowatt-hour where and when it ran, such as ``GRIDS["France"]``; by location, not by contract.

    Raises
    ------
    ValueError
        If an input is missing or not of its kind, devices are fewer than 1, or a PUE is below 1.
    """
    if isinstance(devices, bool) or not isinstance(devices, int) or devices < 1:
        raise ValueError(f"devices must be a whole number, 1 or more; got {devices!r}.")
    inputs = {"hours": hours, "watts of a device": watts, "PUE": pue, "g CO2e a kWh": grid}
    for name, one in inputs.items():
        if not isinstance(one, Given):
            raise ValueError(f"{name} is missing: it must be a range, Given(low, value, high, source); got {one!r}.")
    if pue.low < 1:
        raise ValueError(f"A PUE is at least 1, the machines' own electricity; got {pue}.")
    kwh = hours.times(watts).times(pue).times(devices / 1000)
    return Footprint(kwh, kwh.times(grid).times(1 / 1000), inputs)
