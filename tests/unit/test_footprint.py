"""Published energy and carbon come out again; what is missing or negative is refused; one device and the claim."""

from __future__ import annotations

import math

import pytest

from helix.distributed.paper.footprint import GRIDS, WATTS, Given, exactly, footprint
from helix.distributed.paper.one_device import DEVICES, YEAR, largest_model, on_one_device


def test_gpt3_as_published():
    # arXiv:2104.10350, Table 4: 10,000 V100s of 330 W for 14.8 days, PUE 1.10, 0.429 kg/kWh: 1,287 MWh and 552.1 t.
    found = footprint(10_000, exactly(14.8 * 24), exactly(330), exactly(1.10), exactly(429))
    assert found.kwh.value / 1000 == pytest.approx(1287, rel=0.003)
    assert found.kg.value / 1000 == pytest.approx(552.1, rel=0.003)


def test_bloom_as_published():
    # arXiv:2211.02001: 1,082,990 GPU-hours at 400 W are 433,196 kWh; on 57 g/kWh 24.69 t (no PUE in that figure).
    found = footprint(1, exactly(1_082_990), exactly(400), exactly(1), exactly(57))
    assert found.kwh.value == pytest.approx(433_196)
    assert found.kg.value / 1000 == pytest.approx(24.69, abs=0.005)


def test_llama_lies_within_the_worlds_range():
    # Llama 3.1 model card: 39.3e6 H100-hours of 700 W, 11,390 t by location.
    found = footprint(1, exactly(39.3e6), exactly(700), Given(1.0, 1.1, 1.2), GRIDS["world"])
    assert found.kg.low < 11_390e3 < found.kg.high


def test_grids_have_sources_and_the_world_spans_them():
    assert all(one.source for one in GRIDS.values())
    assert (GRIDS["world"].low, GRIDS["world"].high) == (GRIDS["Norway"].value, GRIDS["India"].value)
    assert all(one.value in range(30, 714) for one in GRIDS.values())


def test_ends_are_all_low_and_all_high():
    found = footprint(2, Given(1, 2, 3), Given(100, 200, 400, "meter"), Given(1, 1.5, 2), Given(10, 100, 1000, "table"))
    assert (found.kwh.low, found.kwh.value, found.kwh.high) == pytest.approx((0.2, 1.2, 4.8))
    assert (found.kg.low, found.kg.value, found.kg.high) == pytest.approx((0.002, 0.12, 4.8))
    assert found.documented == {"watts of a device": "meter", "g CO2e a kWh": "table"}
    assert found.assumed == ["hours", "PUE"]
    text = str(found)
    assert "ASSUMED" in text
    assert "meter" in text
    assert "1.2 (0.2 to 4.8) kWh" in text
    assert "Not counted" in text


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((-1, 1, 2), "0 or more"),
        ((1, math.nan, 2), "0 or more and finite"),
        ((1, 2, math.inf), "finite"),
        ((3, 2, 4), "does not hold"),
        ((1, 5, 4), "does not hold"),
        ((None, 2, 4), "three numbers"),
        ((1, "2", 4), "three numbers"),
        ((True, 2, 4), "three numbers"),
    ],
)
def test_bad_ranges(ends, words):
    with pytest.raises(ValueError, match=words):
        Given(*ends)


@pytest.mark.parametrize("missing", ["hours", "watts", "pue", "grid"])
def test_missing_inputs(missing):
    inputs = {"hours": exactly(1), "watts": exactly(1), "pue": exactly(1), "grid": exactly(1)}
    for value in (None, 3.0):
        with pytest.raises(ValueError, match="is missing"):
            footprint(1, **{**inputs, missing: value})


def test_bad_devices_and_pue():
    for devices in (0, -1, 1.5, True, None):
        with pytest.raises(ValueError, match="devices"):
            footprint(devices, exactly(1), exactly(1), exactly(1), exactly(1))
    with pytest.raises(ValueError, match="at least 1"):
        footprint(1, exactly(1), exactly(1), Given(0.9, 1.1, 1.2), exactly(1))


def test_watts_have_the_node_in_them():
    boards = {"A100": 400, "H100": 700}
    assert WATTS.keys() == boards.keys()
    for name, board in boards.items():
        assert WATTS[name].source
        assert WATTS[name].value > board
        assert WATTS[name].high > 1.5 * board
    assert WATTS["A100"].high == round(6_500 / 8 - 0.5)
    assert WATTS["H100"].low < 8_400 / 8 < WATTS["H100"].high == 10_200 / 8


# One device ----------------------------------------------------------------------------------------------


def test_a_trillion_parameters_on_one_device():
    for device in DEVICES.values():
        found = on_one_device(1e12, device)
        assert not found.fits
        assert found.needed == 16e12
        assert found.devices == math.ceil(16e12 / device.memory)
        assert device.memory_source
    assert (
        on_one_device(1e12, DEVICES["V100"]).devices == 500
    )  # 800 with activations, says the abstract of arXiv:2104.07857
    assert on_one_device(1e12, DEVICES["A100"]).devices == 200


def test_far_less_than_a_trillion_does_not_fit_either():
    largest = max(largest_model(device) for device in DEVICES.values())
    assert largest == 27e9
    assert on_one_device(largest, DEVICES["MI455X"]).fits
    assert not on_one_device(largest * 1.001, DEVICES["MI455X"]).fits


def test_offloading_moves_memory_but_not_time():
    found = on_one_device(1e12, DEVICES["A100"], tokens=450e9, offload=20e12)
    assert not found.fits
    assert found.fits_offloaded
    assert found.years == pytest.approx(8 * 1e12 * 450e9 / 163e12 / YEAR)
    assert 690 < found.years < 710
    assert not on_one_device(1e12, DEVICES["A100"], offload=15.9e12).fits_offloaded


def test_years_of_gpt3_on_one_v100():
    # arXiv:2104.04473, section 1, says about 288 years; GPT-3's own throughput of arXiv:2104.10350 makes it 406.
    found = on_one_device(175e9, DEVICES["V100"], tokens=300e9)
    assert found.years == pytest.approx(406, rel=0.01)
    assert 1 < found.years / 288 < 1.5
    # GPT-3's operations, 3.14e23 in the same table, agree with 6 for each parameter and token.
    assert found.years * YEAR * 24.6e12 == pytest.approx(3.14e23, rel=0.01)


def test_llama_405b_on_h100s():
    # 30.84e6 H100-hours in the Llama 3.1 model card. At the best stage's throughput throughout it would have been a fifth less.
    found = on_one_device(405e9, DEVICES["H100"], tokens=15.6e12)
    assert 0.75 < found.years * YEAR / 3600 / 30.84e6 < 0.85


def test_no_throughput_no_years():
    assert on_one_device(1e9, DEVICES["B200"], tokens=1e9).years is None
    assert on_one_device(1e9, DEVICES["A100"]).years is None
    assert all(device.achieved_source for device in DEVICES.values() if device.achieved)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"parameters": 0}, "parameters"), ({"parameters": math.inf}, "parameters"), ({"tokens": -1}, "tokens"), ({"offload": -1}, "offload")],
)  # fmt: skip
def test_one_device_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        on_one_device(**{"parameters": 1e9, "device": DEVICES["A100"], **arguments})
