import dataclasses

import pytest

from madem._checks import InputError
from madem.chips import PRESETS, chip_text, load_chip, parse_chip

TEXT = chip_text("taox-64")


def test_the_presets_have_the_published_figures():
    chip = load_chip("taox-64")
    assert (chip.array.rows, chip.array.columns) == (64, 64)
    assert (chip.device.g_min, chip.device.g_max) == (0.0, pytest.approx(150e-6))
    assert chip.read.voltage == pytest.approx(0.2)
    assert chip.device.programming_error == pytest.approx(0.026)
    assert chip.read.noise == pytest.approx(0.01)
    assert chip.device.stuck_on + chip.device.stuck_off == pytest.approx(0.02)
    ideal = load_chip("ideal")
    assert ideal.read.noise == ideal.device.stuck_on == ideal.device.programming_error == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_a_file_is_read_as_its_preset(preset, tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(chip_text(preset))
    assert load_chip(path) == load_chip(preset)


def test_limits_are_those_of_the_description():
    limits = load_chip("taox-64").limits
    assert limits.devices == (4, 64, 64, 2)
    assert limits.g_range == pytest.approx(150e-6)
    assert limits.longest_train == 1
    assert max(limits.response.up) > 5 * max(limits.response.down) / 2


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('g_max = "150 uS"', 'g_max = "150 uV"', "device.g_max = '150 uV' has the unit 'uV'"),
        ('g_max = "150 uS"', 'g_max = "-150 uS"', "device.g_max is negative"),
        ('g_max = "150 uS"', "g_max = 150", "device.g_max = 150 is not a quantity"),
        ('g_max = "150 uS"', "", "device.g_max is missing; give a quantity in siemens"),
        ('g_min = "0 uS"', 'g_min = "200 uS"', "device.g_max must lie above device.g_min"),
        ('model = "taox"', 'model = "hafnia"', "device.model = 'hafnia': give one of ideal, taox"),
        ('model = "taox"', 'model = "taox"\nstep = "1 uS"', 'device.step is not for model "taox"'),
        ('model = "taox"', 'model = "taox"\nup_down = "100 %"', 'are for model "soft-bounds" only'),
        ("[read]", '[device.spread]\ncycle = "1 %"\n[read]', 'are for model "soft-bounds" only'),
        ('model = "taox"', 'model = "soft-bounds"', "device.step is missing"),
        (
            'model = "taox"',
            'model = "soft-bounds"\nstep = "76 uS"',
            "device.step exceeds half the range",
        ),
        (
            'model = "taox"',
            'model = "soft-bounds"\nstep = "1 uS"\nup_down = "0 %"',
            "device.up_down must be above 0 %",
        ),
        ('model = "taox"', 'model = "ideal"', "device.step is missing"),
        ("rows = 64", "rows = 64.5", "array.rows = 64.5: give a whole number of at least 2"),
        ("rows = 64", "rows = true", "array.rows = True: give a whole number"),
        ("rows = 64", "rows = 64\ndepth = 2", "unknown key array.depth"),
        ('noise = "1 %"', 'noise = "1 S"', "read.noise = '1 S' has the unit 'S'"),
        ('stuck_on = "1 %"', 'stuck_on = "100 %"', "more than 100 % of the devices are stuck"),
        ('["0 uS", "150 uS"]', '["0 uS", "151 uS"]', "device.as_formed must lie within"),
        ('["0 uS", "150 uS"]', '["9 uS", "1 uS"]', "9 uS lies above 1 uS"),
        ('["0 uS", "150 uS"]', '["9 uS"]', "device.as_formed = ['9 uS']: give [low, high]"),
        ('voltage = "0.2 V"', 'voltage = "0 V"', "read.voltage must be above 0 V"),
        ("[read]", "[read", "not valid TOML"),
        ("[read]", "[reed]", "unknown key reed"),
    ],
)
def test_descriptions_that_cannot_be_used_are_refused_by_key(old, new, problem):
    assert old in TEXT
    with pytest.raises(InputError) as caught:
        parse_chip(TEXT.replace(old, new, 1), where="chip.toml")
    assert str(caught.value).startswith("chip.toml: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_files_that_cannot_be_read_are_refused(tmp_path, content):
    path = tmp_path / "chip.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="give a TOML file or one of ideal, taox-64"):
        load_chip(path)


def test_descriptions_can_be_changed_in_python():
    chip = load_chip("ideal")
    wider = dataclasses.replace(chip, array=dataclasses.replace(chip.array, columns=128))
    assert wider.limits.columns == 128
