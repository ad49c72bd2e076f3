"""The energy reader, on a folder that looks like Linux's: what it counts, a counter that turns, and why it cannot read."""

from __future__ import annotations

import pytest

from helix.distributed.measured import energy


def zone(folder, name, label, microjoules, turns_at=1_000_000_000):
    place = folder / name
    place.mkdir()
    (place / "name").write_text(f"{label}\n")
    (place / "energy_uj").write_text(f"{microjoules}\n")
    (place / "max_energy_range_uj").write_text(f"{turns_at}\n")
    return place / "energy_uj"


def test_packages_are_counted_and_their_parts_are_not(tmp_path):
    first = zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    second = zone(tmp_path, "intel-rapl:1", "package-1", 7_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 1)
    with energy.metered(tmp_path) as reading:
        first.write_text("12500000\n")
        second.write_text("7000000\n")
    assert reading.joules["package-0"] == pytest.approx(7.5)
    assert reading.joules["package-1"] == 0
    assert "core" not in reading.joules
    assert not any("RAPL" in why for why in reading.unreadable)
    assert "package-0: 7.5 J" in str(reading)


def test_a_counter_that_has_turned_is_corrected(tmp_path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 9_000_000, turns_at=10_000_000)
    with energy.metered(tmp_path) as reading:
        counter.write_text("2000000")
    assert reading.joules["package-0"] == pytest.approx(3)


def test_it_says_why_it_cannot_read(tmp_path, monkeypatch):
    assert "there is no" in energy.rapl(tmp_path / "none")[1]
    assert "no zone" in energy.rapl(tmp_path)[1]
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    counter.write_text("not a number")
    assert "cannot be read (ValueError)" in energy.rapl(tmp_path)[1]
    counter.write_text("1")
    original = type(counter).read_text

    def refused(self, *given, **named):
        if self.name == "energy_uj":
            raise PermissionError
        return original(self, *given, **named)

    monkeypatch.setattr(type(counter), "read_text", refused)
    meters, why = energy.rapl(tmp_path)
    assert meters == []
    assert "root only" in why


def test_without_a_driver_nvml_says_so():
    meters, why = energy.nvml("libnothing-of-this-name.so")
    assert meters == []
    assert "no NVIDIA driver" in why


def test_a_block_that_raises_is_measured_too(tmp_path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    readings = []

    def fails() -> None:
        with energy.metered(tmp_path) as reading:
            readings.append(reading)
            counter.write_text("1000000")
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert readings[0].joules["package-0"] == pytest.approx(1)
    assert readings[0].seconds > 0
